"""A transaction that cannot go on by itself: into an exception, or before a person when nobody could read it."""

from datetime import datetime

from django.db import transaction as database_transaction

from exceptions_app.actions import handover
from exceptions_app.actions.open_case import open_or_repeat
from exceptions_app.models import ExceptionCase, Transaction
from exceptions_app.models.handover import SET_ASIDE
from integrations import inbox
from integrations.connectors.registry import get_connector
from integrations.models import InboxMessage
from integrations.refusals import (
    Category,
    MessageNotUnderstood,
    Refusal,
    RefusalError,
    RefusedTransaction,
    Severity,
    bounded,
    problem_of,
)

BEFORE_POSTING = "before_posting"
"""The sub-category of what was held before anything was sent."""
THE_WORKBENCH = "the workbench"
THE_CHECK = "the check here"


def finding(code: str, plain: str, *, general: str = "") -> RefusalError:
    """One error of our own, in plain words; `general` has no name, amount or value of this document."""
    return RefusalError(code, Severity.ERROR, plain, plain=plain, general=general, said_by=THE_WORKBENCH)


def refusal_before_posting(category: Category, *errors: RefusalError, sub: str = BEFORE_POSTING) -> Refusal:
    return Refusal(category=category, sub=sub, auto_retry=False, errors=errors)


def in_care(transaction: Transaction) -> Refusal | None:
    """Somebody works on this document already: then nothing is sent behind their back. None when nobody does."""
    same = ExceptionCase.objects.filter(
        connection=transaction.connection,
        object_type=transaction.object_type,
        business_key=transaction.business_key,
    )
    if not same.open().exists():
        return None
    error = finding("IN_CARE", "This document has an open exception, and was now handed over for delivery.")
    return refusal_before_posting(Category.DUPLICATE, error, sub="in_care")


def take_up(
    transaction: Transaction, refusal: Refusal, *, content: bytes, media_type: str, by: str, at: datetime
) -> None:
    """Open the exception for it, with `content` as its first version, or add it to the one that is open.

    Where no exception can be opened, such as for want of a route, its message becomes a visible intake failure.
    """
    message = transaction.inbox_message
    try:
        with database_transaction.atomic():
            case = open_for(transaction, refusal, content=content, media_type=media_type, at=at)
    except MessageNotUnderstood as error:
        inbox.fail(message, at=at, problem=error.problem, field=error.field, remedy=error.remedy)
        handover.hold(transaction, None, problem=error.problem, by=by, at=at)
        return
    handover.hold(transaction, case, problem=problem_of(bounded(refusal)), by=by, at=at)


def open_for(
    transaction: Transaction, refusal: Refusal, *, content: bytes, media_type: str, at: datetime
) -> ExceptionCase:
    """The exception for it, opened or open already. Raises MessageNotUnderstood where none can be."""
    refused = RefusedTransaction(
        object_type=transaction.object_type,
        business_key=transaction.business_key,
        refusal=bounded(refusal),
        record=get_connector(transaction.connection.connector).read(content),
        payload=content,
        media_type=media_type,
    )
    return open_or_repeat(transaction.inbox_message, refused, at=at, arrived_at=at)


def not_read(message: InboxMessage, *, by: str, at: datetime) -> None:
    """Its message became an intake failure: held without an exception, until somebody has it read again."""
    transaction = handover.of_message(message, at=at)
    handover.hold(transaction, None, problem=message.problem, by=by, at=at)


def set_aside(message: InboxMessage, *, by: str, at: datetime, because: str) -> None:
    """A person said that nothing is to be done about the message that handed it over.

    One that came in conflict and was never read is no transaction, and becomes none.
    """
    if Transaction.objects.filter(inbox_message=message).exists():
        transaction = handover.of_message(message, at=at)
        handover.close(transaction, outcome=SET_ASIDE, by=by, at=at, because=because)
