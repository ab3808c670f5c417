"""What a worker has claimed is its own, also when another was choosing in the same moment.

SELECT … FOR UPDATE SKIP LOCKED sees the rows as of its beginning. It locks a row before it looks whether the row still
matches, and what it locked for nothing stays locked until its transaction ends. To show that without depending on time,
the late worker chooses through a cursor: opened before the other claims, read afterwards.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from psycopg import Connection as Session

from integrations import delivery as engine
from integrations import inbox
from integrations.models import Delivery, DeliveryAttempt, InboxMessage
from tests.arrivals import receive
from tests.cast import Cast
from tests.integrations.enqueued import enqueue

CONFIRMED = Delivery.State.CONFIRMED
pytestmark = pytest.mark.django_db(transaction=True)


def choice_of(claim: Callable[[], object]) -> str:
    """The first statement with which `claim` chooses among all, seen while there is nothing to choose."""
    with CaptureQueriesContext(database) as captured:
        claim()
    chosen = (query["sql"] for query in captured if "SKIP LOCKED" in query["sql"])
    return next(choice for choice in chosen if '"sends" > 0' not in choice)


@contextmanager
def late_worker(choice: str) -> Iterator[Session[Any]]:
    """A worker that has begun to choose; FETCH lets it go on, ROLLBACK ends it."""
    session = database.get_new_connection(database.get_connection_params())
    try:
        session.autocommit = True
        session.execute("BEGIN")
        session.execute("DECLARE choice CURSOR FOR " + choice)
        yield session
    finally:
        session.close()


@contextmanager
def at_work(work: Callable[[], Any]) -> Iterator[Future[Any]]:
    """The work begun by another worker, which has a connection of its own."""

    def run() -> Any:
        try:
            return work()
        finally:
            database.close()

    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool.submit(run)


def waits_for(process: int, work: Future[Any]) -> bool:
    """Whether somebody comes to wait for that process of the database before the work has ended."""
    ends_at = time.monotonic() + 60
    with database.cursor() as cursor:
        while not work.done() and time.monotonic() < ends_at:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND %s = ANY(pg_blocking_pids(pid))", [process])
            if cursor.fetchone():
                return True
            time.sleep(0.01)
    return False


def read(claim: inbox.Claim) -> InboxMessage | None:
    with inbox.claimed(claim) as message:
        return message


def test_reader_gets_what_it_claimed_while_another_was_choosing(cast: Cast):
    choice = choice_of(inbox.claim)
    message = receive(cast.connection).message
    with late_worker(choice) as late:
        claim = inbox.claim()
        assert claim == inbox.Claim(message.pk, 1)
        assert late.execute("FETCH ALL FROM choice").fetchall() == []
        with at_work(lambda: read(claim)) as reading:
            waited = waits_for(late.info.backend_pid, reading)
            late.execute("ROLLBACK")
            assert (reading.result(60), waited) == (message, True)


def test_reader_gets_what_it_claimed_while_a_repeat_is_counted(cast: Cast):
    message = receive(cast.connection).message
    claim = inbox.claim()
    assert claim is not None
    with ExitStack() as ending, transaction.atomic():
        receive(cast.connection)
        reading = ending.enter_context(at_work(lambda: read(claim)))
        waited = waits_for(database.connection.info.backend_pid, reading)
    assert waited
    found = reading.result(60)
    assert (found, found.repeats) == (message, 1)


def test_reader_that_was_overtaken_gets_nothing_and_waits_for_nobody(cast: Cast):
    message = receive(cast.connection).message
    first = inbox.claim()
    InboxMessage.objects.update(claimed_until=None)
    second = inbox.claim()
    assert (first, second) == (inbox.Claim(message.pk, 1), inbox.Claim(message.pk, 2))
    assert first is not None
    assert second is not None
    with inbox.claimed(second) as held:
        with at_work(lambda: (read(first), inbox.claim())) as late:
            assert late.result(60) == (None, None)
        assert held == message


def test_worker_sends_what_it_claimed_while_another_was_choosing(cast: Cast):
    choice = choice_of(lambda: engine.claim(limit=8))
    delivery = enqueue(cast.connection)
    with late_worker(choice) as late:
        [claim] = engine.claim(limit=8)
        assert late.execute("FETCH ALL FROM choice").fetchall() == []
        with at_work(lambda: engine.begin(claim, DeliveryAttempt.Phase.SEND, Delivery.State.SENDING)) as sending:
            waited = waits_for(late.info.backend_pid, sending)
            late.execute("ROLLBACK")
            assert (sending.result(60), waited) == (DeliveryAttempt.objects.get(), True)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.sends, delivery.epoch) == ("sending", 1, 1)


def die_with(poison: Delivery, claims: Sequence[engine.Claim]) -> bool:
    """Whether the worker that holds these claims is killed by one of them; else it brings all of them to an end."""
    if any(claim.delivery == poison and not claim.broke_off for claim in claims):
        return True
    for claim in claims:
        ending = engine.park(claim) if claim.broke_off else engine.Settlement(claim.delivery, claim.epoch, CONFIRMED)
        assert engine.settle(ending) is not None
    return False


def test_delivery_that_kills_its_workers_is_parked_and_takes_no_other_with_it(cast: Cast):
    poison = enqueue(cast.connection, 0)
    others = [enqueue(cast.connection, number) for number in range(1, 20)]
    deaths = 0
    for _ in range(30):
        if claims := engine.claim(limit=8):
            deaths += die_with(poison, claims)
        else:
            let_leases_end_of_the_dead()
    poison.refresh_from_db()
    assert (deaths, poison.state, poison.claims) == (engine.MAX_CLAIMS, "queued", 0)
    assert "broke off on this 3 times" in poison.detail
    assert Delivery.objects.filter(pk=poison.pk, due_at__gt=Now() + timedelta(minutes=59)).exists()
    assert set(Delivery.objects.filter(state=CONFIRMED)) == set(others)
    assert not Delivery.objects.exclude(pk=poison.pk).filter(detail__contains="broke off").exists()


def let_leases_end_of_the_dead() -> None:
    """What was parked keeps its wait."""
    Delivery.objects.filter(state=Delivery.State.PROBING).update(due_at=Now() - timedelta(seconds=1))


@pytest.mark.parametrize("skew", [timedelta(days=3), timedelta(days=-3), timedelta(hours=-1), timedelta(minutes=10)])
def test_wrong_clock_of_a_worker_sends_nothing_early_and_steals_no_lease(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, skew: timedelta
):
    waiting, held = enqueue(cast.connection, 1), enqueue(cast.connection, 2)
    Delivery.objects.filter(pk=waiting.pk).update(due_at=Now() + timedelta(minutes=1))
    [claim] = engine.claim(limit=8)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + skew.total_seconds())
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime.now(UTC) + skew)
    assert (claim.delivery, engine.claim(limit=8)) == (held, [])
    engine.begin(claim, DeliveryAttempt.Phase.SEND, Delivery.State.SENDING)
    lost = engine.Settlement(claim.delivery, claim.epoch, Delivery.State.UNKNOWN, failed_technically=True)
    with transaction.atomic():
        assert engine.settle(lost) is not None
    assert engine.claim(limit=8) == []
    assert Delivery.objects.filter(due_at__gt=Now(), due_at__lte=Now() + timedelta(minutes=1)).count() == 2
