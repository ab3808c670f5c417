"""What came of a replay: delivery and exception are settled together, in one transaction."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from audit.canonical import canonical_bytes
from exceptions_app.actions import (
    batch_outcome,
    connections,
    handover_settle,
    proposal_ends,
    resolving,
    twice_there,
)
from exceptions_app.actions.mover import lock, move, record
from exceptions_app.actions.permission import NotApproved, content_of, refuse_other_document
from exceptions_app.actions.propose import frozen_hash
from exceptions_app.actions.stray import note_stray
from exceptions_app.machines import WORKER, machine
from exceptions_app.models import Decision, ExceptionCase, PayloadVersion, Proposal
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.queries.connections import UNTOLD_AFTER
from exceptions_app.states import SENDING_KINDS, Action, Kind, Outcome, State
from exceptions_app.unmapped_values import remember_unmapped
from integrations import delivery as engine
from integrations.crash_points import Point, passing
from integrations.effects import booked_again
from integrations.models import Delivery, DeliveryAnswer
from integrations.refusals import Refusal, RefusalError

ERRORS_IN_THE_TRAIL = 128 * 1024  # bytes, of the 256 KiB that an audit event may have
_IN_FLIGHT = (State.REPLAYING, State.OUTCOME_UNKNOWN)


def require_approval(delivery: Delivery) -> None:
    """Before a byte leaves: the approved decision for exactly this must stand, whoever wrote the row.

    A row of the outbox is no permission. These bytes, under the key that follows from them, to the target as it was
    when it was approved, for an exception that is being replayed; else NotApproved. What was handed over for delivery
    is sent under a named policy instead.
    """
    content = content_of(delivery)
    if handover_settle.is_about(delivery):
        handover_settle.require_policy(delivery, content)
        return
    case = _find_case(delivery)
    if case is None:
        raise NotApproved(f"Delivery {delivery.pk} belongs to no exception.")
    if delivery.operation == Delivery.Operation.WRITE_BACK:
        return
    refuse_other_document(delivery, content, object_type=case.object_type)
    if case.state not in _IN_FLIGHT or not _is_decided(delivery, case):
        raise NotApproved("There is no approved decision for this content and for the target as it is now.")


def _is_decided(delivery: Delivery, case: ExceptionCase) -> bool:
    decisions = Decision.objects.select_related("proposal").filter(
        verdict=Decision.Verdict.APPROVED,
        proposal__case=case,
        proposal__state=Proposal.State.APPROVED,
        proposal__kind__in=SENDING_KINDS,
        proposal__content_sha256=delivery.content_sha256,
        proposal__target=delivery.connection,
    )
    return any(decision.frozen_sha256 == _frozen_now(decision.proposal, delivery) for decision in decisions)


def _frozen_now(proposal: Proposal, delivery: Delivery) -> str:
    """The hash with the target's address as it is now: an approval for another place does not hold here."""
    return frozen_hash(
        content_sha256=delivery.content_sha256,
        target=delivery.connection,
        kind=proposal.kind,
        outcome=proposal.outcome,
        policy_version=proposal.policy_version,
    )


@transaction.atomic
def settle(settlement: engine.Settlement, *, at: datetime) -> bool:
    """Write what came of a claim, to the delivery and to what it is for. False when another worker was faster."""
    if handover_settle.is_about(settlement.delivery):
        return handover_settle.settle(settlement, at=at)
    found = _find_case(settlement.delivery)
    case = lock(found.pk) if found is not None else None
    passing(Point.END_LOCKED)
    delivery = engine.settle(settlement)
    if delivery is None:
        return False
    passing(Point.END_WRITTEN)
    if case is None:
        note_stray(delivery, at=at)
        return True
    if settlement.pause_connection:
        _pause(case, settlement.pause_connection, at=at)
    if delivery.operation == Delivery.Operation.WRITE_BACK:
        _note_write_back(case, delivery, at=at)
    else:
        _move_case(case, delivery, settlement, at=at)
        batch_outcome.note_end(case, delivery, settlement, at=at)
    passing(Point.EXCEPTION_MOVED)
    return True


def _find_case(delivery: Delivery) -> ExceptionCase | None:
    """The exception it is for; None for a row that no action of ours wrote."""
    ref = delivery.subject.removeprefix("case:")
    cases: ExceptionCaseQuerySet = ExceptionCase.objects.with_ref(ref)
    return cases.first()


def _move_case(case: ExceptionCase, delivery: Delivery, settlement: engine.Settlement, *, at: datetime) -> None:
    worker = machine(WORKER)
    data = {
        "delivery": delivery.pk,
        "state": delivery.state,
        "idempotency_key": delivery.key,
        "sends": delivery.sends,
        "content_sha256": delivery.content_sha256,
        "reference": delivery.reference,
        "detail": delivery.detail,
        "sent_in": settlement.sent_in,
    }
    if not delivery.is_live:
        proposal_ends.overtake_statement(case, at=at)
    if delivery.state in Delivery.BOOKED:
        _resolve(case, delivery, data, at=at)
    elif delivery.state == Delivery.State.UNKNOWN and case.state == State.REPLAYING:
        move(
            case,
            Action.SEND_LOST_SIGHT,
            by=worker,
            at=at,
            data=data,
            summary=f"It is not known whether the target booked {case.ref}; it is asked. {delivery.detail}".strip(),
        )
    elif delivery.state == Delivery.State.REFUSED:
        proposal_ends.spend(case, at=at, because="The target refused it.")
        data |= _errors(delivery, settlement.refusal)
        remember_unmapped(case, settlement.refusal.errors if settlement.refusal else (), at=at)
        move(
            case,
            Action.SEND_REFUSED,
            by=worker,
            at=at,
            data=data,
            problem=f"Refused by the target: {_first(settlement)}"[:300],
            summary=_refused(case, delivery, settlement, data),
        )
    elif delivery.state == Delivery.State.CONFLICT:
        _note_conflict(case, delivery, data, at=at)
    elif delivery.state == Delivery.State.CANCELLED:
        _stop(case, delivery, data, at=at)
    elif settlement.parked:
        summary = f"Sending of {case.ref} broke off: {delivery.detail}"
        record(case, "case.sending_stopped", by=worker, at=at, data=data, summary=summary)
    if settlement.given_up and delivery.is_live:
        summary = f"What became of {case.ref} is left to a person. {delivery.detail}"
        record(case, "case.left_to_a_person", by=worker, at=at, data=data, summary=summary)


def _note_conflict(case: ExceptionCase, delivery: Delivery, data: dict[str, object], *, at: datetime) -> None:
    """Other content stands there, or the target booked under one name what it had confirmed before."""
    references = booked_again(delivery)
    changes: dict[str, Any] = {"reference": delivery.reference}
    if references:
        because = twice_there.words_for(references)
        summary = f"{case.ref} ({case.document_number}): {because} {delivery.detail}"
        changes |= twice_there.changes(because)
        data |= {"references": references}
    else:
        because = "The target has this document with other content."
        named = f" ({delivery.reference})" if delivery.reference else ""
        words = f"The target has {case.document_number} already, but not with this content{named}."
        summary = f"{words} {delivery.detail}".strip()
    proposal_ends.spend(case, at=at, because=because)
    move(case, Action.SEND_CONFLICTED, by=machine(WORKER), at=at, data=data, summary=summary, **changes)


def stop_unsent(case: ExceptionCase, delivery: Delivery, *, because: str, at: datetime) -> None:
    """Give a delivery back to a person that no worker has taken up. Case and row are locked by the caller."""
    engine.give_back(delivery, because=because)
    _stop(case, delivery, {"delivery": delivery.pk, "state": str(delivery.state), "detail": because}, at=at)


def _stop(case: ExceptionCase, delivery: Delivery, data: dict[str, object], *, at: datetime) -> None:
    """A delivery that was given up is noted; when it was all that was under way, the exception is worked again."""
    happened = f"Sending of {case.ref} was stopped" if delivery.sends else f"Nothing was sent for {case.ref}"
    summary = f"{happened}: {delivery.detail}"
    under_way = Delivery.objects.filter(subject=case.subject, operation__in=Delivery.BOOKING, state__in=Delivery.LIVE)
    if case.state in _IN_FLIGHT and not under_way.exists():
        proposal_ends.spend(case, at=at, because="What it was given for is not what was to be sent.")
        move(case, Action.SEND_STOPPED, by=machine(WORKER), at=at, data=data, summary=summary)
    else:
        record(case, "case.sending_stopped", by=machine(WORKER), at=at, data=data, summary=summary)


def _resolve(case: ExceptionCase, delivery: Delivery, data: dict[str, object], *, at: datetime) -> None:
    worker = machine(WORKER)
    if delivery.operation == Delivery.Operation.REVERSE:
        outcome, words = Outcome.REVERSED, "The target booked the reversing entry"
    elif delivery.state == Delivery.State.ALREADY_THERE:
        outcome, words = Outcome.ALREADY_THERE, "The target had it already, with the same content"
    elif case.kind == Kind.HELD:
        outcome, words = Outcome.RELEASED, "The target accepted the release"
    else:
        outcome, words = Outcome.REPLAYED, "The target accepted the replay"
    move(
        case,
        Action.RESOLVE,
        by=worker,
        at=at,
        data=data | {"outcome": outcome.value},
        summary=f"{words}: {delivery.reference}.",
        outcome=outcome.value,
        closed_at=at,
        reference=delivery.reference,
    )
    resolving.follow_up(case, by=worker, at=at)


def _errors(delivery: Delivery, refusal: Refusal | None) -> dict[str, object]:
    """What the audit event says about the errors: those that fit, how many there are, and the hash of the answer.

    The answer is stored with its attempt, so that all of them can be read and proved.
    """
    told: list[dict[str, str]] = []
    room = ERRORS_IN_THE_TRAIL
    errors = refusal.errors if refusal else ()
    for error in errors:
        told_of = _error(error)
        room -= len(canonical_bytes(told_of))
        if room < 0:
            break
        told.append(told_of)
    answer = DeliveryAnswer.objects.filter(attempt__delivery=delivery).order_by("-pk").first()
    answer_sha256 = hashlib.sha256(bytes(answer.body)).hexdigest() if answer else ""
    return {"errors": told, "errors_total": len(errors), "answer_sha256": answer_sha256}


def _error(error: RefusalError) -> dict[str, str]:
    return {
        "code": error.code,
        "severity": str(error.severity),
        "text": error.text,
        "plain": error.plain,
        "field": error.field,
        "term": error.term,
        "field_path": error.field_path,
    }


def _refused(case: ExceptionCase, delivery: Delivery, settlement: engine.Settlement, data: Mapping[str, Any]) -> str:
    words = f"The target refused version {_version_number(case, delivery)} of {case.ref}: {_first(settlement)}"
    told, total = len(data["errors"]), data["errors_total"]
    return words if told == total else f"{words} The first {told} of {total} errors are listed; its answer has all."


def _first(settlement: engine.Settlement) -> str:
    if settlement.refusal and settlement.refusal.errors:
        return settlement.refusal.errors[0].plain or settlement.refusal.errors[0].text
    return settlement.detail or "no reason given"


def _version_number(case: ExceptionCase, delivery: Delivery) -> int:
    version = PayloadVersion.objects.filter(case=case, sha256=delivery.content_sha256).order_by("-number").first()
    return version.number if version else 0


def _pause(case: ExceptionCase, reason: str, *, at: datetime) -> None:
    connections.pause(case.connection_id, by=machine(WORKER), at=at, because=reason)


def _note_write_back(case: ExceptionCase, delivery: Delivery, *, at: datetime) -> None:
    if delivery.is_live:
        # The row is tried for ever, and counts up by one each time: so this is said once.
        if delivery.failures == UNTOLD_AFTER:
            _note_untold(case, delivery, at=at)
        return
    told = delivery.state in Delivery.BOOKED
    words = "The source was told" if told else f"The source refused the message: {delivery.detail}"
    record(
        case,
        "case.source_told" if told else "case.source_not_told",
        by=machine(WORKER),
        at=at,
        summary=f"{words} ({case.ref}).",
        data={"delivery": delivery.pk, "event": delivery.object_type},
    )


def _note_untold(case: ExceptionCase, delivery: Delivery, *, at: datetime) -> None:
    record(
        case,
        "case.source_not_told",
        by=machine(WORKER),
        at=at,
        summary=f"The source was not told yet, after {delivery.failures} tries: {delivery.detail} ({case.ref}).",
        data={"delivery": delivery.pk, "event": delivery.object_type, "tries": delivery.failures},
    )
