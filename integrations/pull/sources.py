"""When a source is fetched from, by whom, and what becomes of its schedule: one puller at a time, and never many.

A source that is due is claimed by moving its next time forward, so that a lost worker, or a broker that forgot, costs
one lease and no work. Nothing rests on the length of the lease: who pulls holds a lock, and whoever comes meanwhile
goes away.
"""

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from django.conf import settings as configured
from django.core.exceptions import ImproperlyConfigured
from django.db import connection as database
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from audit import log as audit_log
from integrations import quotas
from integrations.doorbell import TimeIsUp
from integrations.models import PullSource
from integrations.pull import rest, sftp
from integrations.pull.outcome import NoRoom, Overtaken, Pulled, PullFailed
from integrations.pull_settings import RestSettings, SettingsRefused, read_settings

log = logging.getLogger(__name__)

LONGEST_PULL = 150  # seconds
LEASE = 30  # seconds
LONGEST_QUEUE = 180  # seconds after which a pull that was asked for is forgotten; it is asked for again with each lease
_NO_ROOM = timedelta(seconds=5)
_FULL = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(hours=1)
_SOURCE_LOCKS, _PLACE_LOCKS = -11, -12  # advisory locks; those of connections count from 1, -1 and -2 are others'


def claim_due() -> list[int]:
    """The sources that are due by the database's clock, each given to one caller for the length of a lease."""
    with transaction.atomic():
        due = PullSource.objects.select_for_update(skip_locked=True, no_key=True)
        keys = list(
            due.filter(paused_at=None, next_due_at__lte=Now()).order_by("next_due_at").values_list("pk", flat=True)
        )
        PullSource.objects.filter(pk__in=keys).update(next_due_at=Now() + timedelta(seconds=LEASE))
    return keys


def give_back(source_id: int) -> None:
    """What was claimed and cannot be pulled now is due again."""
    _due_in(source_id, timedelta(0))


def pull_claimed(source_id: int, *, at: datetime) -> Pulled | None:
    """As `pull`, unless it was pulled since it was claimed: then its next time is later than a claim makes it.

    In a queue that is longer than a lease, one claim waits behind another.
    """
    claimed_at_most = Now() + timedelta(seconds=LEASE)
    if not PullSource.objects.filter(pk=source_id, next_due_at__lte=claimed_at_most).exists():
        return None
    return pull(source_id, at=at)


def pull(source_id: int, *, at: datetime) -> Pulled | None:
    """Fetch what is new. None when another puller is at it, all places are taken, or it is paused.

    Whatever goes wrong at the other side is noted with the source and raises nothing.
    """
    with _held(_SOURCE_LOCKS, [source_id]) as ours:
        if not ours:
            return None
        with _held(_PLACE_LOCKS, range(1, configured.PULLS_AT_ONCE + 1)) as place:
            if not place:
                _due_in(source_id, _NO_ROOM)
                return None
            return _pull(source_id, at=at)


@contextmanager
def _held(space: int, numbers: range | list[int]) -> Iterator[bool]:
    """One of these advisory locks, if any is free; it ends with its database session at the latest."""
    with database.cursor() as cursor:
        for number in numbers:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [space, number])
            if cursor.fetchone()[0]:
                break
        else:
            yield False
            return
    try:
        yield True
    finally:
        with suppress(Exception), database.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [space, number])


def _pull(source_id: int, *, at: datetime) -> Pulled | None:
    source = PullSource.objects.select_related("connection").defer("secret").get(pk=source_id)
    if source.is_paused:
        return None
    try:
        pulled = _fetch(source, at=at)
    except Overtaken:
        _due_in(source_id, timedelta(0))
        return None
    except NoRoom as full:
        _waits(source, full, at=at)
        return None
    except PullFailed as failure:
        _failed(source, failure, at=at)
        return None
    except TimeIsUp:
        _failed(source, PullFailed("It took too long and was broken off. What came is stored."), at=at)
        raise
    except Exception:
        log.exception("%s could not be pulled.", source)
        _failed(source, PullFailed("Something unexpected happened; the log of the worker has it."), at=at)
        return None
    _went_well(source, pulled, at=at)
    return pulled


def _fetch(source: PullSource, *, at: datetime) -> Pulled:
    try:
        settings = read_settings(source.kind, source.settings)
        source.refresh_from_db(fields=["secret"])
    except SettingsRefused as refused:
        raise PullFailed(f"The settings cannot be used. {refused}", pauses=True) from refused
    except ImproperlyConfigured as error:
        raise PullFailed(str(error)) from error
    if not quotas.has_room(source.connection, at=at):
        raise NoRoom(f"{source.connection} takes no more for now.", retry_after=_FULL.total_seconds())
    if isinstance(settings, RestSettings):
        return rest.pull(source, settings, at=at)
    return sftp.pull(source, settings, at=at)


def _went_well(source: PullSource, pulled: Pulled, *, at: datetime) -> None:
    wait = timedelta(seconds=source.every_seconds)
    if pulled.again_in is not None:
        wait = min(wait, pulled.again_in)
    PullSource.objects.filter(pk=source.pk).update(
        last_ok_at=at, failures=0, last_problem=pulled.notice, next_due_at=Now() + wait
    )
    log.info("%s: %s new, %s again, %s unusable", source.slug, pulled.taken, pulled.repeats, pulled.unusable)


def _waits(source: PullSource, full: NoRoom, *, at: datetime) -> None:
    """The source is well, and we are not: it counts as no failure."""
    PullSource.objects.filter(pk=source.pk).update(
        last_ok_at=at,
        failures=0,
        last_problem=f"It waits at the source: {full.problem}",
        next_due_at=Now() + timedelta(seconds=full.retry_after),
    )


def _failed(source: PullSource, failure: PullFailed, *, at: datetime) -> None:
    log.warning("%s could not be pulled: %s", source.slug, failure.problem)
    if failure.pauses:
        _pause(source, failure.problem, at=at)
        return
    PullSource.objects.filter(pk=source.pk).update(
        failures=F("failures") + 1,
        last_problem=failure.problem,
        next_due_at=Now() + wait_after(source.failures + 1, source.every_seconds, failure.retry_after),
    )


def wait_after(failures: int, every_seconds: int, retry_after: float | None) -> timedelta:
    """How long to wait after so many failures in a row: as long as the other side asked for, or longer each time."""
    usual = timedelta(seconds=every_seconds)
    longer = min(usual * (1 << min(failures - 1, 16)), max(usual, _LONGEST_WAIT))
    jittered = longer * random.uniform(0.75, 1.25)  # noqa: S311 - so that not all come at once
    return max(jittered, timedelta(seconds=retry_after or 0))


@transaction.atomic
def _pause(source: PullSource, problem: str, *, at: datetime) -> None:
    """The machine stops where to go on is of no use; a person resumes."""
    row = PullSource.objects.select_for_update(no_key=True).defer("secret").get(pk=source.pk)
    if row.is_paused:
        return
    row.paused_at, row.paused_because = at, problem
    row.failures, row.last_problem = row.failures + 1, problem
    row.save(update_fields=["paused_at", "paused_because", "failures", "last_problem"])
    audit_log.record(
        "pull_source.paused",
        subject=f"pull_source:{source.slug}",
        scope=f"connection/{source.connection.slug}",
        actor=f"pull:{source.slug}",
        actor_kind="machine",
        at=at,
        summary=f"{source} was paused: {problem}",
        because=problem,
    )


def _due_in(source_id: int, wait: timedelta) -> None:
    PullSource.objects.filter(pk=source_id).update(next_due_at=Now() + wait)
