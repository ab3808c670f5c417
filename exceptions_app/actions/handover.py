"""Transactions handed over for delivery: one function per change, each with its audit event and word to the source."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from audit import log
from exceptions_app.actions.handover_telling import tell
from exceptions_app.handover_states import POLICY, TRANSACTION_MOVES, Move, TransactionState, destination
from exceptions_app.machines import INTAKE, PREFIX
from exceptions_app.models import ExceptionCase, Transaction, TransactionContent
from exceptions_app.targets import without_secrets
from integrations import outbox
from integrations.models import Delivery, InboxMessage
from integrations.restorations import forgotten_since

LONGEST_PROBLEM = 300


def lock(transaction_id: int) -> Transaction:
    """The row, locked until the caller's transaction ends; without the key, so that others may refer to it."""
    return (
        Transaction.objects.select_for_update(of=("self",), no_key=True)
        .select_related("connection", "case", "duplicate_of")
        .get(pk=transaction_id)
    )


def of_message(message: InboxMessage, *, at: datetime) -> Transaction:
    """The transaction that a message handed over, locked; made now when it came in by a way that knows none."""
    found = Transaction.objects.filter(inbox_message=message).values_list("pk", flat=True).first()
    return lock(found if found is not None else begin([message], at=at)[0].pk)


def begin(messages: list[InboxMessage], *, at: datetime) -> list[Transaction]:
    """A transaction for each message, before anybody has looked at it; few statements for many."""
    transactions = Transaction.objects.bulk_create(
        Transaction(
            inbox_message=message,
            connection=message.connection,
            external_id=message.external_id,
            handed_over_at=message.received_at,
            changed_at=at,
        )
        for message in messages
    )
    log.record_many(
        _entry(
            transaction,
            "transaction.handed_over",
            by=transaction.inbox_message.received_by,
            at=at,
            summary=f"{transaction.external_id} was handed over for delivery to {transaction.connection} "
            f"as {transaction.ref}.",
            data={"message": transaction.external_id, "sha256": transaction.inbox_message.content_sha256},
        )
        for transaction in transactions
    )
    return transactions


def identify(transaction: Transaction, **identity: Any) -> None:
    """What it holds and whose it is, once it is read. Whatever follows from it has the audit event."""
    for name, value in identity.items():
        setattr(transaction, name, value)
    transaction.save(update_fields=list(identity))


def send(
    transaction: Transaction, *, content: bytes, media_type: str, evidence: Mapping[str, object], by: str, at: datetime
) -> Delivery:
    """Send it on under the named policy; `evidence` is what it passed.

    The target is asked first when something of this name went there before, or may have before a restore.
    """
    connection = transaction.connection
    _move(
        transaction,
        Move.SEND,
        by=by,
        at=at,
        summary=f"{transaction.ref} ({transaction.document_number}) is sent to {connection} under {POLICY}.",
        data={
            "policy": POLICY,
            "handed_over_by": transaction.inbox_message.received_by,
            **evidence,
            "target": connection.slug,
            "target_url": without_secrets(connection.target_url),
            "content_sha256": transaction.content_sha256,
        },
        problem="",
        wait_until=None,
    )
    return outbox.enqueue(
        connection=connection,
        operation=Delivery.Operation.SUBMIT,
        object_type=transaction.object_type,
        business_key=transaction.business_key,
        content=content,
        media_type=media_type,
        subject=transaction.subject,
        correlation_id=transaction.ref,
        probe_first=_sent_before(transaction) or forgotten_since(transaction.handed_over_at) is not None,
        amount=transaction.amount,
        currency=transaction.currency,
        at=at,
    )


def _sent_before(transaction: Transaction) -> bool:
    return Delivery.objects.filter(
        connection=transaction.connection,
        operation=Delivery.Operation.SUBMIT,
        object_type=transaction.object_type,
        business_key=transaction.business_key,
    ).exists()


def wait(
    transaction: Transaction,
    *,
    content: bytes,
    media_type: str,
    reason: str,
    until: datetime,
    evidence: Mapping[str, object],
    at: datetime,
) -> None:
    """Keep it back, as it was read and checked, until others are delivered; `reason` names the first of them."""
    TransactionContent.objects.get_or_create(
        transaction=transaction, defaults={"payload": content, "media_type": media_type}
    )
    summary = f"{transaction.ref} waits: {reason}"
    _move(
        transaction,
        Move.WAIT,
        by=INTAKE,
        at=at,
        summary=summary,
        data=evidence,
        problem=_short(reason),
        wait_until=until,
    )


def hold(
    transaction: Transaction,
    case: ExceptionCase | None,
    *,
    problem: str,
    by: str,
    at: datetime,
    evidence: Mapping[str, object] | None = None,
) -> None:
    """Nothing more happens by itself: an exception took it up, or nobody could read it and `problem` says why."""
    where = f"as {case.ref}" if case is not None else "among the intake failures"
    _move(
        transaction,
        Move.HOLD,
        by=by,
        at=at,
        summary=f"{transaction.ref} is held {where}: {problem}",
        data={"exception": case.ref if case is not None else "", **(evidence or {})},
        problem=_short(problem),
        case=case,
        wait_until=None,
    )


def recognise(transaction: Transaction, first: Transaction, *, at: datetime) -> None:
    """The same document with the same content was handed over before: what became of that one is the answer."""
    _move(
        transaction,
        Move.RECOGNISE,
        by=INTAKE,
        at=at,
        summary=f"{transaction.ref} repeats {first.ref}; nothing is sent for it.",
        data={"first": first.ref, "content_sha256": transaction.content_sha256},
        duplicate_of=first,
        problem="",
    )


def lose_sight(transaction: Transaction, delivery: Delivery, *, by: str, at: datetime) -> None:
    """It may have been booked; the target is asked before anything else."""
    summary = f"It is not known whether the target booked {transaction.ref}; it is asked. {delivery.detail}".strip()
    _move(transaction, Move.LOSE_SIGHT, by=by, at=at, summary=summary, data=_told_of(delivery))


def deliver(transaction: Transaction, *, reference: str, by: str, at: datetime, delivery: Delivery) -> None:
    """The target has it, confirmed: by this transaction's own delivery or by that of its exception."""
    _move(
        transaction,
        Move.DELIVER,
        by=by,
        at=at,
        summary=f"{transaction.ref} ({transaction.document_number}) was delivered: {reference}.",
        data=_told_of(delivery),
        reference=reference,
        problem="",
    )


def close(transaction: Transaction, *, outcome: str, by: str, at: datetime, because: str, reference: str = "") -> None:
    """It ends without being delivered: with its exception, or set aside. `reference` names what is there instead."""
    summary = f"{transaction.ref} was closed without delivery: {because}"
    data = {"outcome": outcome, "reference": reference}
    _move(transaction, Move.CLOSE, by=by, at=at, summary=summary, data=data, outcome=outcome, reference=reference)


def reopen(transaction: Transaction, *, by: str, at: datetime) -> None:
    """Its exception was taken up again."""
    summary = f"{transaction.ref} is held again: its exception was reopened."
    _move(transaction, Move.REOPEN, by=by, at=at, summary=summary, outcome="", reference="")


def note(transaction: Transaction, name: str, *, by: str, at: datetime, summary: str, **data: object) -> None:
    """An audit event about it that changes nothing."""
    log.record_many([_entry(transaction, name, by=by, at=at, summary=summary, data=data)])


def _move(
    transaction: Transaction,
    move: Move,
    *,
    by: str,
    at: datetime,
    summary: str,
    data: Mapping[str, object] | None = None,
    **changes: Any,
) -> None:
    before = TransactionState(transaction.state)
    transaction.state = destination(move, state=before)
    changes = {"changed_at": at, "revision": transaction.revision + 1, **changes}
    for name, value in changes.items():
        setattr(transaction, name, value)
    transaction.save(update_fields=["state", *changes])
    row = TRANSACTION_MOVES[move]
    moved = {"from": before.value, "to": transaction.state, **(data or {})}
    log.record_many([_entry(transaction, row.past, by=by, at=at, summary=summary, data=moved)])
    if row.tells:
        tell(transaction, row.tells, at=at)


def _entry(
    transaction: Transaction, name: str, *, by: str, at: datetime, summary: str, data: Mapping[str, object]
) -> log.Entry:
    return log.Entry(
        action=name,
        subject=transaction.subject,
        scope=f"connection/{transaction.connection.slug}",
        actor=by,
        actor_kind="machine" if by.startswith((PREFIX, "folder:")) else "person",
        at=at,
        summary=summary,
        data=data,
        correlation_id=transaction.ref,
    )


def _told_of(delivery: Delivery) -> dict[str, object]:
    return {
        "delivery": delivery.pk,
        "state": delivery.state,
        "idempotency_key": delivery.key,
        "sends": delivery.sends,
        "content_sha256": delivery.content_sha256,
        "reference": delivery.reference,
        "detail": delivery.detail,
    }


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_PROBLEM else f"{text[: LONGEST_PROBLEM - 1]}…"
