"""Who may work on a delivery: claims with a fencing token and a lease."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Now

from integrations.crash_points import Point, passing
from integrations.delivery.gates import admitted
from integrations.delivery.holds import closed_to
from integrations.delivery.safeguards import Safeguard, stands
from integrations.models import Connection, Delivery, Gate
from integrations.promises import most_in_one_file

LEASE = timedelta(seconds=30)  # from the claim to the first intent; then as `attempts.lease_of` says
MAX_CLAIMS = 3
BROKE_OFF_TOO_OFTEN = 2  # then it is taken up and travels alone

State = Delivery.State
_DOCUMENTS_FIRST = (Delivery.Operation.SUBMIT, Delivery.Operation.REVERSE, Delivery.Operation.WRITE_BACK)


class Fenced(Exception):
    """Another worker claimed the delivery after us; what we know no longer counts."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery in our hands until its lease ends. `broke_off` when the last three claims came to no end."""

    delivery: Delivery
    epoch: int
    broke_off: bool = False


def claim(*, limit: int) -> list[Claim]:
    """Take due deliveries of one operation, documents before words to a source, the oldest first.

    Skips what others hold, connections to which nothing goes now (`holds`), and what is busy: an operation of a
    connection with as many under way as one claim takes. So a slow target keeps one worker waiting, not all, and a slow
    source no document. Of what is left, the gates of the targets let through as much as they have room for.
    With them come, beyond the limit, those that wait to travel in one file with them.
    """
    with transaction.atomic():
        due = admitted(_apart(next(filter(None, (_due(operation, limit) for operation in _DOCUMENTS_FIRST)), [])))
        due += _companions([delivery for delivery in due if not _is_suspect(delivery)])
        claims = [Claim(delivery, delivery.epoch + 1, delivery.claims >= MAX_CLAIMS) for delivery in due]
        # The due time doubles as the lease: until it passes nobody else takes the row.
        Delivery.objects.filter(pk__in=[delivery.pk for delivery in due]).update(
            epoch=F("epoch") + 1,
            claims=F("claims") + 1,
            lease_until=Now() + guarded_lease(LEASE),
            due_at=Now() + guarded_lease(LEASE),
            state=State.PROBING,
        )
        passing(Point.CLAIM_WRITTEN)
    passing(Point.CLAIMED)
    return claims


def _due(operation: Delivery.Operation, limit: int) -> list[Delivery]:
    """The oldest, locked until the transaction ends. Up to half of them are of those that may have been sent already,
    however young: people wait to know what became of these, and thousands that go for the first time may be older.

    Of one operation, so that the index gives the oldest without sorting.
    """
    under_way = Delivery.objects.filter(operation=operation, state__in=(State.PROBING, State.SENDING), due_at__gt=Now())
    counted = under_way.order_by().values("connection").annotate(at_once=Count("pk"))
    due = (
        _lockable()
        .filter(operation=operation, state__in=Delivery.LIVE, due_at__lte=Now(), waiting_for="")
        .exclude(connection__in=closed_to(operation))
        .exclude(connection__in=counted.filter(at_once__gte=limit).values("connection"))
        .order_by("due_at", "id")
    )
    in_doubt = list(due.filter(sends__gt=0)[: limit // 2])
    others = due.exclude(pk__in=[delivery.pk for delivery in in_doubt])[: limit - len(in_doubt)]
    return sorted([*in_doubt, *others], key=lambda delivery: (delivery.due_at, delivery.pk))


def _apart(due: list[Delivery]) -> list[Delivery]:
    """What broke its worker off time and again is taken up alone, so that it takes no other down with it."""
    if due and _is_suspect(due[0]):
        return due[:1]
    return [delivery for delivery in due if not _is_suspect(delivery)]


def _is_suspect(delivery: Delivery) -> bool:
    return delivery.claims >= BROKE_OFF_TOO_OFTEN


def _lockable() -> QuerySet[Delivery]:
    rows = Delivery.objects.select_for_update(of=("self",), skip_locked=True, no_key=True)
    return rows.select_related("connection")


def _companions(due: Sequence[Delivery]) -> list[Delivery]:
    """What was never sent, need not be asked about, and waits for nothing but to travel with one that is due."""
    found: list[Delivery] = []
    for connection in {delivery.connection for delivery in due if delivery.operation == Delivery.Operation.SUBMIT}:
        held = [delivery.pk for delivery in due if delivery.connection_id == connection.pk]
        room = most_in_one_file(connection) - len(held)
        if room > 0:
            found += _waiting(connection, held, room)
    return found


def _waiting(connection: Connection, held: Collection[int], room: int) -> QuerySet[Delivery]:
    # Before its first claim it waits for companions alone; after that its due time is a wait that it was told.
    ready = Q(epoch=0) | Q(due_at__lte=Now())
    canary_alone = Gate.objects.filter(opened_at__isnull=False).values("connection")
    return (
        _lockable()
        .select_related("content")
        .filter(ready, connection=connection, operation=Delivery.Operation.SUBMIT, state=State.QUEUED)
        .filter(sends=0, claims=0, probe_first=False, waiting_for="")
        .exclude(connection__in=canary_alone)
        .exclude(pk__in=held)
        .order_by("due_at", "id")[:room]
    )


def still_ours(claim: Claim) -> QuerySet[Delivery]:
    return live_of_epoch(claim.delivery.pk, claim.epoch)


def live_of_epoch(key: int, epoch: int) -> QuerySet[Delivery]:
    rows = Delivery.objects.filter(pk=key, state__in=Delivery.LIVE)
    return rows.filter(epoch=epoch) if stands(Safeguard.EPOCH) else rows


def refuse_overtaken(claim: Claim) -> None:
    """Raise Fenced when the delivery was claimed anew, or ended, after this claim."""
    if not still_ours(claim).exists():
        raise Fenced


def guarded_lease(lease: timedelta) -> timedelta:
    return lease if stands(Safeguard.LEASE) else timedelta()


def uncount(claim: Claim) -> None:
    """As if it had not been tried: what broke it off says nothing about the delivery. Its lease runs out as ever."""
    still_ours(claim).filter(claims__gt=0).update(claims=F("claims") - 1)


def renew(claims: Sequence[Claim], *, lease: timedelta) -> None:
    """Keep those that are still ours for longer: what waits for its turn is not taken by another worker."""
    seconds = lease.total_seconds()
    keys, epochs = [claim.delivery.pk for claim in claims], [claim.epoch for claim in claims]
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE integrations_delivery AS d"
            " SET due_at = now() + make_interval(secs => %s), lease_until = now() + make_interval(secs => %s)"
            " FROM unnest(%s::bigint[], %s::int[]) AS ours (id, epoch)"
            " WHERE d.id = ours.id AND d.epoch = ours.epoch AND d.state IN ('probing', 'sending')",
            [seconds, seconds, keys, epochs],
        )


def note_sent(claims: Sequence[Claim]) -> None:
    """A request that got no answer left at the latest now: a worker may have been frozen between intent and first byte.

    From here a late effect is waited for. Only of those that are still ours: whoever took one over notes it itself.
    """
    keys, epochs = [claim.delivery.pk for claim in claims], [claim.epoch for claim in claims]
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE integrations_delivery AS d SET last_sent_at = clock_timestamp()"
            " FROM unnest(%s::bigint[], %s::int[]) AS ours (id, epoch)"
            " WHERE d.id = ours.id AND d.epoch = ours.epoch AND d.state = 'sending'",
            [keys, epochs],
        )


def database_now() -> datetime:
    """The database's clock: workers disagree about the time, the database does not."""
    with database.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
