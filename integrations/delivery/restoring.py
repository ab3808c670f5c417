"""After a restore: whatever is under way in the backup may have been sent since, and is treated so."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection as database
from django.db.models import F, Max, Value
from django.db.models.functions import Greatest, Now

from integrations.connectors.registry import UnknownConnector
from integrations.delivery.claims import State
from integrations.delivery.in_hand import LOCKS
from integrations.models import Connection, Delivery
from integrations.promises import effective_capabilities

_UNSIGNED: Final = 2**32  # pg_locks shows the number of a lock without its sign


@dataclass(frozen=True, slots=True)
class AtWork:
    """Workers that have something in their hands. `until` is None where only their end shows that they let go."""

    number: int
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Doubted:
    """What is under way for one connection. `was_sent` of it were sent in the backup already."""

    connection: Connection
    number: int
    was_sent: int
    can_be_asked: bool


def at_work() -> AtWork | None:
    """Whether a worker lives that claimed something; None when none does. By the database's clock."""
    in_hands = Delivery.objects.filter(state__in=(State.PROBING, State.SENDING), lease_until__gt=Now())
    ends_at = in_hands.aggregate(last=Max("lease_until"))["last"]
    if ends_at is not None:
        return AtWork(in_hands.count(), ends_at)
    held = _held_in_hand()
    return AtWork(held, None) if held else None


def _held_in_hand() -> int:
    """Sends that go on although the lease is over."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s::oid"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [LOCKS % _UNSIGNED],
        )
        number: int = cursor.fetchone()[0]
    return number


def lock_all_under_way() -> Sequence[Delivery]:
    """Everything that books something and has no end; no worker takes it up before the transaction ends."""
    rows = Delivery.objects.select_for_update(of=("self",), no_key=True).select_related("connection")
    return list(rows.filter(operation__in=Delivery.BOOKING, state__in=Delivery.LIVE).order_by("pk"))


def doubt(deliveries: Sequence[Delivery], *, at: datetime) -> list[Doubted]:
    """Have each of them, locked, asked about before it is sent; “not there” counts from `at` on and no earlier.

    Where the target cannot be asked, the worker finds it of unknown outcome, and two people state what became of it.
    """
    rows = Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries])
    rows.update(probe_first=True)
    rows.filter(sends__gt=0).update(last_sent_at=Greatest(F("last_sent_at"), Value(at)))
    by_connection: dict[Connection, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        by_connection[delivery.connection].append(delivery)
    return [
        Doubted(connection, len(own), sum(delivery.sends > 0 for delivery in own), _can_be_asked(connection))
        for connection, own in sorted(by_connection.items(), key=lambda item: item[0].slug)
    ]


def _can_be_asked(connection: Connection) -> bool:
    try:
        return effective_capabilities(connection).can_be_asked
    except UnknownConnector:
        return False
