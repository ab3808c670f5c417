"""A refused or held posting with what the ERP said about it, as one refusal."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from integrations.connectors.base import IncomingMessage
from integrations.connectors.erp.codes import Meaning, meaning_of
from integrations.connectors.erp.document import Posting, business_key_of, read_posting
from integrations.connectors.erp.mapped import unmapped_in
from integrations.connectors.erp.messages import SEND_ERROR, Message, read_error
from integrations.connectors.erp.read import record_of
from integrations.connectors.json_document.pointers import pointer_to
from integrations.records.journal import JournalRecord
from integrations.records.record import Record
from integrations.refusals import (
    Category,
    MessageNotUnderstood,
    Money,
    Refusal,
    RefusalError,
    RefusedTransaction,
    Severity,
    TransactionKind,
)

JSON_MEDIA_TYPE: Final = "application/json"

_TRANSPORT_SUBS: Final = {401: "auth", 403: "auth", 408: "timeout", 423: "locked", 429: "rate_limit", 504: "timeout"}
_TRANSPORT_WORDS: Final = {
    "auth": "The ERP refused our sign-in.",
    "locked": "Somebody is working on a record that this posting needs.",
    "rate_limit": "The ERP asked us to slow down.",
    "timeout": "The ERP did not answer in time. It may have booked the posting.",
    "server_error": "The ERP had a fault. It may have booked the posting.",
}
# What says for certain that nothing was booked; after a fault or a time-out nobody knows.
_CERTAIN: Final = frozenset({"auth", "locked", "rate_limit"})


def parse(message: IncomingMessage) -> list[RefusedTransaction]:
    """One posting with one answer makes one refused transaction; raises MessageNotUnderstood."""
    posting = read_posting(message.payload)
    record = record_of(posting)
    return [
        RefusedTransaction(
            object_type=posting.layout.object_type,
            business_key=business_key_of(posting, message.payload),
            refusal=refusal_of(posting, record, body=message.refusal, status=message.refusal_status),
            record=record,
            payload=message.payload,
            media_type=message.payload_media_type or JSON_MEDIA_TYPE,
            context={**message.context, **_context(posting, record)},
        )
    ]


def read_refusal(*, payload: bytes, body: bytes, status: int | None) -> Refusal:
    """What an answer to `payload` says, for a client that has just sent it; raises MessageNotUnderstood."""
    posting = read_posting(payload)
    return refusal_of(posting, record_of(posting), body=body, status=status)


def refusal_of(posting: Posting, record: Record, *, body: bytes, status: int | None) -> Refusal:
    """The refusal in an answer: the ERP's error body, or nothing but an HTTP status."""
    shared: dict[str, Any] = {"keys": _keys(posting), "money": _money(record)}
    try:
        error = read_error(body)
    except MessageNotUnderstood as problem:
        if is_transport(status):
            return transport_refusal(status or 0, shared)
        if not body.strip():
            raise MessageNotUnderstood("The refusal is empty.", field="refusal", remedy=SEND_ERROR) from None
        raise problem from None
    if error.transaction_id:
        shared["keys"] = {**shared["keys"], "transaction_id": error.transaction_id}
    meanings = [meaning_of(message.code) for message in error.messages]
    if is_transport(status) and not any(meanings):
        return transport_refusal(status or 0, shared, error.messages)
    errors = tuple(_error_of(posting, found, of) for found, of in zip(error.messages, meanings, strict=True))
    return classified(errors, meanings, shared)


def classified(
    errors: tuple[RefusalError, ...], meanings: Sequence[Meaning | None], shared: Mapping[str, Any]
) -> Refusal:
    """The category of the gravest: a duplicate first, then what is known, in the ERP's own order."""
    grave = [found for found, error in zip(meanings, errors, strict=True) if error.severity is Severity.ERROR]
    if not grave:
        return Refusal(
            Category.POLICY_HOLD,
            "warning",
            auto_retry=False,
            errors=errors,
            kind=TransactionKind.HELD,
            **shared,
        )
    known = sorted(
        (found for found in grave if found), key=lambda found: (found.category is not Category.DUPLICATE, found.generic)
    )
    if not known:
        return Refusal(Category.UNCLASSIFIED, "", auto_retry=False, errors=errors, **shared)
    # A warning has to be seen by a person, so that a posting with one does not go again by itself.
    again = all(found is not None and found.auto_retry for found in meanings)
    return Refusal(known[0].category, known[0].sub, auto_retry=again, errors=errors, **shared)


def _error_of(posting: Posting, message: Message, meaning: Meaning | None) -> RefusalError:
    steps = posting.steps_to(message.place) or _meant(posting, meaning)
    term = posting.term_at(steps)
    if term is None and meaning is not None and len(steps) == 2:  # the ERP names the line, the code the field on it
        term = posting.layout.line.get(meaning.field)
        steps = (*steps, term.name) if term else steps
    text = message.text or message.code
    return RefusalError(
        code=message.code,
        severity=message.severity,
        text=text,
        plain=meaning.plain if meaning else text,
        path=message.place,
        field_path=pointer_to(*steps) if steps else "",
        field=term.label if term else "",
        language=message.language,
        unmapped=unmapped_in(posting, steps, meaning.sub) if meaning else None,
    )


def _meant(posting: Posting, meaning: Meaning | None) -> tuple[str, ...]:
    """The field of the head that a code is about by itself; on which line it is only the ERP can say."""
    if meaning is None or not meaning.field:
        return ()
    name = posting.layout.number if meaning.field == "number" else meaning.field
    return (name,) if name in posting.layout.head else ()


def is_transport(status: int | None) -> bool:
    return status is not None and (status in _TRANSPORT_SUBS or status >= 500)


def transport_refusal(status: int, shared: Mapping[str, Any], messages: Sequence[Message] = ()) -> Refusal:
    """The way there failed, not the posting."""
    sub = _TRANSPORT_SUBS.get(status, "server_error")
    told = messages or (Message(f"HTTP {status}", f"HTTP status {status} without a reason."),)
    errors = tuple(
        RefusalError(found.code, Severity.ERROR, found.text, plain=_TRANSPORT_WORDS[sub], language=found.language)
        for found in told
    )
    certain = sub in _CERTAIN
    return Refusal(Category.TRANSPORT, sub, auto_retry=sub != "auth", errors=errors, definitive=certain, **shared)


def _keys(posting: Posting) -> dict[str, str]:
    names = ("company", posting.layout.number, "customer")
    return {name: text for name in names if (text := posting.text(name))}


def _money(record: Record) -> Money | None:
    headline = record.headline
    has_currency = len(headline.currency) == 3 and headline.currency.isascii() and headline.currency.isupper()
    return Money(headline.amount, headline.currency) if headline.amount is not None and has_currency else None


def _context(posting: Posting, record: Record) -> dict[str, str]:
    """What a person wants to know about the posting before opening it, as plain text."""
    values = {term.name: posting.text(term.name) for term in posting.layout.head.values()}
    values["lines"] = str(len(posting.lines))
    if isinstance(record, JournalRecord):
        totals = {"total_debit": record.total_debit, "total_credit": record.total_credit}
        values |= {name: f"{amount:f}" for name, amount in totals.items() if amount is not None}
    return {name: text for name, text in values.items() if text}
