"""What came of the delivery of a transaction: both are settled together, in one transaction of the database."""

from dataclasses import replace
from datetime import datetime

from django.db import transaction as database_transaction

from exceptions_app.actions import connections, handover, handover_hold, handover_release, twice_there
from exceptions_app.actions.open_case import one_reader_at_a_time
from exceptions_app.actions.permission import NotApproved, refuse_other_document
from exceptions_app.actions.stray import note_stray
from exceptions_app.handover_states import UNDER_WAY, TransactionState
from exceptions_app.machines import WORKER, machine
from exceptions_app.models import Transaction
from exceptions_app.models.handover import SUBJECT_PREFIX
from exceptions_app.policies import TWICE_THERE
from exceptions_app.queries.connections import UNTOLD_AFTER
from integrations import delivery as engine
from integrations.effects import booked_again
from integrations.models import Delivery
from integrations.refusals import Category, Refusal

_S = Delivery.State


def is_about(delivery: Delivery) -> bool:
    """Whether it belongs to a transaction, and not to an exception."""
    return delivery.subject.startswith(SUBJECT_PREFIX)


def require_policy(delivery: Delivery, content: bytes) -> None:
    """Before a byte leaves: the transaction must be on its way, and these bytes those that were handed over.

    Raises NotApproved.
    """
    transaction = _find(delivery)
    if transaction is None:
        raise NotApproved(f"Delivery {delivery.pk} belongs to no transaction.")
    if delivery.operation == Delivery.Operation.WRITE_BACK:
        return
    refuse_other_document(delivery, content, object_type=transaction.object_type)
    if delivery.content_sha256 != transaction.content_sha256 or delivery.connection_id != transaction.connection_id:
        raise NotApproved(f"Delivery {delivery.pk} is not what was handed over as {transaction.ref}.")
    if TransactionState(transaction.state) not in UNDER_WAY:
        raise NotApproved(f"{transaction.ref} is {transaction.state_words}; nothing is to be sent for it.")


def _find(delivery: Delivery) -> Transaction | None:
    return Transaction.objects.with_ref(delivery.subject.removeprefix("transaction:")).first()


@database_transaction.atomic
def settle(settlement: engine.Settlement, *, at: datetime) -> bool:
    """Write what came of a claim. False when another worker was faster."""
    found = _find(settlement.delivery)
    transaction = _lock(found) if found is not None else None
    settlement = _given_to_people(settlement)
    delivery = engine.settle(settlement)
    if delivery is None:
        return False
    if transaction is None:
        note_stray(delivery, at=at)
        return True
    if settlement.pause_connection:
        reason = settlement.pause_connection
        connections.pause(delivery.connection_id, by=machine(WORKER), at=at, because=reason)
    if delivery.operation == Delivery.Operation.WRITE_BACK:
        _note_write_back(transaction, delivery, at=at)
    else:
        _move_on(transaction, delivery, settlement, at=at)
    return True


def _given_to_people(settlement: engine.Settlement) -> engine.Settlement:
    """What we did not send and may be there nevertheless, where nobody can be asked: an exception, with two people."""
    if settlement.state != _S.UNKNOWN or settlement.delivery.sends:
        return settlement
    detail = "It may have been sent before, and this target cannot be asked. Find out there whether it was booked."
    return replace(settlement, state=_S.CANCELLED, detail=detail, wait=None)


def _lock(transaction: Transaction) -> Transaction:
    """First the document, as its readers do: what comes of it may be an exception."""
    one_reader_at_a_time(transaction.connection_id, [(transaction.object_type, transaction.business_key)])
    return handover.lock(transaction.pk)


def _move_on(transaction: Transaction, delivery: Delivery, settlement: engine.Settlement, *, at: datetime) -> None:
    if TransactionState(transaction.state) not in UNDER_WAY:
        note_stray(delivery, at=at)
    elif delivery.state in Delivery.BOOKED:
        handover.deliver(transaction, reference=delivery.reference, by=WORKER, at=at, delivery=delivery)
        handover_release.release_followers(transaction, by=WORKER, at=at)
    elif delivery.state == _S.UNKNOWN and transaction.state == TransactionState.DELIVERING:
        handover.lose_sight(transaction, delivery, by=WORKER, at=at)
    elif delivery.state in (_S.REFUSED, _S.CONFLICT, _S.CANCELLED):
        refusal = _refusal_of(delivery, settlement)
        content = delivery.content
        handover_hold.take_up(
            transaction, refusal, content=bytes(content.body), media_type=content.media_type, by=WORKER, at=at
        )
    elif settlement.parked:
        summary = f"Sending of {transaction.ref} broke off: {delivery.detail}"
        handover.note(transaction, "transaction.sending_stopped", by=WORKER, at=at, summary=summary)
    if settlement.given_up and delivery.is_live:
        summary = f"What became of {transaction.ref} is left to a person. {delivery.detail}"
        handover.note(transaction, "transaction.left_to_a_person", by=WORKER, at=at, summary=summary)


def _refusal_of(delivery: Delivery, settlement: engine.Settlement) -> Refusal:
    """Why it did not go through: in the target's words where it refused, else in ours."""
    if delivery.state == _S.REFUSED and settlement.refusal is not None:
        return settlement.refusal
    if references := booked_again(delivery):
        error = handover_hold.finding("TWICE_THERE", twice_there.words_for(references), general=twice_there.GENERAL)
        return handover_hold.refusal_before_posting(Category.RECONCILIATION_BREAK, error, sub=TWICE_THERE)
    if delivery.state == _S.CONFLICT:
        plain = f"The target has this document already, with other content. {delivery.detail}".strip()
        general = "The target has this document already, with other content."
        error = handover_hold.finding("CONFLICT", plain, general=general)
        return handover_hold.refusal_before_posting(Category.DUPLICATE, error, sub="conflict")
    general = "The target refused it." if delivery.state == _S.REFUSED else "It was not sent."
    error = handover_hold.finding(delivery.state.upper(), delivery.detail or general, general=general)
    return handover_hold.refusal_before_posting(Category.UNCLASSIFIED, error, sub="not_delivered")


def _note_write_back(transaction: Transaction, delivery: Delivery, *, at: datetime) -> None:
    if delivery.is_live and delivery.failures != UNTOLD_AFTER:
        return  # tried for ever, counted up by one each time: that it takes long is said once
    told = delivery.state in Delivery.BOOKED
    words = "The source was told" if told else f"The source was not told: {delivery.detail}"
    handover.note(
        transaction,
        "transaction.source_told" if told else "transaction.source_not_told",
        by=WORKER,
        at=at,
        summary=f"{words} ({transaction.ref}, {delivery.object_type}).",
        delivery=delivery.pk,
        event=delivery.object_type,
        tries=delivery.failures,
    )
