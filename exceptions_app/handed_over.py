"""Reading what a source handed over for delivery: recognised, checked, and sent on, held back or made to wait."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from exceptions_app.actions import handover, handover_hold, handover_release, predecessors
from exceptions_app.actions.handover_hold import THE_CHECK, finding, refusal_before_posting
from exceptions_app.actions.open_case import LONGEST_KEY, one_reader_at_a_time
from exceptions_app.facts import facts_of
from exceptions_app.handover_states import TransactionState
from exceptions_app.machines import INTAKE
from exceptions_app.models import Transaction
from exceptions_app.models.case import HELD_BY_FIELD_MAP
from exceptions_app.translation import errors_of, is_of_field_map, translate
from exceptions_app.triage.routing import find_route
from integrations import inbox
from integrations.connectors.registry import get_connector
from integrations.mapped_values import MappedValue
from integrations.models import InboxMessage
from integrations.promises import effective_capabilities, keeps_changes
from integrations.records.record import Record
from integrations.refusals import Category, MessageNotUnderstood, Refusal, RefusalError, bounded, problem_of


@dataclass(frozen=True, slots=True)
class Document:
    """What the target would get, and what stands against it. `check` names which check it was."""

    payload: bytes
    media_type: str
    object_type: str
    business_key: str
    record: Record
    check: str
    errors: tuple[RefusalError, ...]
    maps: tuple[str, ...]  # the versions of the field maps that made it
    values: tuple[MappedValue, ...]  # those that value mappings gave

    @property
    def evidence(self) -> dict[str, object]:
        """What it passed through, for the audit event of whatever follows."""
        passed: dict[str, object] = {"check": self.check, "field_maps": list(self.maps)}
        if self.values:
            passed["mapped_values"] = [dict(value.told) for value in self.values]
        return passed

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.payload).hexdigest()


def read(message: InboxMessage, *, at: datetime) -> Transaction:
    """Read one message that hands a transaction over. Raises MessageNotUnderstood."""
    transaction = handover.of_message(message, at=at)
    document = _document_of(message)
    one_reader_at_a_time(message.connection_id, [(document.object_type, document.business_key)])
    _identify(transaction, document)
    inbox.processed(message, at=at)  # before it goes on: for want of a route it may still fail
    _go_on(transaction, document, at=at)
    return transaction


def _document_of(message: InboxMessage) -> Document:
    connector = get_connector(message.connection.connector)
    translation = translate(message)
    payload, faults = translation.payload, errors_of(translation)
    try:
        business_key = connector.business_key(payload)
        report = connector.check(payload)
        object_type, record = connector.object_type(payload), connector.read(payload)
    except MessageNotUnderstood as error:
        raise _first_of(faults, error) from error
    if len(business_key) > LONGEST_KEY:
        raise MessageNotUnderstood(
            f"The name of the document is longer than {LONGEST_KEY} characters.",
            remedy="Send a document with the number that its source gave it.",
        )
    return Document(
        payload,
        translation.media_type,
        object_type,
        business_key,
        record,
        report.check,
        errors=(*faults, *(replace(error, said_by=THE_CHECK) for error in report.errors)),
        maps=tuple(str(used) for used in translation.maps),
        values=translation.mapped_values,
    )


def _first_of(faults: tuple[RefusalError, ...], error: MessageNotUnderstood) -> MessageNotUnderstood:
    """A document that a field map left unreadable is the fault of what could not be mapped."""
    if not faults:
        return error
    return MessageNotUnderstood(
        f"The field map of this connection made no readable document of it: {faults[0].plain}",
        remedy="Correct the field map or the source, then read the message again.",
    )


def _identify(transaction: Transaction, document: Document) -> None:
    """What it holds, known from now on, and whose it is: of the queue to which it would go if it failed."""
    facts = facts_of(document.record)
    route = find_route(document.record, transaction.connection, object_type=document.object_type, category="")
    identity: dict[str, Any] = {
        "object_type": document.object_type,
        "business_key": document.business_key,
        "content_sha256": document.sha256,
        "queue": route.queue if route is not None else None,
        "entity": route.entity if route is not None else None,
        "document_number": facts["document_number"],
        "amount": facts["amount"],
        "currency": facts["currency"],
    }
    handover.identify(transaction, **identity)


def _go_on(transaction: Transaction, document: Document, *, at: datetime) -> None:
    earlier = _earlier_of_its_name(transaction)
    same = next((one for one in earlier if one.content_sha256 == document.sha256), None)
    if same is not None and (same == earlier[-1] or not keeps_changes(transaction.connection)):
        handover.recognise(transaction, same, at=at)
        return
    if keeps_changes(transaction.connection):
        # Another change of the object waits for those before it; one that takes a later one back is for a person.
        earlier = [one for one in earlier if same is not None and one.pk > same.pk]
    refusal = _refusal_of(transaction, document, earlier)
    if refusal is not None:
        _hold(transaction, document, refusal, at=at)
    elif not _wait(transaction, document, at=at):
        handover.send(
            transaction,
            content=document.payload,
            media_type=document.media_type,
            evidence=document.evidence,
            by=INTAKE,
            at=at,
        )


def _earlier_of_its_name(transaction: Transaction) -> list[Transaction]:
    """Those that hold a document of the same name and are delivered, on their way or in somebody's care."""
    return list(
        Transaction.objects.select_related("case")
        .filter(
            connection=transaction.connection,
            object_type=transaction.object_type,
            business_key=transaction.business_key,
        )
        .exclude(pk=transaction.pk)
        .exclude(state__in=[TransactionState.DUPLICATE, TransactionState.CLOSED])
        .order_by("pk")
    )


def _refusal_of(transaction: Transaction, document: Document, earlier: list[Transaction]) -> Refusal | None:
    """Why a person must look at it before it is sent; None when nothing stands against it."""
    if earlier:
        first = earlier[0]
        known_as = f" as {first.reference}" if first.reference else ""
        known = f"it is {first.state_words}{known_as}"
        plain = f"{first.ref} was handed over before under the same number with other content; {known}."
        error = finding("HANDED_OVER", plain, general="A document of the same number was handed over before.")
        return refusal_before_posting(Category.DUPLICATE, error, *document.errors, sub="other_content")
    if document.errors:
        if is_of_field_map(document.errors[0]):
            return refusal_before_posting(Category.MASTER_DATA, *document.errors, sub=HELD_BY_FIELD_MAP)
        return refusal_before_posting(Category.SCHEMA, *document.errors)
    return handover_hold.in_care(transaction) or _of_a_silent_target(transaction)


def _of_a_silent_target(transaction: Transaction) -> Refusal | None:
    """A target that can never tell what it has booked is sent nothing by a machine alone."""
    if effective_capabilities(transaction.connection).can_be_asked:
        return None
    plain = "This target neither recognises a repeat nor can be asked, so a person decides on each sending."
    return refusal_before_posting(Category.POLICY_HOLD, finding("TARGET_NOT_ASKABLE", plain), sub="person_decides")


def _hold(transaction: Transaction, document: Document, refusal: Refusal, *, at: datetime) -> None:
    """Raises MessageNotUnderstood where no exception can be opened: nothing of this reading stays then, so that it may
    become another document once a field map is mended.
    """
    case = handover_hold.open_for(transaction, refusal, content=document.payload, media_type=document.media_type, at=at)
    problem = problem_of(bounded(refusal))
    handover.hold(transaction, case, problem=problem, by=INTAKE, at=at, evidence=document.evidence)


def _wait(transaction: Transaction, document: Document, *, at: datetime) -> bool:
    """Whether it has to wait for another one; then it is kept as it was checked."""
    wishes = predecessors.wishes_of(transaction.inbox_message)
    predecessors.remember(transaction, wishes)
    reason = handover_release.blocked_by(transaction)
    if not reason:
        return False
    handover.wait(
        transaction,
        content=document.payload,
        media_type=document.media_type,
        reason=reason,
        until=at + wishes.longest,
        evidence=document.evidence,
        at=at,
    )
    handover_release.release(transaction.pk, by=INTAKE, at=at)  # a predecessor may have ended without delivery already
    return True
