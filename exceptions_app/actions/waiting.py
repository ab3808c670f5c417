"""What an approved exception waits for before it is sent: its order, and what its message named to come first.

The delivery is written with the decision and says what it waits for; no worker takes it up until that is over. Whatever
ends rings the bell, and the sweep looks again, so nothing is missed when nobody rings. After a time, or when what it
waits for will not come, a person has it; and what they then propose waits no second time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction as database_transaction
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now

from exceptions_app.actions.mover import lock, record
from exceptions_app.actions.predecessors import Wishes, wishes_of
from exceptions_app.actions.settle import stop_unsent
from exceptions_app.handover_states import TransactionState
from exceptions_app.machines import WORKER, machine
from exceptions_app.models import ExceptionCase, Occurrence, Transaction
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.states import OPEN_STATES, State
from integrations import delivery as engine
from integrations.doorbell import ring_on_commit
from integrations.models import Delivery, InboxMessage
from integrations.refusals import Category, MessageNotUnderstood

MOST_AT_ONCE = 500
_NEVER_COMING = "predecessor_missing"  # a transaction that a person has because of that


@dataclass(frozen=True, slots=True)
class Wait:
    """Why it may not be sent yet, in a sentence, and how long that is waited for. `lost` when it will never come."""

    reason: str
    longest: timedelta
    lost: bool = False


def wait_of(case: ExceptionCase) -> Wait | None:
    """What keeps the exception from being sent now; None when nothing does. A few queries, fewer without an order."""
    if _waited_before(case):
        return None
    message = _message_of(case)
    if message is None:
        return None
    wishes = _wishes(message)
    for connection, external_id in wishes.after:
        if external_id != message.external_id and not _is_delivered(connection, external_id):
            return _named(connection, external_id, wishes)
    earlier = _earlier_of_its_order(message, case)
    if earlier is None:
        return None
    reason = f"“{earlier}”, which came before it under the same ordering key, is not settled yet."
    return Wait(reason, wishes.longest)


def _waited_before(case: ExceptionCase) -> bool:
    if case.category == Category.SEQUENCING and case.sub == _NEVER_COMING:
        return True
    given_up = Delivery.objects.filter(subject=case.subject, state=Delivery.State.CANCELLED)
    return given_up.exclude(waiting_for="").exists()


def _message_of(case: ExceptionCase) -> InboxMessage | None:
    """The newest of those that it came of."""
    newest = Occurrence.objects.filter(case=case).select_related("inbox_message__connection", "inbox_message__content")
    found = newest.order_by("-id").first()
    return found.inbox_message if found is not None else None


def _wishes(message: InboxMessage) -> Wishes:
    try:
        return wishes_of(message)
    except MessageNotUnderstood:
        return Wishes(after=(), longest=timedelta())  # of a refused message nobody asked for an order


def _named(connection: str, external_id: str, wishes: Wishes) -> Wait:
    if _is_lost(connection, external_id):
        return Wait(f"“{external_id}”, which was to come before it, was not delivered.", wishes.longest, lost=True)
    return Wait(f"“{external_id}” of {connection} is not delivered yet.", wishes.longest)


def _transactions(connection: str, external_id: str) -> QuerySet[Transaction]:
    return Transaction.objects.filter(connection__slug=connection, external_id=external_id)


def _cases(connection: str, external_id: str) -> ExceptionCaseQuerySet:
    named = Occurrence.objects.filter(
        inbox_message__connection__slug=connection, inbox_message__external_id=external_id
    )
    found: ExceptionCaseQuerySet = ExceptionCase.objects.filter(pk__in=named.values("case"))
    return found


def _is_delivered(connection: str, external_id: str) -> bool:
    done = TransactionState.DELIVERED
    delivered = Q(state=done) | Q(state=TransactionState.DUPLICATE, duplicate_of__state=done)
    return (
        _transactions(connection, external_id).filter(delivered).exists()
        or _cases(connection, external_id).filter(state=State.RESOLVED).exists()
    )


def _is_lost(connection: str, external_id: str) -> bool:
    """It came, and ended without delivery."""
    settled = (TransactionState.CLOSED, TransactionState.DUPLICATE)
    cases, transactions = _cases(connection, external_id), _transactions(connection, external_id)
    if cases.filter(state__in=OPEN_STATES).exists() or transactions.exclude(state__in=settled).exists():
        return False
    return cases.exists() or transactions.exists()


def _earlier_of_its_order(message: InboxMessage, case: ExceptionCase) -> str | None:
    """The identifier of the last message before it with the same ordering key that is still worked on elsewhere."""
    if not message.ordering_key:
        return None
    line = Q(connection=message.connection_id, ordering_key=message.ordering_key, pk__lt=message.pk)
    earlier = InboxMessage.objects.filter(line)
    worked_on = Occurrence.objects.filter(inbox_message__in=earlier, case__state__in=OPEN_STATES).exclude(case=case)
    settled = (TransactionState.DELIVERED, TransactionState.DUPLICATE, TransactionState.CLOSED)
    on_its_way = Transaction.objects.filter(
        ~Q(state__in=settled), Q(case=None) | ~Q(case=case), inbox_message__in=earlier
    )
    found = earlier.filter(Q(pk__in=worked_on.values("inbox_message")) | Q(pk__in=on_its_way.values("inbox_message")))
    return found.order_by("-pk").values_list("external_id", flat=True).first()


def waiting() -> list[int]:
    """Deliveries that wait, those whose time is up first: for the sweep."""
    rows = Delivery.objects.filter(state=Delivery.State.QUEUED).exclude(waiting_for="")
    return list(rows.order_by("waits_until", "pk").values_list("pk", flat=True)[:MOST_AT_ONCE])


@database_transaction.atomic
def release(delivery_id: int, *, at: datetime) -> bool:
    """Let it be sent when nothing keeps it any more, or give it to a person; True when it moved."""
    subject = Delivery.objects.values_list("subject", flat=True).get(pk=delivery_id)
    found: ExceptionCase | None = ExceptionCase.objects.with_ref(subject.removeprefix("case:")).first()
    if found is None:
        return False
    case = lock(found.pk)
    delivery = _waiting_row(delivery_id)
    if delivery is None:
        return False
    wait = wait_of(case)
    if wait is None:
        _let_go(case, delivery, at=at)
        return True
    if wait.lost or delivery.its_time_is_up:  # type: ignore[attr-defined]  # annotated
        because = wait.reason if wait.lost else f"What it waits for did not come in time: {wait.reason}"
        stop_unsent(case, delivery, because=because, at=at)
        return True
    if wait.reason != delivery.waiting_for:
        engine.note_wait(delivery, because=wait.reason)
    return False


def _waiting_row(delivery_id: int) -> Delivery | None:
    rows = Delivery.objects.select_for_update(no_key=True).filter(pk=delivery_id, state=Delivery.State.QUEUED)
    up = ExpressionWrapper(Q(waits_until__lte=Now()), output_field=BooleanField())
    return rows.exclude(waiting_for="").annotate(its_time_is_up=up).first()


def _let_go(case: ExceptionCase, delivery: Delivery, *, at: datetime) -> None:
    engine.let_go(delivery)
    record(
        case,
        "case.wait_ended",
        by=machine(WORKER),
        at=at,
        summary=f"{case.ref} waits no longer and is sent. It waited: {delivery.waiting_for}",
        data={"delivery": delivery.pk},
    )
    ring_on_commit()
