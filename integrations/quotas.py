"""How much a connection may hand in, and how much may wait: whoever comes beyond is told when to come again.

Cheap as long as there is room. A single look at two ends of an index says how many messages wait at most; only when
that is near the limit they are counted, and then one sender at a time, so that many at once do not pass it together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from django.conf import settings
from django.core.cache import cache
from django.db import connection as database
from django.db.models import F, QuerySet
from redis.exceptions import RedisError

from integrations.handed_in import MessageRefused
from integrations.models import Connection, InboxMessage, IntakeRate

MINUTE: Final = timedelta(minutes=1)
# So near to a limit the senders of a connection take turns. It is passed at most by what others have under way in the
# same moment who all began further away from it.
NEAR: Final = 10_000
LONGEST_WAIT: Final = 300  # seconds; who waits longer does not know that there is room again
_LOCK_SPACE: Final = -2  # connections count from 1, and the folders' locks are in -1
_COUNTED_AGAIN_AFTER: Final = 5  # seconds, for all connections together


class QuotaReached(MessageRefused):
    """No room for the message now. `retry_after` in seconds; `limit` is that of the connection, or of everything."""

    def __init__(self, problem: str, *, limit: str, quota: int, retry_after: int, installation: bool = False) -> None:
        super().__init__(
            problem, field="connection", remedy=f"Nothing of it was kept. Send the same again in {retry_after} seconds."
        )
        self.limit = limit
        self.quota = quota
        self.retry_after = retry_after
        self.installation = installation


@dataclass(slots=True)
class Room:
    """How many more may wait to be read, and how many more may come at all; None for as many as come."""

    waiting: int
    full: QuotaReached | None = None
    coming: int | None = None
    too_fast: QuotaReached | None = None
    taken: int = 0

    def take(self, *, waits: bool) -> QuotaReached | None:
        """Room for one more message, or why there is none. One that came in conflict waits for no reader."""
        if waits and not self.waiting:
            return self.full
        if self.coming == 0:
            return self.too_fast
        self.waiting -= waits
        self.coming = None if self.coming is None else self.coming - 1
        self.taken += 1
        return None


def room_of(connection: Connection, *, wanted: int, at: datetime) -> Room:
    """The room for `wanted` new messages; `count_taken` says afterwards how many it were, in the same transaction."""
    room = _among_the_pending(connection, wanted, at=at) if wanted else Room(0)
    if connection.per_minute is not None:
        began_at, taken = _rate_locked(connection, at=at)
        room.coming = max(0, connection.per_minute - taken)
        room.too_fast = QuotaReached(
            f"{connection} takes {connection.per_minute:,} new messages a minute, and so many came.",
            limit="per-minute",
            quota=connection.per_minute,
            retry_after=_until(began_at + MINUTE, at=at),
        )
    return room


def count_taken(connection: Connection, room: Room) -> None:
    if room.taken and connection.per_minute is not None:
        IntakeRate.objects.filter(connection=connection).update(taken=F("taken") + room.taken)


def has_room(connection: Connection, *, at: datetime) -> bool:
    """Whether one more message would be taken now; for those who can wait without being told."""
    if not _among_the_pending(connection, 1, at=at).waiting:
        return False
    rate = rate_of(connection, at=at)
    return rate is None or rate.left > 0


@dataclass(frozen=True, slots=True)
class Rate:
    """Of a connection with a limit per minute: how many are left in this one, and seconds until the next."""

    quota: int
    left: int
    seconds: int


def rate_of(connection: Connection, *, at: datetime) -> Rate | None:
    """None for a connection without such a limit."""
    if connection.per_minute is None:
        return None
    row = IntakeRate.objects.filter(connection=connection).first()
    if row is None or not timedelta() <= at - row.began_at < MINUTE:
        return Rate(connection.per_minute, connection.per_minute, ceil(MINUTE.total_seconds()))
    return Rate(connection.per_minute, max(0, connection.per_minute - row.taken), _until(row.began_at + MINUTE, at=at))


def policies_of(connection: Connection) -> Mapping[str, tuple[int, int | None]]:
    """Name of each limit, with how many messages and in how many seconds; None for as many as wait."""
    policies: dict[str, tuple[int, int | None]] = {"pending": (connection.most_pending, None)}
    if connection.per_minute is not None:
        policies["per-minute"] = (connection.per_minute, ceil(MINUTE.total_seconds()))
    return policies


def _among_the_pending(connection: Connection, wanted: int, *, at: datetime) -> Room:
    waiting, waiting_anywhere = _waiting_at_most(connection)
    most_anywhere: int = settings.INTAKE_MOST_PENDING
    if waiting_anywhere + wanted > most_anywhere and _pending_anywhere(most_anywhere) + wanted > most_anywhere:
        return Room(0, _reached(most_anywhere, InboxMessage.objects.all(), wanted, at=at))
    limit = connection.most_pending
    if waiting + wanted + min(NEAR, limit) <= limit:
        return Room(wanted)
    _one_sender_at_a_time(connection)
    room = limit - _counted(InboxMessage.objects.filter(connection=connection), limit)
    if room >= wanted:
        return Room(wanted)
    return Room(max(0, room), _reached(limit, connection.inbox_messages.all(), wanted, at=at, connection=connection))


def _waiting_at_most(connection: Connection) -> tuple[int, int]:
    """Of this connection and of all: what came since the oldest that waits, whether it waits itself or not."""
    first = "SELECT min(m.id) FROM integrations_inboxmessage m WHERE m.connection_id = {0} AND m.status = 'pending'"
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT ({first.format('%s')}),"  # noqa: S608 - made of the constants above
            f" (SELECT min(({first.format('c.id')})) FROM integrations_connection c),"
            " (SELECT max(id) FROM integrations_inboxmessage)",
            [connection.pk],
        )
        own, any_one, newest = cursor.fetchone()
    return (newest - own + 1 if own else 0), (newest - any_one + 1 if any_one else 0)


def _one_sender_at_a_time(connection: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_SPACE, connection.pk])


def _counted(messages: QuerySet[InboxMessage], limit: int) -> int:
    """How many of them wait, counted no further than the limit."""
    return messages.filter(status=InboxMessage.Status.PENDING).order_by()[:limit].count()


def _pending_anywhere(limit: int) -> int:
    """Counted now and then: while so much waits, counting it for each that comes would add to the trouble."""

    def count() -> int:
        return _counted(InboxMessage.objects.all(), limit)

    try:
        return int(cache.get_or_set("intake:pending", count, timeout=_COUNTED_AGAIN_AFTER) or 0)
    except (RedisError, OSError):
        return count()


def _reached(
    limit: int,
    messages: QuerySet[InboxMessage],
    wanted: int,
    *,
    at: datetime,
    connection: Connection | None = None,
) -> QuotaReached:
    """It is worth to come again when so many are read, at the pace at which the oldest came up to now."""
    oldest = messages.filter(status=InboxMessage.Status.PENDING).order_by("id").values_list("received_at", flat=True)
    since = oldest.first() or at
    seconds = (at - since).total_seconds() * max(wanted, limit // 100) / limit
    whose = f"{limit:,} messages of {connection}" if connection else f"{limit:,} messages of all connections"
    return QuotaReached(
        f"{whose} wait to be read already; there is no room for more.",
        limit="pending",
        quota=limit,
        retry_after=min(LONGEST_WAIT, max(1, ceil(seconds))),
        installation=connection is None,
    )


def _rate_locked(connection: Connection, *, at: datetime) -> tuple[datetime, int]:
    """When its minute began and how many came since; it begins anew when it is over, and nobody else counts now."""
    is_over = (
        "(EXCLUDED.began_at >= present.began_at + interval '1 minute'"
        " OR EXCLUDED.began_at < present.began_at - interval '1 minute')"
    )
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO integrations_intakerate AS present (connection_id, began_at, taken) VALUES (%s, %s, 0)"  # noqa: S608
            f" ON CONFLICT (connection_id) DO UPDATE SET taken = CASE WHEN {is_over} THEN 0 ELSE present.taken END,"
            f" began_at = CASE WHEN {is_over} THEN EXCLUDED.began_at ELSE present.began_at END"
            " RETURNING began_at, taken",
            [connection.pk, at],
        )
        began_at, taken = cursor.fetchone()
    return began_at, taken


def _until(moment: datetime, *, at: datetime) -> int:
    return max(1, ceil((moment - at).total_seconds()))
