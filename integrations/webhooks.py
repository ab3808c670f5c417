"""Standard Webhooks: what we tell a source is signed, and what a source tells us is verified.

https://github.com/standard-webhooks/standard-webhooks: HMAC-SHA256 over `id.timestamp.body`. The identifier stays the
same for every attempt, so a receiver recognises a repeat; the timestamp is that of the attempt.

Verifying is our own: the library takes only bodies in UTF-8, and raises whatever comes for malformed headers.
"""

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_bytes

from standardwebhooks.webhooks import Webhook

from integrations.answers import MISCONFIGURED_STATUSES, answer, json_object, not_answered, text_of
from integrations.connectors.base import Answer, AnswerKind, Capabilities, Endpoint, Observation, Presence, TargetKind
from integrations.http import Exchange, exchange
from integrations.refusals import Category, Refusal, RefusalError, Severity

_PREFIX = "whsec_"
_SECRET_BYTES = range(24, 65)
TOLERANCE = timedelta(minutes=5)  # by which the sender's clock may be before or behind ours
MOST_SIGNATURES = 20  # one for each secret that a sender may be changing between
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
# Without a full stop, which separates what is signed: `a.1` and `.2` must not be signed as `a` and `.1.2` are.
_IDENTIFIER = re.compile(r"[!-\-/-~]{1,200}")
_REFUSED_STATUSES = frozenset({400, 402, 406, 411, 412, 413, 414, 415, 422})

CAPABILITIES = Capabilities(
    target_kind=TargetKind.DEDUPLICATES,
    looked_up_by="",
    settle_time=timedelta(0),
    key_life=timedelta(days=30),
    checks_natively=False,
    check_name="",
    already_exists=(),
    throttles=(),
)


class WebhookSecretInvalid(ValueError):
    pass


def sign(secret: str, *, message_id: str, timestamp: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a webhook. Raises WebhookSecretInvalid; UnicodeDecodeError for a body that is not UTF-8."""
    at = timestamp.astimezone(UTC)
    signature = _webhook(secret).sign(msg_id=message_id, timestamp=at, data=body.decode())
    return {"webhook-id": message_id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


class SignatureRefused(Exception):
    """The request is not what the source signed, or not lately. `header` is the one at fault."""

    def __init__(self, problem: str, *, header: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.header = header
        self.remedy = remedy


def verify(secrets: Sequence[str], *, headers: Mapping[str, str], body: bytes, at: datetime) -> str:
    """The identifier of a webhook that was signed with one of the secrets, within TOLERANCE of `at`.

    Raises SignatureRefused, and WebhookSecretInvalid for a secret of ours that is none. Takes as long whichever
    secret or signature fits.
    """
    identifier = headers.get("webhook-id", "")
    if not _IDENTIFIER.fullmatch(identifier):
        raise SignatureRefused(
            "The webhook has no identifier that can be used.",
            header="webhook-id",
            remedy="Send 1 to 200 visible ASCII characters without a full stop, the same for every attempt.",
        )
    sent_at = _timestamp(headers.get("webhook-timestamp", ""), at=at)
    signed = f"{identifier}.{sent_at}.".encode() + body
    offered = _signatures(headers.get("webhook-signature", ""))
    fits = False
    for secret in secrets:
        wanted = base64.b64encode(hmac.digest(_key(secret), signed, "sha256"))
        for signature in offered:
            fits |= hmac.compare_digest(wanted, signature)
    if not fits:
        raise SignatureRefused(
            "None of the signatures fits.",
            header="webhook-signature",
            remedy="Sign “id.timestamp.body”, the body byte for byte, with the secret of this connection; v1 is known.",
        )
    return identifier


def _timestamp(written: str, *, at: datetime) -> str:
    """As it is written, since that is what was signed."""
    if not _TIMESTAMP.fullmatch(written):
        raise SignatureRefused(
            "The webhook does not say when it was sent.",
            header="webhook-timestamp",
            remedy="Send the time of this attempt in whole seconds since 1970, in UTC.",
        )
    if abs(at.timestamp() - int(written)) > TOLERANCE.total_seconds():
        raise SignatureRefused(
            f"The webhook was sent more than {TOLERANCE.seconds // 60} minutes from now.",
            header="webhook-timestamp",
            remedy="Sign each attempt anew with the time at which it is made, and have the clock set.",
        )
    return written


def _signatures(written: str) -> list[bytes]:
    """Those whose version is known."""
    parts = (part.partition(",") for part in written.split(" ")[:MOST_SIGNATURES])
    return [signature.encode() for version, _, signature in parts if version == "v1"]


def new_secret() -> str:
    """A random secret to sign with, as senders expect it."""
    return _PREFIX + base64.b64encode(token_bytes(32)).decode()


def is_secret(text: str) -> bool:
    try:
        _key(text)
    except WebhookSecretInvalid:
        return False
    return True


def _webhook(secret: str) -> Webhook:
    return Webhook(_key(secret))


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX) + "==", validate=False)
    except ValueError:
        key = b""
    if not secret.startswith(_PREFIX) or len(key) not in _SECRET_BYTES:
        raise WebhookSecretInvalid("A webhook secret is whsec_ followed by 24 to 64 bytes in base64.")
    return key


@dataclass(frozen=True, slots=True)
class WebhookClient:
    """Tells a source how a transaction ended. The endpoint's token is the secret to sign with."""

    endpoint: Endpoint

    def probe(self, *, object_type: str, business_key: str, content: bytes) -> Observation:
        """A receiver cannot be asked; it recognises a repeat by its webhook-id."""
        return Observation(Presence.UNANSWERED, detail="A webhook's receiver cannot be asked.")

    def submit(
        self,
        *,
        key: str,
        object_type: str,
        business_key: str,
        content: bytes,
        media_type: str,
        despite_warnings: bool = False,
    ) -> Answer:
        try:
            headers = sign(self.endpoint.token, message_id=key, timestamp=datetime.now(UTC), body=content)
        except WebhookSecretInvalid as error:
            return Answer(AnswerKind.MISCONFIGURED, detail=str(error), turned_away=True)
        except UnicodeDecodeError:
            return Answer(AnswerKind.MISCONFIGURED, detail="The body of a webhook must be UTF-8.", turned_away=True)
        headers["Content-Type"] = media_type
        url, timeout = self.endpoint.url, self.endpoint.timeout
        sent = exchange("POST", url, headers=headers, body=content, timeout=timeout)
        return not_answered(sent) or _read(sent, key)


def _read(sent: Exchange, key: str) -> Answer:
    """By status alone, as the specification has it: whatever it means, a repeat does no harm."""
    status = sent.status or 0
    told = json_object(sent)
    detail = text_of(told, "detail") or f"HTTP {status}."
    if 200 <= status < 300:
        return answer(AnswerKind.CONFIRMED, sent, reference=key)
    if status in MISCONFIGURED_STATUSES:
        return answer(AnswerKind.MISCONFIGURED, sent, detail=detail)
    if status in _REFUSED_STATUSES:
        return answer(AnswerKind.REFUSED, sent, detail=detail, refusal=_refusal(status, detail))
    if status == 429:
        return answer(AnswerKind.NOT_SENT, sent, detail=detail)
    return answer(AnswerKind.UNKNOWN, sent, detail=detail)


def _refusal(status: int, detail: str) -> Refusal:
    error = RefusalError(code=f"HTTP {status}", severity=Severity.ERROR, text=detail, plain=detail)
    return Refusal(category=Category.UNCLASSIFIED, sub="write_back_refused", auto_retry=False, errors=(error,))
