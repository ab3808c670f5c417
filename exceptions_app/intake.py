"""From the inbox to exceptions: each message read once, each refused or held transaction one exception."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import connection as database
from django.db import transaction as database_transaction

from exceptions_app.actions.mover import lock, move, record
from exceptions_app.facts import facts_of, remember_identifiers
from exceptions_app.machines import INTAKE, machine
from exceptions_app.models import ExceptionCase, Occurrence, PayloadVersion
from exceptions_app.states import Action, State
from exceptions_app.triage.cause import cause_of
from exceptions_app.triage.routing import TIME_TO_RESOLVE, priority_of, route_for
from integrations import batches, inbox
from integrations.connectors.registry import UnknownConnector, get_connector
from integrations.doorbell import TimeIsUp
from integrations.models import InboxMessage
from integrations.refusals import Batch, MessageNotUnderstood, RefusedTransaction, bounded, problem_of

log = logging.getLogger(__name__)

LONGEST_KEY = 300  # characters
LONGEST_PROBLEM = 300
CODES_IN_THE_TRAIL = 100  # of one refusal; the occurrence has all


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
    with inbox.claimed(claim) as message:
        if message is None:
            return True  # so late that another reader took it up
        if message.claims > inbox.MAX_CLAIMS:  # its readers died before they could say so
            inbox.failed_unexpectedly(message, at=at)
            return True
        _read_or_fail(message, at=at)
    return True


def _read_or_fail(message: InboxMessage, *, at: datetime) -> None:
    try:
        with database_transaction.atomic():
            read(message, at=at)
    except MessageNotUnderstood as error:
        inbox.fail(message, at=at, problem=error.problem, field=error.field, remedy=error.remedy)
    except UnknownConnector as error:
        inbox.fail(message, at=at, problem=str(error), field="connection", remedy="Correct the connection.")
    except TimeIsUp:
        raise  # of the task, not the message's fault: another reader takes it up
    except Exception:
        log.exception("Message %s could not be read.", message.pk)
        inbox.failed_unexpectedly(message, at=at)


def read(message: InboxMessage, *, at: datetime) -> list[ExceptionCase]:
    """Turn one message into exceptions, or into occurrences of open ones. Raises MessageNotUnderstood."""
    connector = get_connector(message.connection.connector)
    incoming = inbox.as_incoming(message)
    transactions = [
        replace(transaction, refusal=bounded(transaction.refusal)) for transaction in connector.parse(incoming)
    ]
    whole = _batch_in(transactions) if transactions else connector.batch(incoming)
    _one_reader_at_a_time(message, transactions)
    cases = [_open_or_repeat(message, transaction, at=at) for transaction in transactions]
    if whole is not None:
        batches.record(message, whole, at=at)
    inbox.processed(message, at=at)
    return cases


def _batch_in(transactions: Sequence[RefusedTransaction]) -> Batch | None:
    positions = (transaction.refusal.batch for transaction in transactions)
    return next((position.whole for position in positions if position is not None), None)


def _one_reader_at_a_time(message: InboxMessage, transactions: Sequence[RefusedTransaction]) -> None:
    """Serialise the readers of one document until the transaction ends, before any of them has a row to lock.

    In one order for all, so that two batches with the same documents do not wait for each other for ever.
    """
    documents = sorted({f"{transaction.object_type}\x1f{transaction.business_key}" for transaction in transactions})
    with database.cursor() as cursor:
        for document in documents:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [message.connection_id, document])


def _open_or_repeat(message: InboxMessage, transaction: RefusedTransaction, *, at: datetime) -> ExceptionCase:
    _refuse_unusable(transaction)
    same = ExceptionCase.objects.filter(
        connection=message.connection, object_type=transaction.object_type, business_key=transaction.business_key
    )
    current = same.open().first()
    if current is not None:
        case = lock(current.pk)
        if case.is_open:  # still, now that nobody can close it
            return _repeat(case, message, transaction, at=at)
    return _open(message, transaction, follows=same.order_by("-id").first(), at=at)


def _refuse_unusable(transaction: RefusedTransaction) -> None:
    if len(transaction.business_key) > LONGEST_KEY:
        raise MessageNotUnderstood(
            f"Seller and number of the document are longer than {LONGEST_KEY} characters together.",
            remedy="Send a document with the number that the seller gave it.",
        )


def _open(
    message: InboxMessage, transaction: RefusedTransaction, *, follows: ExceptionCase | None, at: datetime
) -> ExceptionCase:
    route = route_for(transaction, message.connection)
    priority = priority_of(
        transaction, base=route.priority, today=at.astimezone(ZoneInfo(route.entity.time_zone)).date()
    )
    intake = machine(INTAKE)
    case = ExceptionCase(
        connection=message.connection,
        object_type=transaction.object_type,
        business_key=transaction.business_key,
        kind=transaction.refusal.kind.value,
        state=State.NEW,
        queue=route.queue,
        entity=route.entity,
        category=transaction.refusal.category.value,
        sub=transaction.refusal.sub,
        cause=cause_of(transaction, connector=message.connection.connector, at=at),
        problem=_problem(transaction),
        priority=priority,
        due_at=message.received_at + TIME_TO_RESOLVE[priority],
        follows=follows,
        opened_at=message.received_at,
        changed_at=at,
        **facts_of(transaction.record),
    )
    case._history_user = intake
    case.save()
    PayloadVersion.objects.create(
        case=case,
        number=1,
        content=transaction.payload,
        media_type=transaction.media_type,
        sha256=hashlib.sha256(transaction.payload).hexdigest(),
        created_at=message.received_at,
    )
    _add_occurrence(case, message, transaction)
    remember_identifiers(case, transaction.record, Message=message.external_id, **transaction.refusal.keys)
    errors = transaction.refusal.errors
    record(
        case,
        "case.opened",
        by=intake,
        at=at,
        summary=f"{case.ref} opened for {case.document_number}: {problem_of(transaction.refusal)}",
        data={
            "message": message.external_id,
            "category": case.category,
            "sub": case.sub,
            "kind": case.kind,
            "sha256": hashlib.sha256(transaction.payload).hexdigest(),
            "errors": [error.code for error in errors[:CODES_IN_THE_TRAIL]],
            "errors_total": len(errors),
            "follows": follows.ref if follows else "",
        },
    )
    return case


def _repeat(
    case: ExceptionCase, message: InboxMessage, transaction: RefusedTransaction, *, at: datetime
) -> ExceptionCase:
    first = PayloadVersion.objects.get(case=case, number=1)
    differs = hashlib.sha256(transaction.payload).hexdigest() != first.sha256
    move(
        case,
        Action.RECUR,
        by=machine(INTAKE),
        at=at,
        occurrences_count=case.occurrences_count + 1,
        cause=cause_of(transaction, connector=message.connection.connector, at=at),
        problem=_problem(transaction),
        summary=f"{case.document_number} came in again"
        + (", with other content than before." if differs else ", with the same content."),
        data={"message": message.external_id, "differs": differs},
    )
    _add_occurrence(case, message, transaction)
    remember_identifiers(case, transaction.record, Message=message.external_id, **transaction.refusal.keys)
    return case


def _problem(transaction: RefusedTransaction) -> str:
    return problem_of(transaction.refusal)[:LONGEST_PROBLEM]


def _add_occurrence(case: ExceptionCase, message: InboxMessage, transaction: RefusedTransaction) -> None:
    Occurrence.objects.create(
        case=case,
        inbox_message=message,
        arrived_at=message.received_at,
        payload_sha256=hashlib.sha256(transaction.payload).hexdigest(),
        definitive=transaction.refusal.definitive,
        errors=[asdict(error) for error in transaction.refusal.errors],
    )
