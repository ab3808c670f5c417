"""What the end of an exception means for the transactions that it took up."""

from datetime import datetime

from exceptions_app.actions import handover, handover_release
from exceptions_app.handover_states import TransactionState
from exceptions_app.models import ExceptionCase, Occurrence, Transaction
from exceptions_app.states import Outcome, State
from integrations.models import Delivery


def case_ended(case: ExceptionCase, *, by: str, at: datetime) -> None:
    """Delivered with its reference, or closed with its outcome. The exception is locked by the caller."""
    held = _of_case(case, TransactionState.HELD)
    if not held:
        return
    delivery = _booked(case) if case.state == State.RESOLVED else None
    first = Occurrence.objects.filter(case=case).order_by("id").values_list("inbox_message_id", flat=True).first()
    for transaction in held:
        if delivery is None:
            handover.close(
                transaction, outcome=case.outcome, by=by, at=at, because=f"{case.ref} ended as {case.outcome}."
            )
        elif transaction.inbox_message_id == first or transaction.content_sha256 == delivery.content_sha256:
            handover.deliver(transaction, reference=delivery.reference, by=by, at=at, delivery=delivery)
        else:
            _close_as_other_content(transaction, case, delivery, by=by, at=at)
        handover_release.release_followers(transaction, by=by, at=at)


def _close_as_other_content(
    transaction: Transaction, case: ExceptionCase, delivery: Delivery, *, by: str, at: datetime
) -> None:
    """The target has a document of this name, but neither this one nor a correction of it."""
    because = f"{case.ref} was resolved with other content than this one's, as {delivery.reference}."
    outcome = Outcome.LINKED_DUPLICATE.value
    handover.close(transaction, outcome=outcome, by=by, at=at, because=because, reference=delivery.reference)


def case_reopened(case: ExceptionCase, *, by: str, at: datetime) -> None:
    for transaction in _of_case(case, TransactionState.CLOSED):
        handover.reopen(transaction, by=by, at=at)


def _of_case(case: ExceptionCase, state: TransactionState) -> list[Transaction]:
    """Locked, in one order for all."""
    return list(
        Transaction.objects.select_for_update(of=("self",), no_key=True)
        .select_related("connection", "case", "duplicate_of")
        .filter(case=case, state=state)
        .order_by("pk")
    )


def _booked(case: ExceptionCase) -> Delivery | None:
    return Delivery.objects.filter(
        subject=case.subject, operation=Delivery.Operation.SUBMIT, state__in=Delivery.BOOKED
    ).latest("pk")
