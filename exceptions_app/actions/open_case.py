"""Opening an exception for a refused or held transaction, or adding the arrival to the one that is open already."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractUser
from django.db import connection as database

from exceptions_app.actions import snoozing
from exceptions_app.actions.mover import lock, move, record
from exceptions_app.actions.scoring import scored
from exceptions_app.facts import facts_of, remember_identifiers
from exceptions_app.machines import INTAKE, machine
from exceptions_app.models import Cause, ExceptionCase, Occurrence, PayloadVersion, Route, RoutingRule
from exceptions_app.queries.score_facts import waiting_for_message
from exceptions_app.states import Action, State, WakesOn
from exceptions_app.triage.cause import cause_of
from exceptions_app.triage.routing import TIME_TO_RESOLVE, priority_of, route_for
from exceptions_app.triage.rules import rule_for
from exceptions_app.unmapped_values import remember_unmapped
from integrations.models import InboxMessage
from integrations.refusals import MessageNotUnderstood, RefusedTransaction, problem_of

LONGEST_KEY = 300  # characters
LONGEST_PROBLEM = 300
CODES_IN_THE_TRAIL = 100  # of one refusal; the occurrence has all


def one_reader_at_a_time(connection_id: int, documents: Iterable[tuple[str, str]]) -> None:
    """Serialise the readers of one document until the transaction ends, before any of them has a row to lock.

    `documents` are kinds with business keys. In one order for all, so that two batches with the same documents do not
    wait for each other for ever.
    """
    with database.cursor() as cursor:
        for document in sorted({"\x1f".join(document) for document in documents}):
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [connection_id, document])


def open_or_repeat(
    message: InboxMessage, transaction: RefusedTransaction, *, at: datetime, arrived_at: datetime
) -> ExceptionCase:
    """The exception for a transaction that came in with `message`; raises MessageNotUnderstood when none can be.

    `arrived_at` is when it came back to people: its time to be resolved runs from there.
    """
    _refuse_unusable(transaction)
    same = ExceptionCase.objects.filter(
        connection=message.connection, object_type=transaction.object_type, business_key=transaction.business_key
    )
    current = same.open().first()
    if current is not None:
        case = lock(current.pk)
        if case.is_open:  # still, now that nobody can close it
            return _repeat(case, message, transaction, at=at, arrived_at=arrived_at)
    return open_new(message, transaction, follows=same.order_by("-id").first(), at=at, arrived_at=arrived_at)


def _refuse_unusable(transaction: RefusedTransaction) -> None:
    if len(transaction.business_key) > LONGEST_KEY:
        raise MessageNotUnderstood(
            f"Seller and number of the document are longer than {LONGEST_KEY} characters together.",
            remedy="Send a document with the number that the seller gave it.",
        )


def open_new(
    message: InboxMessage,
    transaction: RefusedTransaction,
    *,
    follows: ExceptionCase | None,
    at: datetime,
    arrived_at: datetime,
) -> ExceptionCase:
    """A new exception, where none is open for the document; raises MessageNotUnderstood where no route leads on."""
    route = route_for(transaction, message.connection)
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
        statutory_clock=route.statutory_clock,
        follows=follows,
        opened_at=arrived_at,
        changed_at=at,
        **facts_of(transaction.record),
    )
    rule = _place(case, route, today=at.astimezone(ZoneInfo(route.entity.time_zone)).date())
    waiting = waiting_for_message(message.connection_id, message.external_id, 0)
    for name, value in scored(case, at=at, waiting=waiting).items():
        setattr(case, name, value)
    case._history_user = intake
    case.save()
    PayloadVersion.objects.create(
        case=case,
        number=1,
        content=transaction.payload,
        media_type=transaction.media_type,
        sha256=hashlib.sha256(transaction.payload).hexdigest(),
        created_at=arrived_at,
    )
    _add_occurrence(case, message, transaction, arrived_at=arrived_at)
    remember_identifiers(case, transaction.record, Message=message.external_id, **transaction.refusal.keys)
    _record_opening(case, message, transaction, rule, by=intake, at=at)
    return case


def _place(case: ExceptionCase, route: Route, *, today: date) -> RoutingRule | None:
    """Queue, priority and due time by the first routing rule that fits, or by its route; which rule that is."""
    rule = rule_for(case)
    if rule is not None and rule.queue is not None:
        case.queue = rule.queue
    case.priority = priority_of(case, base=route.priority if rule is None else rule.priority, today=today)
    case.due_at = case.opened_at + TIME_TO_RESOLVE[case.priority]
    return rule


def _record_opening(
    case: ExceptionCase, message: InboxMessage, transaction: RefusedTransaction, rule: RoutingRule | None,
    *, by: AbstractUser, at: datetime,
) -> None:  # fmt: skip
    errors = transaction.refusal.errors
    led = f" Led by the routing rule {rule}." if rule is not None else ""
    record(
        case,
        "case.opened",
        by=by,
        at=at,
        summary=f"{case.ref} opened for {case.document_number}: {problem_of(transaction.refusal)}{led}",
        data={
            "message": message.external_id,
            "category": case.category,
            "sub": case.sub,
            "kind": case.kind,
            "sha256": hashlib.sha256(transaction.payload).hexdigest(),
            "errors": [error.code for error in errors[:CODES_IN_THE_TRAIL]],
            "errors_total": len(errors),
            "follows": case.follows.ref if case.follows else "",
            "routing_rule": rule.ref if rule is not None else "",
        },
    )


def _repeat(
    case: ExceptionCase, message: InboxMessage, transaction: RefusedTransaction, *, at: datetime, arrived_at: datetime
) -> ExceptionCase:
    first, intake = PayloadVersion.objects.get(case=case, number=1), machine(INTAKE)
    differs = hashlib.sha256(transaction.payload).hexdigest() != first.sha256
    move(
        case,
        Action.RECUR,
        by=intake,
        at=at,
        occurrences_count=case.occurrences_count + 1,
        cause=_cause_of_repeat(case, cause_of(transaction, connector=message.connection.connector, at=at)),
        problem=_problem(transaction),
        summary=f"{case.document_number} came in again"
        + (", with other content than before." if differs else ", with the same content."),
        data={"message": message.external_id, "differs": differs},
    )
    snoozing.happened(case, WakesOn.ARRIVAL, by=intake, at=at)
    _add_occurrence(case, message, transaction, arrived_at=arrived_at)
    remember_identifiers(case, transaction.record, Message=message.external_id, **transaction.refusal.keys)
    return case


def _cause_of_repeat(case: ExceptionCase, found: Cause) -> Cause:
    """What was taken out of a cause stays out of it when it comes in again for the same reason.

    For the same reason is also what came in with a cause that is one with it, and what was taken out twice.
    """
    origin = case.cause.split_from
    while origin is not None and origin.head_number != found.head_number:
        origin = origin.split_from
    return found if origin is None else case.cause


def _problem(transaction: RefusedTransaction) -> str:
    return problem_of(transaction.refusal)[:LONGEST_PROBLEM]


def _add_occurrence(
    case: ExceptionCase, message: InboxMessage, transaction: RefusedTransaction, *, arrived_at: datetime
) -> None:
    Occurrence.objects.create(
        case=case,
        inbox_message=message,
        arrived_at=arrived_at,
        payload_sha256=hashlib.sha256(transaction.payload).hexdigest(),
        definitive=transaction.refusal.definitive,
        errors=[asdict(error) for error in transaction.refusal.errors],
    )
    remember_unmapped(case, transaction.refusal.errors, at=arrived_at)
