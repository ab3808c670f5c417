"""Ending a delivery of unknown outcome by what two people found out, where no machine can."""

from dataclasses import dataclass

from django.db import connection as database
from django.db.models import F, Q
from django.db.models.functions import Now

from integrations.delivery.claims import State, database_now
from integrations.delivery.in_hand import is_in_hand
from integrations.effects import note_end
from integrations.models import Delivery, DeliveryStatement

Says = DeliveryStatement.Says
_ENDS = {Says.BOOKED: State.CONFIRMED, Says.ABSENT: State.CANCELLED}


class NotUnknown(Exception):
    """The delivery is not of unknown outcome, or just now being sent: nothing can be stated about it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What two people stated. `evidence_sha256` is of the proof that they looked at, kept by the caller."""

    says: DeliveryStatement.Says
    reference: str
    evidence_sha256: str
    stated_by: str
    agreed_by: str


def unknown_of(subject: str) -> Delivery | None:
    """The sending of unknown outcome that belongs to a subject, locked; None when there is none.

    Of a document or of the entry that reverses it. A word to a source is told again until it is taken.
    """
    return (
        Delivery.objects.select_for_update(of=("self",), no_key=True)
        .select_related("connection")
        .filter(subject=subject, operation__in=Delivery.BOOKING, state__in=Delivery.LIVE)
        .filter(Q(sends__gt=0) | Q(state=State.UNKNOWN))
        .order_by("-pk")
        .first()
    )


def end_by(statement: Statement, *, delivery: Delivery) -> Delivery:
    """End a locked delivery by a statement, in the caller's transaction. Raises NotUnknown.

    The epoch is raised, so that a worker that is asking about it at this moment writes nothing any more.
    """
    _require_unknown(delivery)
    DeliveryStatement.objects.create(
        delivery=delivery,
        says=statement.says,
        reference=statement.reference,
        evidence_sha256=statement.evidence_sha256,
        stated_by=statement.stated_by,
        agreed_by=statement.agreed_by,
        stated_at=database_now(),
    )
    detail = f"{statement.says.label}: stated by {statement.stated_by}, agreed to by {statement.agreed_by}."
    Delivery.objects.filter(pk=delivery.pk).update(
        state=_ENDS[statement.says],
        epoch=F("epoch") + 1,
        reference=statement.reference,
        detail=detail,
        lease_until=None,
        claims=0,
        failures=0,
        due_at=Now(),
        finished_at=Now(),
    )
    delivery.refresh_from_db()
    note_end(delivery)
    return delivery


def ask_now(delivery: Delivery) -> None:
    """Make a locked delivery of unknown outcome due at once. Raises NotUnknown, also while it is being asked."""
    if delivery.state != State.UNKNOWN:
        raise NotUnknown("The target is being asked at this moment. Its answer is here in a few seconds.")
    Delivery.objects.filter(pk=delivery.pk).update(due_at=Now())


def _require_unknown(delivery: Delivery) -> None:
    """A worker that asks may be overtaken; what one is sending may still be booked, whatever was seen before."""
    if not database.in_atomic_block:
        raise RuntimeError("A statement ends a delivery in the transaction that decides it; open one first.")
    if delivery.state not in (State.UNKNOWN, State.PROBING) or is_in_hand(delivery):
        raise NotUnknown("It is being sent again at this moment. Look at it again when that has ended.")
