"""A disagreement with the target's own list: an alarm, an effect in the ledger, and an exception for people."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.contrib.auth.models import AbstractUser
from django.db import transaction as database_transaction

from audit import log as audit_log
from exceptions_app.actions import snoozing, twice_there
from exceptions_app.actions.handover_hold import finding
from exceptions_app.actions.mover import lock, move
from exceptions_app.actions.open_case import open_new
from exceptions_app.machines import WORKER, is_machine, machine
from exceptions_app.models import ExceptionCase, Occurrence, Transaction
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.policies import OTHER_CONTENT_THERE
from exceptions_app.states import Action, WakesOn
from integrations.comparing import Found, Kind, keep_finding, told_of
from integrations.connectors.registry import get_connector
from integrations.effects import effects_under, note_listed
from integrations.models import Comparison, ComparisonFinding, Delivery, InboxMessage
from integrations.refusals import Category, MessageNotUnderstood, Refusal, RefusalError, RefusedTransaction, bounded

log = logging.getLogger(__name__)

# What is wrong, without a name, amount or value of the document.
GENERAL: Final[Mapping[ComparisonFinding.Kind, str]] = {
    Kind.TWICE_THERE: twice_there.GENERAL,
    Kind.MISSING_THERE: "The target does not have this document any more, though it was proven.",
    Kind.OTHER_CONTENT: "The target has this document with other content than was sent.",
    Kind.NOT_CONFIRMED_HERE: "The target has this document, though it was refused or given up as far as we know.",
}
_REMEDY: Final[Mapping[ComparisonFinding.Kind, str]] = {
    Kind.MISSING_THERE: "Ask the people of the target whether it was reversed there.",
    Kind.OTHER_CONTENT: "Compare both, and have the wrong one reversed.",
    Kind.NOT_CONFIRMED_HERE: "Make sure that it is right as it stands there.",
}


def raise_finding(found: Found, comparison: Comparison, *, by: AbstractUser, at: datetime) -> ComparisonFinding:
    """Keep it with its evidence and put it before people; in the caller's transaction."""
    words = in_words(found)
    log.error("Comparison of %s: %s", comparison.connection, words)
    _note_effects(found, at=comparison.finished_at)
    case = _case_about(found, words, at=at)
    _record(found, case, words, by=by, at=at)
    return keep_finding(found, comparison, subject=case.subject if case is not None else "")


def in_words(found: Found) -> str:
    """`The target booked this document more than once: 1000001/2026 and 1000002/2026. …`"""
    if found.kind is Kind.TWICE_THERE:
        return twice_there.words_for(found.references)
    references = " and ".join(found.references)
    said = GENERAL[found.kind].removesuffix(".")
    if found.kind is Kind.MISSING_THERE and found.delivery.reference:
        said = f"{said} as {found.delivery.reference}"
    return f"{said}{f': {references}' if references else ''}. {_REMEDY[found.kind]}"


def _note_effects(found: Found, *, at: datetime) -> None:
    """What nobody had seen before, so that the report of the period names it."""
    known = set(effects_under(found.delivery).filter(is_ours=True).values_list("reference", flat=True))
    is_ours = found.kind is not Kind.OTHER_CONTENT
    for entry in found.entries:
        if entry.reference not in known:
            note_listed(found.delivery, reference=entry.reference, is_ours=is_ours, told=told_of(entry), at=at)


def _case_about(found: Found, words: str, *, at: datetime) -> ExceptionCase | None:
    """The open exception of the document, else a new one; None where nothing leads to a queue."""
    delivery = found.delivery
    same: ExceptionCaseQuerySet = ExceptionCase.objects.filter(
        connection=delivery.connection_id, object_type=delivery.object_type, business_key=delivery.business_key
    )
    current = same.open().first()
    if current is not None:
        return _flag(lock(current.pk), found, words, at=at)
    message = _message_behind(delivery)
    if message is None:
        return None
    try:
        with database_transaction.atomic():
            return open_new(message, _refused(found, words), follows=same.order_by("-id").first(), at=at, arrived_at=at)
    except MessageNotUnderstood as error:
        log.warning("No exception for delivery %s: %s", delivery.pk, error.problem)
        return None


def _sub_of(found: Found) -> str:
    """The sub-category by which the policies tell what stands at the target already."""
    return OTHER_CONTENT_THERE if found.kind is Kind.OTHER_CONTENT else found.kind.value


def _flag(case: ExceptionCase, found: Found, words: str, *, at: datetime) -> ExceptionCase:
    worker = machine(WORKER)
    move(
        case,
        Action.FLAG,
        by=worker,
        at=at,
        summary=f"{case.ref} ({case.document_number}): {words}",
        data={"finding": found.kind.value, "references": found.references, "delivery": found.delivery.pk},
        category=Category.RECONCILIATION_BREAK.value,
        sub=_sub_of(found),
        problem=words[:300],
    )
    snoozing.happened(case, WakesOn.ARRIVAL, by=worker, at=at)
    return case


def _message_behind(delivery: Delivery) -> InboxMessage | None:
    """The message with which the document of a delivery came in last."""
    handed_over = Transaction.objects.with_ref(delivery.subject.removeprefix("transaction:")).first()
    if handed_over is not None and delivery.subject == handed_over.subject:
        return handed_over.inbox_message
    cases: ExceptionCaseQuerySet = ExceptionCase.objects.with_ref(delivery.subject.removeprefix("case:"))
    arrival = Occurrence.objects.filter(case__in=cases).select_related("inbox_message__connection")
    last = arrival.order_by("-id").first()
    return last.inbox_message if last is not None else None


def _refused(found: Found, words: str) -> RefusedTransaction:
    delivery, content = found.delivery, bytes(found.delivery.content.body)
    error: RefusalError = finding(found.kind.upper(), words, general=GENERAL[found.kind])
    refusal = Refusal(
        category=Category.RECONCILIATION_BREAK,
        sub=_sub_of(found),
        auto_retry=False,
        errors=(error,),
        definitive=False,
    )
    return RefusedTransaction(
        object_type=delivery.object_type,
        business_key=delivery.business_key,
        refusal=bounded(refusal),
        record=get_connector(delivery.connection.connector).read(content),
        payload=content,
        media_type=delivery.content.media_type,
    )


def _record(found: Found, case: ExceptionCase | None, words: str, *, by: AbstractUser, at: datetime) -> None:
    delivery = found.delivery
    audit_log.record(
        "comparison.disagreement_found",
        subject=f"connection:{delivery.connection.slug}",
        scope=f"connection/{delivery.connection.slug}",
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=words,
        data={
            "finding": found.kind.value,
            "references": found.references,
            "delivery": delivery.pk,
            "content_sha256": delivery.content_sha256,
            "exception": case.ref if case is not None else "",
        },
        correlation_id=delivery.correlation_id,
    )
