"""The ERP over HTTP: ask whether a posting is there, send a posting once.

A status never decides alone: an outcome is definitive only when the body is one that the ERP documents, since anything
between us and it can answer with a status of its own. What people approved, who saw the warnings, the ERP is asked to
book in spite of them (`Prefer: handling=lenient`, RFC 7240 §4.4); what nobody saw is to be refused for a warning alone.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from integrations.answers import MISCONFIGURED_STATUSES, answer, not_answered, observation, turned_away
from integrations.connectors.base import (
    Answer,
    AnswerKind,
    CannotList,
    Endpoint,
    Listed,
    Observation,
    Presence,
    Throttle,
    WaitIn,
)
from integrations.connectors.erp.codes import meaning_of
from integrations.connectors.erp.document import Posting, posts_the_same, read_posting
from integrations.connectors.erp.listed import LIST, is_same, listed, reference_in
from integrations.connectors.erp.messages import ErrorBody, read_error
from integrations.connectors.erp.parse import read_refusal
from integrations.http import Exchange, Outcome, exchange
from integrations.refusals import Category, MessageNotUnderstood, RefusalError
from integrations.safe_json import UnsafeJson, loads
from integrations.target_lists import entries, entries_of

# The ERP documents that it answers these before it looks at the posting.
THROTTLES: Final = (
    Throttle(429, "TOO_MANY_REQUESTS", WaitIn.RETRY_AFTER),
    Throttle(403, "RATE_LIMITED", WaitIn.RATE_LIMIT_RESET),
    Throttle(400, "REQUEST_LIMIT_EXCEEDED", WaitIn.TEXT),
    Throttle(503, "DOWN", WaitIn.RETRY_AFTER),
)
SIGNED_OUT: Final = frozenset({"TOKEN_REFUSED", "TOKEN_EXPIRED"})
_KEY_REUSED: Final = "KEY_REUSED"
_REFUSED: Final = frozenset({400, 409, 412, 422, 423})


class ErpClient:
    """Postings live at `<endpoint.url>/postings`. The ERP deduplicates by Idempotency-Key."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._postings = endpoint.url.rstrip("/") + "/postings"

    def probe(self, *, object_type: str, business_key: str, content: bytes) -> Observation:
        try:
            posting = read_posting(content)
        except MessageNotUnderstood as error:
            return Observation(Presence.UNANSWERED, detail=error.problem)
        if not posting.number:
            return Observation(Presence.UNANSWERED, detail="The posting has no reference to ask for.")
        asked = self._ask(posting)
        presence, reference, detail = _presence(asked, posting)
        code, said = head_of(error_in(asked))
        return observation(
            presence, asked, reference=reference, detail=detail, said=said, code=code, throttles=THROTTLES
        )

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
        headers = {
            **self._headers(),
            "Content-Type": media_type,
            "Idempotency-Key": key,
            "Prefer": f"handling={'lenient' if despite_warnings else 'strict'}",
        }
        sent = exchange("POST", self._postings, headers=headers, body=content, timeout=self._endpoint.timeout)
        return not_answered(sent) or _read(sent, content)

    def booked_between(self, since: datetime, until: datetime) -> Iterator[Listed]:
        found = entries(
            f"{self._postings}/booked",
            LIST,
            since=since,
            until=until,
            headers=self._headers(),
            timeout=self._endpoint.timeout,
            read=json_of,
        )
        return map(listed, found)

    def booked_under(self, content: bytes) -> Sequence[Listed]:
        try:
            posting = read_posting(content)
        except MessageNotUnderstood as error:
            raise CannotList(error.problem) from error
        return [listed(entry) for entry in entries_of(self._ask(posting), LIST, read=json_of)]

    def is_same(self, listed: Listed, content: bytes) -> bool:
        return is_same(listed, content)

    def _ask(self, posting: Posting) -> Exchange:
        asked_for = {"company": posting.text("company"), "type": posting.layout.object_type}
        query = urlencode({**asked_for, "reference": posting.number})
        return exchange("GET", f"{self._postings}?{query}", headers=self._headers(), timeout=self._endpoint.timeout)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._endpoint.token}", "Accept": "application/json"}


def _read(sent: Exchange, content: bytes) -> Answer:
    error = error_in(sent)
    code, text = head_of(error)
    away = turned_away(sent, THROTTLES, code=code, text=text, signed_out=SIGNED_OUT)
    if away is not None:
        return away
    match sent.status:
        case 200 | 201 if error is not None:
            return _error_in_success(sent, error, content)
        case 200 | 201:
            reference = reference_in(json_of(sent))
            if not reference:
                return answer(AnswerKind.UNKNOWN, sent, detail="Accepted without a document number.")
            return answer(AnswerKind.CONFIRMED, sent, reference=reference)
        case 422 if code == _KEY_REUSED:
            return answer(AnswerKind.MISCONFIGURED, sent, detail="The key of this sending was used for other content.")
        case status if status in _REFUSED and error is not None:
            return _read_refusal(sent, content)
        case status if status in MISCONFIGURED_STATUSES:
            return answer(AnswerKind.MISCONFIGURED, sent, detail=text or f"HTTP {status}.")
        case status:
            return answer(AnswerKind.UNKNOWN, sent, detail=f"HTTP {status} with a body that means nothing to us.")


def _error_in_success(sent: Exchange, error: ErrorBody, content: bytes) -> Answer:
    """What gateways answer that cannot change the status any more: a refusal, when all of it is in words of the ERP's
    that we know and no document is named. Else nobody knows.
    """
    known = all(meaning_of(message.code) is not None for message in error.messages)
    if not known or reference_in(json_of(sent)):
        return answer(AnswerKind.UNKNOWN, sent, detail=f"Answered with success and an error: {error.messages[0].text}")
    return _read_refusal(sent, content)


def _read_refusal(sent: Exchange, content: bytes) -> Answer:
    """A duplicate is no refusal of what it says: it is looked up, and the same content is done already."""
    try:
        refusal = read_refusal(payload=content, body=sent.body, status=sent.status)
    except MessageNotUnderstood as error:
        return answer(AnswerKind.UNKNOWN, sent, detail=f"The answer cannot be read: {error.problem}")
    if refusal.category is Category.DUPLICATE:
        return answer(AnswerKind.ALREADY_EXISTS, sent, detail=_first_text(refusal.errors))
    return answer(AnswerKind.REFUSED, sent, refusal=refusal)


def _first_text(errors: tuple[RefusalError, ...]) -> str:
    return errors[0].text if errors else ""


def json_of(exchanged: Exchange) -> dict[str, Any]:
    """The body as a JSON object with exact numbers; empty when it is anything else."""
    if exchanged.media_type != "application/json":
        return {}
    try:
        content = loads(exchanged.body)
    except UnsafeJson:
        return {}
    return content if isinstance(content, dict) else {}


def head_of(error: ErrorBody | None) -> tuple[str, str]:
    """The code and the text that stand first; empty without an error."""
    return (error.messages[0].code, error.messages[0].text) if error else ("", "")


def error_in(sent: Exchange) -> ErrorBody | None:
    """The ERP's own error body, whatever the status; None when there is none."""
    try:
        return read_error(sent.body) if sent.media_type == "application/json" else None
    except MessageNotUnderstood:
        return None


def _presence(asked: Exchange, posting: Posting) -> tuple[Presence, str, str]:
    found = json_of(asked).get("postings")
    if asked.outcome is not Outcome.ANSWERED or asked.status != 200 or not isinstance(found, list):
        return Presence.UNANSWERED, "", ""
    if not found:
        return Presence.ABSENT, "", ""
    if not all(isinstance(row, dict) and reference_in(row) and isinstance(row.get("posting"), dict) for row in found):
        return Presence.UNANSWERED, "", "The ERP's answer lacks a document number or the posting itself."
    same = [row for row in found if posts_the_same(posting, row["posting"])]
    numbers = ", ".join(reference_in(row) for row in found[:10])
    detail = f"The ERP has {len(found)} postings with this reference: {numbers}." if len(found) > 1 else ""
    return (Presence.SAME if same else Presence.DIFFERENT), reference_in((same or found)[0]), detail
