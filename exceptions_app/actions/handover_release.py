"""Predecessors: what a transaction waits for, and that it goes on in the moment in which they are delivered."""

import logging
from datetime import datetime

from django.db import transaction as database_transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from exceptions_app.actions import handover, handover_hold
from exceptions_app.actions.open_case import one_reader_at_a_time
from exceptions_app.handover_states import SETTLED, TransactionState
from exceptions_app.models import Predecessor, Transaction
from integrations.doorbell import TimeIsUp
from integrations.promises import keeps_changes
from integrations.refusals import Category, Refusal

log = logging.getLogger(__name__)

MOST_AT_ONCE = 500

_S = TransactionState


def blocked_by(transaction: Transaction) -> str:
    """Why it may not go on yet, in a sentence; empty when nothing keeps it."""
    for predecessor in transaction.predecessors.select_related("connection").order_by("pk"):
        if not _delivered(predecessor):
            return f"“{predecessor.external_id}” of {predecessor.connection} is not delivered yet."
    earlier = _earlier_of_its_order(transaction)
    if earlier is not None:
        return f"“{earlier.external_id}”, which came before it under the same ordering key, is not settled yet."
    change = _earlier_change(transaction)
    if change is not None:
        return f"“{change.external_id}”, an earlier change of {change.document_number}, is not settled yet."
    return ""


def lost_predecessor(transaction: Transaction) -> Predecessor | None:
    """The first predecessor that ended without delivery, and that nothing took the place of."""
    for predecessor in transaction.predecessors.select_related("connection").order_by("pk"):
        named = _named(predecessor).exclude(state=_S.DUPLICATE)
        if named.exists() and not named.exclude(state=_S.CLOSED).exists():
            return predecessor
    return None


def _named(predecessor: Predecessor) -> QuerySet[Transaction]:
    return Transaction.objects.filter(connection=predecessor.connection, external_id=predecessor.external_id)


def _delivered(predecessor: Predecessor) -> bool:
    """By itself, or as a repeat of one that is."""
    delivered = Q(state=_S.DELIVERED) | Q(state=_S.DUPLICATE, duplicate_of__state=_S.DELIVERED)
    return _named(predecessor).filter(delivered).exists()


def _earlier_of_its_order(transaction: Transaction) -> Transaction | None:
    """The last one before it with the same ordering key, until it is settled. An order is no dependency."""
    key = transaction.inbox_message.ordering_key
    if not key:
        return None
    return (
        Transaction.objects.filter(
            connection=transaction.connection,
            inbox_message__ordering_key=key,
            inbox_message__lt=transaction.inbox_message_id,
        )
        .exclude(state__in=[_S.DELIVERED, _S.DUPLICATE, _S.CLOSED])
        .order_by("-inbox_message")
        .first()
    )


def _earlier_change(transaction: Transaction) -> Transaction | None:
    """The last change of the same object before it, until it is settled, where the target wants them in their order."""
    if not keeps_changes(transaction.connection):
        return None
    same = Transaction.objects.filter(
        connection=transaction.connection,
        object_type=transaction.object_type,
        business_key=transaction.business_key,
        inbox_message__lt=transaction.inbox_message_id,
    )
    return same.exclude(state__in=SETTLED).order_by("-inbox_message").first()


def release_followers(settled: Transaction, *, by: str, at: datetime) -> None:
    """In the transaction that settled it: whatever waited for it alone goes on, or is told to a person.

    One that cannot go on is left to the sweep: what is settled was settled at the target, and stays so.
    """
    if not settled.is_settled:
        return
    for waiting_id in _followers(settled):
        try:
            release(waiting_id, by=by, at=at)
        except TimeIsUp:
            raise
        except Exception:
            log.exception("Transaction %s could not be released.", waiting_id)


def _followers(settled: Transaction) -> list[int]:
    """Those that wait for it or for a repeat of it, and the next of its order, behind which the others stay."""
    waiting = Transaction.objects.filter(state=_S.WAITING)
    names = Q(connection=settled.connection_id, external_id=settled.external_id)
    for repeat in settled.repeats.all():
        names |= Q(connection=repeat.connection_id, external_id=repeat.external_id)
    named = Predecessor.objects.filter(names, transaction=OuterRef("pk"))
    found = set(waiting.filter(Exists(named)).values_list("pk", flat=True))
    if key := settled.inbox_message.ordering_key:
        line = waiting.filter(connection=settled.connection_id, inbox_message__ordering_key=key)
        found.update(line.order_by("inbox_message").values_list("pk", flat=True)[:1])
    if keeps_changes(settled.connection):
        changes = waiting.filter(
            connection=settled.connection_id, object_type=settled.object_type, business_key=settled.business_key
        )
        found.update(changes.order_by("inbox_message").values_list("pk", flat=True)[:1])
    return sorted(found)


@database_transaction.atomic
def release(transaction_id: int, *, by: str, at: datetime) -> bool:
    """Send what waits for nothing any more; True when it moved. It may have moved meanwhile."""
    transaction = handover.lock(transaction_id)
    if transaction.state != _S.WAITING:
        return False
    lost = lost_predecessor(transaction)
    if lost is not None:
        return _give_up(transaction, f"Its predecessor “{lost.external_id}” was not delivered.", by=by, at=at)
    blocked = blocked_by(transaction)
    if blocked and transaction.wait_until is not None and transaction.wait_until <= at:
        return _give_up(transaction, f"Its predecessor was not delivered in time: {blocked}", by=by, at=at)
    if blocked:
        return False
    # While it waited, its document may have come into somebody's care.
    one_reader_at_a_time(transaction.connection_id, [(transaction.object_type, transaction.business_key)])
    refusal = handover_hold.in_care(transaction)
    if refusal is not None:
        _hold(transaction, refusal, by=by, at=at)
        return True
    content = transaction.content
    handover.send(
        transaction,
        content=bytes(content.payload),
        media_type=content.media_type,
        evidence={"released": True},
        by=by,
        at=at,
    )
    return True


def _give_up(transaction: Transaction, problem: str, *, by: str, at: datetime) -> bool:
    """A person decides: the document as it is, corrected, or not at all."""
    error = handover_hold.finding("PREDECESSOR", problem, general="A predecessor was not delivered.")
    refusal = handover_hold.refusal_before_posting(Category.SEQUENCING, error, sub="predecessor_missing")
    one_reader_at_a_time(transaction.connection_id, [(transaction.object_type, transaction.business_key)])
    _hold(transaction, refusal, by=by, at=at)
    return True


def _hold(transaction: Transaction, refusal: Refusal, *, by: str, at: datetime) -> None:
    content = transaction.content
    handover_hold.take_up(
        transaction, refusal, content=bytes(content.payload), media_type=content.media_type, by=by, at=at
    )


def waiting() -> list[int]:
    """What waits, those whose time is up first: for the sweep."""
    found = Transaction.objects.filter(state=_S.WAITING).order_by("wait_until", "pk")
    return list(found.values_list("pk", flat=True)[:MOST_AT_ONCE])
