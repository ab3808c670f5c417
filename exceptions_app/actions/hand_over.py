"""Taking transactions in for delivery: durable before the answer, and the same one taken in once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction as database_transaction

from exceptions_app.actions import handover
from exceptions_app.models import Transaction
from integrations.handed_in import MessageRefused
from integrations.models import InboxMessage
from integrations.receiving import Arrival, Receipt, receive_many


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A transaction, and whether it was here already. None when its identifier came before with other content."""

    receipt: Receipt
    transaction: Transaction | None

    @property
    def is_repeat(self) -> bool:
        return self.receipt.is_repeat


@database_transaction.atomic
def hand_over(
    arrivals: Sequence[Arrival], *, by: str, at: datetime, correlation_id: str = ""
) -> list[HandedOver | MessageRefused]:
    """Keep each message and begin its transaction, in the order given; few statements for many.

    What came before with other content is kept as an intake failure, however often it comes, and is no transaction
    until a person has it read.
    """
    outcomes = receive_many(arrivals, via=InboxMessage.Via.API, by=by, at=at, correlation_id=correlation_id)
    receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
    messages = {receipt.message.pk: receipt.message for receipt in receipts if not receipt.message.conflict}
    there = _there_already(messages)
    repeats = [receipt.message.pk for receipt in receipts if receipt.is_repeat and receipt.message.pk not in there]
    if repeats:
        there |= _begun_meanwhile(repeats)
    unknown = [message for pk, message in messages.items() if pk not in there]
    begun = {one.inbox_message_id: one for one in handover.begin(unknown, at=at)} if unknown else {}
    known = there | begun
    return [
        outcome if isinstance(outcome, MessageRefused) else HandedOver(outcome, known.get(outcome.message.pk))
        for outcome in outcomes
    ]


def _begun_meanwhile(message_ids: Sequence[int]) -> dict[int, Transaction]:
    """Transactions of messages that came in by another way: their reader and other senders begin them too.

    Whoever is at it has the message locked, and is waited for.
    """
    waiting = InboxMessage.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=message_ids)
    list(waiting.order_by("pk").values_list("pk", flat=True))
    return _there_already(message_ids)


def _there_already(messages: Collection[int]) -> dict[int, Transaction]:
    found = Transaction.objects.select_related("connection", "case", "duplicate_of", "inbox_message").filter(
        inbox_message__in=messages
    )
    return {one.inbox_message_id: one for one in found}
