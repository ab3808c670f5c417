"""The comparison of what is proven here with a target's own list: run, kept, and raised where they do not agree.

Each disagreement is raised once, as an alarm in the audit trail and as an exception in the queue of its document.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import connection as database
from django.db import transaction

from audit import log as audit_log
from exceptions_app.actions.open_case import one_reader_at_a_time
from exceptions_app.actions.raise_finding import raise_finding
from exceptions_app.machines import WORKER, is_machine, machine
from integrations import comparing
from integrations.comparing import CannotCompare, CannotList, Found, Outcome
from integrations.connectors.registry import CONNECTORS
from integrations.doorbell import TimeIsUp
from integrations.models import Comparison, ComparisonFinding, Connection, Delivery
from integrations.promises import effective_capabilities

log = logging.getLogger(__name__)

OVERLAP: Final = timedelta(hours=1)  # of two runs in a row: what shows late, by clocks that do not agree
LONGEST: Final = timedelta(days=31)  # that a run looks back when nobody says from when
AFTER_A_FAILURE: Final = timedelta(hours=1)
_LOCKS: Final = -13  # advisory locks of comparisons, by connection


class UnderWay(Exception):
    """Another comparison of this connection is running."""


def compare(
    connection_id: int,
    *,
    at: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    by: AbstractUser | None = None,
) -> Comparison:
    """Compare what we know with what the target booked in [since, until), in both directions.

    Without times from where the last complete run ended, up to what has had the time to show. What is under way is left
    to the next run. Of what is found, `comparison.findings` has what was not found before. A list that cannot be read
    makes a comparison that failed. Raises CannotCompare where the target has no list, UnderWay.
    """
    connection = Connection.objects.get(pk=connection_id)
    if not comparing.lists_what_it_has(connection):
        raise CannotCompare(f"{connection} has no list of what it booked that its connector could read.")
    until = until or at - effective_capabilities(connection).settle_time
    since = since or _since(connection, until=until)
    author = by or machine(WORKER)
    with _alone(connection):
        try:
            outcome = comparing.compare(connection, since=since, until=until)
        except CannotList as error:
            return _failed(connection, str(error), since=since, until=until, by=author, at=at)
        return _keep(connection, outcome, since=since, until=until, by=author, at=at)


def _since(connection: Connection, *, until: datetime) -> datetime:
    last = Comparison.objects.filter(connection=connection, state=Comparison.State.COMPLETE).order_by("-id").first()
    if last is not None:
        return max(min(last.compare_from, until - OVERLAP), until - LONGEST)
    first = (
        Delivery.objects.filter(connection=connection, operation__in=Delivery.BOOKING).order_by("created_at").first()
    )
    return max(first.created_at - OVERLAP, until - LONGEST) if first is not None else until - LONGEST


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """One at a time for a connection, also with two schedulers; ends with the database session at the latest."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCKS, connection.pk])
        if not cursor.fetchone()[0]:
            raise UnderWay(f"{connection} is being compared already.")
    try:
        yield
    finally:
        with suppress(Exception), database.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCKS, connection.pk])


@transaction.atomic
def _failed(
    connection: Connection, why: str, *, since: datetime, until: datetime, by: AbstractUser, at: datetime
) -> Comparison:
    log.error("%s could not be compared: %s", connection, why)
    _record(connection, "comparison.failed", f"{connection} could not be compared: {why}", by=by, at=at)
    return Comparison.objects.create(
        connection=connection,
        state=Comparison.State.FAILED,
        since=since,
        until=until,
        compare_from=since,
        detail=why[:1000],
        began_at=at,
        finished_at=_clock(),
    )


@transaction.atomic
def _keep(
    connection: Connection, outcome: Outcome, *, since: datetime, until: datetime, by: AbstractUser, at: datetime
) -> Comparison:
    """The run and all that it found, or nothing: what one run does not raise, no later one would look at."""
    new = _not_found_before(outcome.found)
    figures = {
        "since": since,
        "until": until,
        "listed": outcome.listed,
        "matched": outcome.matched,
        "not_ours": outcome.not_ours,
        "left_out": outcome.left_out,
        "found": len(outcome.found),
        "found_for_the_first_time": len(new),
    }
    words = f"{outcome.listed} entries of {connection} compared: {outcome.matched} agree, {len(new)} new disagreements."
    _record(connection, "comparison.finished", words, by=by, at=at, data=figures)
    compare_from = until - OVERLAP
    if outcome.earliest_left_out is not None:
        compare_from = min(compare_from, outcome.earliest_left_out - OVERLAP)
    comparison = Comparison.objects.create(
        connection=connection,
        state=Comparison.State.COMPLETE,
        since=since,
        until=until,
        listed=outcome.listed,
        matched=outcome.matched,
        not_ours=outcome.not_ours,
        left_out=outcome.left_out,
        compare_from=compare_from,
        began_at=at,
        finished_at=_clock(),
    )
    one_reader_at_a_time(connection.pk, [(found.delivery.object_type, found.delivery.business_key) for found in new])
    for found in new:
        raise_finding(found, comparison, by=by, at=at)
    return comparison


def _not_found_before(found: Sequence[Found]) -> list[Found]:
    """Each disagreement once, in an order that is the same for all."""
    by_fingerprint = {one.fingerprint: one for one in found}
    known = ComparisonFinding.objects.filter(fingerprint__in=by_fingerprint).values_list("fingerprint", flat=True)
    for fingerprint in known:
        del by_fingerprint[fingerprint]
    return [by_fingerprint[fingerprint] for fingerprint in sorted(by_fingerprint)]


def _clock() -> datetime:
    with database.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


def _record(
    connection: Connection,
    name: str,
    summary: str,
    *,
    by: AbstractUser,
    at: datetime,
    data: Mapping[str, object] | None = None,
) -> None:
    audit_log.record(
        name,
        subject=f"connection:{connection.slug}",
        scope=f"connection/{connection.slug}",
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=summary,
        data=data or {},
    )


def due(*, at: datetime) -> list[int]:
    """The connections whose comparison is due: daily unless the installation says otherwise, an hour after a failure.

    Not those where nothing was ever sent, and none that is paused: its list may be what is wrong with it.
    """
    every = timedelta(seconds=settings.COMPARE_EVERY_SECONDS)
    found = []
    for connection in Connection.objects.filter(paused_at=None, connector__in=CONNECTORS).order_by("pk"):
        last = Comparison.objects.filter(connection=connection).order_by("-id").first()
        wait = every if last is None or last.state == Comparison.State.COMPLETE else min(every, AFTER_A_FAILURE)
        if last is not None and last.finished_at > at - wait:
            continue
        sent = Delivery.objects.filter(connection=connection, operation__in=Delivery.BOOKING, sends__gt=0)
        if sent.exists() and comparing.lists_what_it_has(connection):
            found.append(connection.pk)
    return found


def compare_unless_done(connection_id: int, *, at: datetime) -> Comparison | None:
    """For the schedule: nothing that happens to one connection keeps another waiting."""
    try:
        return compare(connection_id, at=at)
    except (CannotCompare, UnderWay) as error:
        log.info("%s", error)
    except TimeIsUp:
        raise
    except Exception:
        log.exception("Connection %s could not be compared.", connection_id)
    return None
