"""From the inbox to exceptions: each message read once, each refused or held transaction one exception."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import transaction as database_transaction

from exceptions_app import handed_over
from exceptions_app.actions import handover_hold
from exceptions_app.actions.open_case import one_reader_at_a_time, open_or_repeat
from exceptions_app.machines import INTAKE
from exceptions_app.models import ExceptionCase
from exceptions_app.outages import outage_of
from integrations import batches, inbox
from integrations.connectors.registry import UnknownConnector, get_connector
from integrations.crash_points import Point, passing
from integrations.doorbell import TimeIsUp
from integrations.models import InboxMessage
from integrations.refusals import Batch, MessageNotUnderstood, RefusedTransaction, bounded

log = logging.getLogger(__name__)


def read_messages(*, limit: int, at: datetime) -> int:
    """Read up to `limit` pending messages, each in a transaction of its own. Returns how many were read."""
    done = 0
    while done < limit and _read_next(at=at):
        done += 1
    return done


def _read_next(*, at: datetime) -> bool:
    claim = inbox.claim()
    if claim is None:
        return False
    passing(Point.MESSAGE_CLAIMED)
    with inbox.claimed(claim) as message:
        if message is None:
            return True  # so late that another reader took it up
        if message.claims > inbox.MAX_CLAIMS:  # its readers died before they could say so
            inbox.failed_unexpectedly(message, at=at)
        else:
            _read_or_fail(message, at=at)
        if message.purpose == InboxMessage.Purpose.DELIVER and message.status == InboxMessage.Status.FAILED:
            # Whoever handed it over asks after its transaction, not after the message.
            handover_hold.not_read(message, by=INTAKE, at=at)
        passing(Point.MESSAGE_READ)
    passing(Point.MESSAGE_DONE)
    return True


def _read_or_fail(message: InboxMessage, *, at: datetime) -> None:
    try:
        with database_transaction.atomic():
            _READERS[InboxMessage.Purpose(message.purpose)](message, at=at)
    except MessageNotUnderstood as error:
        inbox.fail(message, at=at, problem=error.problem, field=error.field, remedy=error.remedy)
    except UnknownConnector as error:
        inbox.fail(message, at=at, problem=str(error), field="connection", remedy="Correct the connection.")
    except TimeIsUp:
        raise  # of the task, not the message's fault: another reader takes it up
    except Exception as error:
        log.exception("Message %s could not be read.", message.pk)
        if outage_of(error) is None:
            inbox.failed_unexpectedly(message, at=at)
        else:
            inbox.uncount_claim(message)  # a full disk is not the message's fault, however often it is tried


def read(message: InboxMessage, *, at: datetime) -> list[ExceptionCase]:
    """Turn one message into exceptions, or into occurrences of open ones. Raises MessageNotUnderstood."""
    connector = get_connector(message.connection.connector)
    incoming = inbox.as_incoming(message)
    transactions = [
        replace(transaction, refusal=bounded(transaction.refusal)) for transaction in connector.parse(incoming)
    ]
    whole = _batch_in(transactions) if transactions else connector.batch(incoming)
    one_reader_at_a_time(
        message.connection_id, [(transaction.object_type, transaction.business_key) for transaction in transactions]
    )
    cases = [
        open_or_repeat(message, transaction, at=at, arrived_at=message.received_at) for transaction in transactions
    ]
    if whole is not None:
        batches.record(message, whole, at=at)
    inbox.processed(message, at=at)
    return cases


def _batch_in(transactions: Sequence[RefusedTransaction]) -> Batch | None:
    positions = (transaction.refusal.batch for transaction in transactions)
    return next((position.whole for position in positions if position is not None), None)


_READERS: Mapping[InboxMessage.Purpose, Callable[..., object]] = {
    InboxMessage.Purpose.REFUSED: read,
    InboxMessage.Purpose.DELIVER: handed_over.read,
}
