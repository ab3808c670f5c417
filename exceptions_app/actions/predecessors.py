"""What must be delivered before a transaction, as its sender named it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings

from exceptions_app.models import Predecessor, Transaction
from integrations.models import Connection, InboxContent, InboxMessage
from integrations.refusals import MessageNotUnderstood

LONGEST_WAIT: Final = timedelta(days=31)
MOST: Final = 50
"""Predecessors of one transaction."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """Connections with identifiers, and how long to wait for them before a person is told."""

    after: tuple[tuple[str, str], ...]
    longest: timedelta


def wishes_of(message: InboxMessage) -> Wishes:
    """What the message says about its order, kept beside its payload; raises MessageNotUnderstood."""
    context = _context_of(message)
    named = context.get("after") or []
    if not isinstance(named, list) or len(named) > MOST:
        raise MessageNotUnderstood(
            f"“after” is no list of up to {MOST} identifiers.", field="context", remedy="Name what must come first."
        )
    after = tuple(_named(one, message) for one in named)
    return Wishes(after=after, longest=_longest(context))


def _context_of(message: InboxMessage) -> Mapping[str, Any]:
    """What its sender knew besides, without the payload that stands beside it."""
    return InboxContent.objects.filter(pk=message.pk).values_list("context", flat=True).first() or {}


def _named(one: object, message: InboxMessage) -> tuple[str, str]:
    match one:
        case str():
            return message.connection.slug, one[:200]
        case {"connection": str(connection), "id": str(external_id)}:
            return connection, external_id[:200]
    raise MessageNotUnderstood(
        "A predecessor is not named by its identifier.", field="context", remedy="Name each by its identifier."
    )


def _longest(context: Mapping[str, Any]) -> timedelta:
    seconds = context.get("wait_at_most")
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 1:
        seconds = settings.HANDOVER_WAIT_SECONDS
    return min(timedelta(seconds=min(seconds, 10**9)), LONGEST_WAIT)


def remember(transaction: Transaction, wishes: Wishes) -> None:
    """Written once, however often it is read. Raises MessageNotUnderstood for a connection that there is not."""
    slugs = {slug for slug, _ in wishes.after}
    connections = {found.slug: found for found in Connection.objects.filter(slug__in=slugs)} if slugs else {}
    for slug in sorted(slugs - connections.keys()):
        raise MessageNotUnderstood(f"There is no connection “{slug}”.", field="context", remedy="Correct its name.")
    Predecessor.objects.bulk_create(
        [
            Predecessor(transaction=transaction, connection=connections[slug], external_id=external_id)
            for slug, external_id in wishes.after
        ],
        ignore_conflicts=True,
    )
