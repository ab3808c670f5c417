"""What a person can do about a message that could not be read, or a file that could not even be taken in."""

from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app.actions import handover_hold
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.connection_reach import connection_reach_of
from exceptions_app.wording import say
from integrations import inbox, quarantine
from integrations.models import Connection, FolderProblem, InboxMessage


def may_not_tend(connection: object) -> str:
    """Why a person may not act on the failures of a connection, in a sentence."""
    return say(
        "It needs the permission to correct in a queue and legal entity that {connection} leads to, "
        "or to configure the connection. An administrator can grant it.",
        connection=connection,
    )


def read_again(message_id: int, *, by: AbstractUser, at: datetime) -> InboxMessage:
    """Back to the reader, after the cause was mended. Raises NotPermitted, inbox.MessageRefused."""
    _require(message_id, by=by)
    return inbox.read_again(message_id, by=by.get_username(), at=at)


@transaction.atomic
def set_aside(message_id: int, *, by: AbstractUser, at: datetime, because: str) -> InboxMessage:
    """Nothing is to be done about it; it stays, with its original. Raises NotPermitted, inbox.MessageRefused."""
    _require(message_id, by=by)
    message = inbox.set_aside(message_id, by=by.get_username(), at=at, because=because)
    if message.purpose == InboxMessage.Purpose.DELIVER:
        handover_hold.set_aside(message, by=by.get_username(), at=at, because=because)
    return message


def set_file_aside(problem_id: int, *, by: AbstractUser, at: datetime, because: str) -> FolderProblem:
    """Nothing is left to do about a file in quarantine; it stays there. Raises NotPermitted, inbox.MessageRefused."""
    _require_care(FolderProblem.objects.select_related("connection").get(pk=problem_id).connection, by=by)
    return quarantine.set_aside(problem_id, by=by.get_username(), at=at, because=because)


def _require(message_id: int, *, by: AbstractUser) -> None:
    _require_care(InboxMessage.objects.select_related("connection").get(pk=message_id).connection, by=by)


def _require_care(connection: Connection, *, by: AbstractUser) -> None:
    if connection.pk not in connection_reach_of(by).tended:
        raise NotPermitted(may_not_tend(connection))
