"""Standard Webhooks: what we tell a source is signed.

https://github.com/standard-webhooks/standard-webhooks: HMAC-SHA256 over `id.timestamp.body`. The identifier stays the
same for every attempt, so a receiver recognises a repeat; the timestamp is that of the attempt.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from standardwebhooks.webhooks import Webhook

from integrations.answers import MISCONFIGURED_STATUSES, answer, json_object, not_answered, text_of
from integrations.connectors.base import Answer, AnswerKind, Capabilities, Endpoint, Observation, Presence, TargetKind
from integrations.http import Exchange, exchange
from integrations.refusals import Category, Refusal, RefusalError, Severity

_PREFIX = "whsec_"
_SECRET_BYTES = range(24, 65)
_REFUSED_STATUSES = frozenset({400, 402, 406, 411, 412, 413, 414, 415, 422})

CAPABILITIES = Capabilities(
    target_kind=TargetKind.DEDUPLICATES,
    looked_up_by="",
    settle_time=timedelta(0),
    key_life=timedelta(days=30),
    checks_natively=False,
    check_name="",
    already_exists_looks_like="A repeated webhook-id is answered with success",
    throttles_by="429 with Retry-After",
)


class WebhookSecretInvalid(ValueError):
    pass


def sign(secret: str, *, message_id: str, timestamp: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a webhook. Raises WebhookSecretInvalid; UnicodeDecodeError for a body that is not UTF-8."""
    at = timestamp.astimezone(UTC)
    signature = _webhook(secret).sign(msg_id=message_id, timestamp=at, data=body.decode())
    return {"webhook-id": message_id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


def _webhook(secret: str) -> Webhook:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX) + "==", validate=False)
    except ValueError:
        key = b""
    if not secret.startswith(_PREFIX) or len(key) not in _SECRET_BYTES:
        raise WebhookSecretInvalid("A webhook secret is whsec_ followed by 24 to 64 bytes in base64.")
    return Webhook(key)


@dataclass(frozen=True, slots=True)
class WebhookClient:
    """Tells a source how a transaction ended. The endpoint's token is the secret to sign with."""

    endpoint: Endpoint

    def probe(self, *, object_type: str, business_key: str, content: bytes) -> Observation:
        """A receiver cannot be asked; it recognises a repeat by its webhook-id."""
        return Observation(Presence.UNANSWERED, detail="A webhook's receiver cannot be asked.")

    def submit(self, *, key: str, object_type: str, business_key: str, content: bytes, media_type: str) -> Answer:
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
