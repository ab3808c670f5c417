"""Carrying out what was approved: claim deliveries, send with many threads, settle each with its exception."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db import connection as database
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.timezone import now

from exceptions_app.actions import batch_run
from exceptions_app.actions.permission import NotApproved
from exceptions_app.actions.settle import require_approval, settle
from exceptions_app.outages import Outage, outage_of
from integrations import delivery as engine
from integrations.crash_points import Point, passing
from integrations.delivery.safeguards import Safeguard, stands
from integrations.doorbell import TimeIsUp

log = logging.getLogger(__name__)

THREADS = 8
# Seconds of claiming; the next sweep goes on. A claim takes up to 180, and a sweep has 240 with all that it does.
BUDGET = 30.0

Load = tuple[engine.Claim, ...]
Result = TypeVar("Result")


def carry_out_due() -> int:
    """Carry out what is due until nothing is left or the time is up. Returns how many were settled.

    What batches may begin next is begun in between, so that they go on as soon as something of them ends.
    """
    settled = 0
    ends_at = time.monotonic() + BUDGET
    with _crew() as carry_out_all:
        while time.monotonic() < ends_at:
            moved = batch_run.start_due()
            claims = engine.claim(limit=THREADS)
            if not claims and not moved:
                break
            if claims:
                settled += carry_out_all(engine.travelling_together(claims))
    return settled


@contextmanager
def _crew() -> Iterator[Callable[[Sequence[Load]], int]]:
    """Threads that keep their sessions of the database from one load to the next: in a new one nothing is planned yet,
    and to read all again that the database keeps for a session costs more than a delivery itself.
    """
    sessions: list[BaseDatabaseWrapper] = []

    def enter() -> None:
        session = connections[DEFAULT_DB_ALIAS]
        session.inc_thread_sharing()  # it is closed below, when its thread is gone
        sessions.append(session)

    def work(load: Load) -> int:
        if database.connection is not None and not database.is_usable():
            database.close()
        try:
            return _carry_out(load)
        finally:
            if database.errors_occurred:  # a lock of the session could be left in it
                database.close()

    def carry_out_all(loads: Sequence[Load]) -> int:
        return _carry_out(loads[0]) if len(loads) == 1 else sum(pool.map(work, loads))

    try:
        with ThreadPoolExecutor(max_workers=THREADS, initializer=enter) as pool:
            yield carry_out_all
    finally:
        for session in sessions:
            session.close()


def _in_threads(work: Callable[[Load], Result], loads: Sequence[Load]) -> list[Result]:
    """Several loads at the same time; a single one in this thread."""
    if len(loads) == 1:
        return [work(loads[0])]

    def work_apart(load: Load) -> Result:
        try:
            return work(load)
        finally:
            database.close()

    with ThreadPoolExecutor(max_workers=min(len(loads), THREADS)) as pool:
        return list(pool.map(work_apart, loads))


def _carry_out(load: Load) -> int:
    if len(load) > 1:
        return _carry_out_together(load)
    settled = False
    with _by_itself(load[0]):
        settled = _settle(_outcome_of(load[0]))
    return int(settled)


def _carry_out_together(load: Load) -> int:
    """Each is held against its approval and asked about by itself; what may be sent then travels in one file."""
    engine.keep(load)
    prepared = _in_threads(_prepare, [load[first::THREADS] for first in range(min(THREADS, len(load)))])
    settled = sum(number for number, _ in prepared)
    ready = [claim for _, claims in prepared for claim in claims]
    if ready:
        for settlement in engine.send_together(ready):
            with _by_itself(engine.Claim(settlement.delivery, settlement.epoch)):
                settled += _settle(settlement)
    return settled


def _prepare(load: Load) -> tuple[int, list[engine.Claim]]:
    """How many of them are settled already, and what may be sent now. A row that may not be sent stops no other."""
    settled, ready = 0, []
    for claim in load:
        with _by_itself(claim):
            settlement = _outcome_without_sending(claim)
            if settlement is None:
                ready.append(claim)
            else:
                settled += _settle(settlement)
    return settled, ready


@contextmanager
def _by_itself(claim: engine.Claim) -> Iterator[None]:
    """A claim from look-up to settlement. A crash in here leaves the row to the next claim, as unknown."""
    try:
        yield
    except engine.Fenced:
        log.info("Delivery %s was overtaken: another worker has it, or has ended it.", claim.delivery.pk)
    except TimeIsUp:
        raise  # of the task, not of this delivery, which the next claim finds as any that was broken off
    except Exception as error:
        # The lease runs out and the next claim asks the target first; failing the whole batch would help nobody.
        log.exception("Delivery %s broke off.", claim.delivery.pk)
        if outage_of(error) is Outage.DISK:
            engine.uncount(claim)  # a full disk is not its fault, however often it is tried


def _settle(settlement: engine.Settlement) -> bool:
    settled = settle(settlement, at=now())
    passing(Point.ENDED)
    return settled


def _outcome_of(claim: engine.Claim) -> engine.Settlement:
    return _held_back(claim) or engine.carry_out(claim)


def _outcome_without_sending(claim: engine.Claim) -> engine.Settlement | None:
    return _held_back(claim) or engine.find_out(claim)


def _held_back(claim: engine.Claim) -> engine.Settlement | None:
    """The end of a claim that may not be carried out; None when it may."""
    if claim.broke_off:
        return engine.park(claim)
    if not stands(Safeguard.APPROVAL):
        return None
    try:
        require_approval(claim.delivery)
    except NotApproved as error:
        engine.refuse_overtaken(claim)  # whoever took it over may have ended what the decision was for
        log.error("Not sent: %s", error)  # noqa: TRY400 - a refusal, not a fault of ours
        held = engine.hold_back(claim, because=str(error))
        passing(Point.HELD_BACK)
        return held
    passing(Point.APPROVAL_SEEN)
    return None
