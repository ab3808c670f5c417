"""What came of a replay: delivery and exception are settled together, in one transaction."""

import hashlib
from datetime import datetime

from django.db import transaction

from exceptions_app.actions import connections
from exceptions_app.actions.mover import lock, move, record
from exceptions_app.actions.telling import tell_source
from exceptions_app.facts import fold
from exceptions_app.machines import WORKER, machine
from exceptions_app.models import Decision, ExceptionCase, Identifier, PayloadVersion, Proposal
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.states import Action, Kind, Outcome, State
from integrations import delivery as engine
from integrations.models import Delivery
from integrations.refusals import Refusal


class NotApproved(Exception):
    """A delivery of a document without an approved decision for these very bytes: it is never sent."""


def require_approval(delivery: Delivery) -> None:
    """Before a byte leaves: the approved decision for exactly this content must stand, whoever wrote the row."""
    if delivery.operation != Delivery.Operation.SUBMIT:
        return
    if hashlib.sha256(bytes(delivery.content.body)).hexdigest() != delivery.content_sha256:
        raise NotApproved(f"The content of delivery {delivery.pk} is not what was approved.")
    case = _case_of(delivery)
    if not Decision.objects.filter(
        verdict=Decision.Verdict.APPROVED,
        proposal__case=case,
        proposal__state=Proposal.State.APPROVED,
        proposal__content_sha256=delivery.content_sha256,
        proposal__target=delivery.connection,
    ).exists():
        raise NotApproved(f"Delivery {delivery.pk} has no approved decision for its content.")


@transaction.atomic
def settle(settlement: engine.Settlement, *, at: datetime) -> bool:
    """Write what came of a claim, to the delivery and to its exception. False when another worker was faster."""
    case = lock(_case_of(settlement.delivery).pk)
    delivery = engine.settle(settlement)
    if delivery is None:
        return False
    if settlement.pause_connection:
        _pause(case, settlement.pause_connection, at=at)
    if delivery.operation == Delivery.Operation.WRITE_BACK:
        _note_write_back(case, delivery, at=at)
    else:
        _move_case(case, delivery, settlement, at=at)
    return True


def _case_of(delivery: Delivery) -> ExceptionCase:
    ref = delivery.subject.removeprefix("case:")
    cases: ExceptionCaseQuerySet = ExceptionCase.objects.with_ref(ref)
    return cases.get()


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
    }
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
        _spend_decision(case, at=at, because="The target refused it.")
        move(
            case,
            Action.SEND_REFUSED,
            by=worker,
            at=at,
            data=data | {"errors": _errors(settlement.refusal)},
            summary=f"The target refused version {_version_number(case, delivery)} of {case.ref}: {_first(settlement)}",
        )
    elif delivery.state == Delivery.State.CONFLICT:
        _spend_decision(case, at=at, because="The target has this document with other content.")
        move(
            case,
            Action.SEND_CONFLICTED,
            by=worker,
            at=at,
            data=data,
            reference=delivery.reference,
            summary=f"The target has {case.document_number} already, with other content ({delivery.reference}).",
        )


def _resolve(case: ExceptionCase, delivery: Delivery, data: dict[str, object], *, at: datetime) -> None:
    worker = machine(WORKER)
    if delivery.state == Delivery.State.ALREADY_THERE:
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
    if delivery.reference:
        Identifier.objects.get_or_create(
            case=case,
            label="Acceptance reference",
            folded=fold(delivery.reference),
            defaults={"value": delivery.reference},
        )
    tell_source(case, "resolved", by=worker, at=at)


def _spend_decision(case: ExceptionCase, *, at: datetime, because: str) -> None:
    """An approval is for one attempt at these bytes; the next one is decided anew."""
    for proposal in Proposal.objects.filter(case=case, state=Proposal.State.APPROVED):
        proposal.state = Proposal.State.SPENT
        proposal.closed_at = at
        proposal.closed_because = because
        proposal.save(update_fields=["state", "closed_at", "closed_because"])


def _errors(refusal: Refusal | None) -> list[dict[str, str]]:
    if refusal is None:
        return []
    return [
        {
            "code": e.code,
            "severity": str(e.severity),
            "text": e.text,
            "plain": e.plain,
            "field": e.field,
            "term": e.term,
            "field_path": e.field_path,
        }
        for e in refusal.errors
    ]


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
