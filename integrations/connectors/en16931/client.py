"""The tax authority over HTTP: ask whether a document is there, send a document once.

The target's name for a document is seller and invoice number as they stand in the content being sent, not the key of
the case: a correction may add the very VAT identifier that the first message lacked. A status never decides alone: an
outcome is definitive only when the body is one that the authority documents, since anything between us and it can
answer with a status of its own.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from integrations.answers import (
    MISCONFIGURED_STATUSES,
    answer,
    json_object,
    not_answered,
    observation,
    reference_of,
    text_of,
    turned_away,
)
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
from integrations.http import Exchange, Outcome, exchange
from integrations.refusals import Category, MessageNotUnderstood, Refusal, RefusalError, Severity
from integrations.target_lists import entries, entries_of, time_in

ReadRefusal = Callable[[bytes, bytes], Refusal]  # the content sent and the SVRL that came back
DocumentKey = Callable[[bytes], str]  # content → "<seller>|<invoice number>", as the authority identifies it

# Refusals of a body that is no document: the authority looked at nothing else.
_SCHEMA_CODES = frozenset({"NOT_XML", "DOCTYPE_FORBIDDEN", "NOT_AN_INVOICE", "NOT_CHECKABLE", "TOO_LARGE"})
# The authority documents that it answers these before it looks at the document.
THROTTLES = (
    Throttle(429, "TOO_MANY_REQUESTS", WaitIn.RETRY_AFTER),
    Throttle(403, "RATE_LIMITED", WaitIn.RATE_LIMIT_RESET),
    Throttle(400, "REQUEST_LIMIT_EXCEEDED", WaitIn.TEXT),
    Throttle(503, "DOWN", WaitIn.RETRY_AFTER),
)
_SIGNED_OUT = frozenset({"TOKEN_REFUSED", "TOKEN_EXPIRED"})


class TaxAuthorityClient:
    """Documents live at `<endpoint.url>/documents`. The authority deduplicates by Idempotency-Key."""

    def __init__(self, endpoint: Endpoint, *, read_refusal: ReadRefusal, document_key: DocumentKey) -> None:
        self._endpoint = endpoint
        self._read_refusal = read_refusal
        self._document_key = document_key
        self._documents = endpoint.url.rstrip("/") + "/documents"

    def probe(self, *, object_type: str, business_key: str, content: bytes) -> Observation:
        try:
            key = self._document_key(content)
        except MessageNotUnderstood as error:
            return Observation(Presence.UNANSWERED, detail=error.problem)
        asked = self._ask(key)
        presence, reference = _presence(asked, hashlib.sha256(content).hexdigest())
        told = json_object(asked)
        said, code = text_of(told, "detail"), text_of(told, "code")
        return observation(presence, asked, reference=reference, said=said, code=code, throttles=THROTTLES)

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
        headers = {**self._headers(), "Content-Type": media_type, "Idempotency-Key": key}
        timeout = self._endpoint.timeout
        sent = exchange("POST", self._documents, headers=headers, body=content, timeout=timeout)
        return not_answered(sent) or self._read(sent, content)

    def booked_between(self, since: datetime, until: datetime) -> Iterator[Listed]:
        found = entries(
            f"{self._documents}/booked",
            "documents",
            since=since,
            until=until,
            headers=self._headers(),
            timeout=self._endpoint.timeout,
        )
        return map(_listed, found)

    def booked_under(self, content: bytes) -> Sequence[Listed]:
        try:
            key = self._document_key(content)
        except MessageNotUnderstood as error:
            raise CannotList(error.problem) from error
        return [_listed(entry) for entry in entries_of(self._ask(key), "documents")]

    def is_same(self, listed: Listed, content: bytes) -> bool:
        return bool(listed.told.get("sha256") == hashlib.sha256(content).hexdigest())

    def _ask(self, key: str) -> Exchange:
        url = f"{self._documents}?{urlencode({'business_key': key})}"
        return exchange("GET", url, headers=self._headers(), timeout=self._endpoint.timeout)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._endpoint.token}", "Accept": "application/json, application/xml"}

    def _read(self, sent: Exchange, content: bytes) -> Answer:
        told = json_object(sent)
        code, detail = text_of(told, "code"), text_of(told, "detail")
        away = turned_away(sent, THROTTLES, code=code, text=detail, signed_out=_SIGNED_OUT)
        if away is not None:
            return away
        match sent.status:
            case 200 | 201 | 422 if sent.media_type == "application/xml":
                return self._read_report(sent, content)
            case 200 | 201:
                return _read_receipt(sent, told, hashlib.sha256(content).hexdigest())
            case 422 if code == "KEY_REUSED":
                return answer(
                    AnswerKind.MISCONFIGURED, sent, detail="The key of this sending was used for other content."
                )
            case 400 | 413 if code in _SCHEMA_CODES:
                return answer(AnswerKind.REFUSED, sent, refusal=_not_a_document(told))
            case 409 if code == "DUPLICATE_DOCUMENT":
                return answer(AnswerKind.ALREADY_EXISTS, sent, reference=reference_of(told, "clearance"))
            case status if status in MISCONFIGURED_STATUSES:
                return answer(AnswerKind.MISCONFIGURED, sent, detail=detail or f"HTTP {status}.")
            case status:
                return answer(AnswerKind.UNKNOWN, sent, detail=f"HTTP {status} with a body that means nothing to us.")

    def _read_report(self, sent: Exchange, content: bytes) -> Answer:
        try:
            refusal = self._read_refusal(content, sent.body)
        except MessageNotUnderstood as error:
            return answer(AnswerKind.UNKNOWN, sent, detail=f"The report cannot be read: {error.problem}")
        if not any(error.severity is Severity.ERROR for error in refusal.errors):
            return answer(AnswerKind.UNKNOWN, sent, detail="Refused with a report that holds no error.")
        return answer(AnswerKind.REFUSED, sent, refusal=refusal)


def _read_receipt(sent: Exchange, told: dict[str, Any], sha256: str) -> Answer:
    """Accepted counts only with a clearance number, and for the content that we sent."""
    reference = reference_of(told, "clearance")
    if not reference:
        return answer(AnswerKind.UNKNOWN, sent, detail="Accepted without a clearance number.")
    if told.get("sha256") != sha256:
        return answer(AnswerKind.UNKNOWN, sent, detail="The receipt is for other content than was sent.")
    return answer(AnswerKind.CONFIRMED, sent, reference=reference)


def _presence(asked: Exchange, sha256: str) -> tuple[Presence, str]:
    documents = json_object(asked).get("documents")
    if asked.outcome is not Outcome.ANSWERED or asked.status != 200 or not isinstance(documents, list):
        return Presence.UNANSWERED, ""
    if not documents:
        return Presence.ABSENT, ""
    if not all(isinstance(found, dict) and reference_of(found, "clearance") for found in documents):
        return Presence.UNANSWERED, ""
    same = [found for found in documents if found.get("sha256") == sha256]
    presence = Presence.SAME if same else Presence.DIFFERENT
    return presence, reference_of((same or documents)[0], "clearance")


def _listed(entry: dict[str, Any]) -> Listed:
    reference = reference_of(entry, "clearance")
    if not reference:
        raise CannotList("An entry of the authority's list has no clearance number.")
    return Listed(
        f"{text_of(entry, 'seller')}|{text_of(entry, 'number')}", reference, time_in(entry, "accepted_at"), entry
    )


def _not_a_document(told: dict[str, Any]) -> Refusal:
    text = text_of(told, "detail")
    error = RefusalError(code=text_of(told, "code"), severity=Severity.ERROR, text=text, plain=text)
    return Refusal(category=Category.SCHEMA, sub="not_a_document", auto_retry=False, errors=(error,))
