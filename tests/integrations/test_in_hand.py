"""A worker that was frozen over a send may send yet: nobody concludes anything before it has ended."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.db.models.functions import Now

from integrations import delivery as engine
from integrations.connectors.base import Answer, AnswerKind, Endpoint, Observation, Presence, TargetKind
from integrations.connectors.registry import CONNECTORS, get_connector
from integrations.delivery import Claim, Settlement, Statement
from integrations.delivery.claims import database_now
from integrations.delivery.in_hand import is_in_hand, taken_in_hand
from integrations.models import Delivery, DeliveryAttempt, DeliveryStatement
from tests.arrivals import configure
from tests.cast import Cast
from tests.integrations.enqueued import enqueue, let_leases_end

pytestmark = pytest.mark.django_db(transaction=True)

State = Delivery.State
SETTLE_TIME = timedelta(minutes=1)


class Target:
    """Has nothing. A document stays on its way to it until `arrive` is set."""

    def __init__(self) -> None:
        self.asked = 0
        self.left, self.arrive = threading.Event(), threading.Event()

    def submit(self, **document: Any) -> Answer:
        self.left.set()
        assert self.arrive.wait(60)
        return Answer(AnswerKind.UNKNOWN, detail="No answer.")

    def probe(self, **asked: Any) -> Observation:
        self.asked += 1
        return Observation(Presence.ABSENT)


class FrozenConnector:
    def __init__(self, target: Target, kind: TargetKind) -> None:
        self._target = target
        declared = get_connector("en16931").capabilities
        self.capabilities = replace(declared, target_kind=kind, settle_time=SETTLE_TIME)

    def __getattr__(self, name: str) -> Any:
        return getattr(get_connector("en16931"), name)

    def client(self, endpoint: Endpoint) -> Target:
        return self._target


class Frozen:
    """A worker that has a delivery on its way, its lease over."""

    def __init__(self, target: Target, delivery: Delivery, pool: ThreadPoolExecutor) -> None:
        self.target, self.delivery = target, delivery
        self._end: Future[Delivery | None] = pool.submit(self._work)
        assert target.left.wait(60)
        let_leases_end()

    @staticmethod
    def _work() -> Delivery | None:
        try:
            [claim] = engine.claim(limit=1)
            settlement = engine.carry_out(claim)
            with transaction.atomic():
                return engine.settle(settlement)
        finally:
            database.close()

    def thaw(self) -> Delivery | None:
        self.target.arrive.set()
        return self._end.result(60)


Freeze = Callable[[TargetKind], Frozen]


@pytest.fixture
def frozen(cast: Cast) -> Iterator[Freeze]:
    target = Target()

    def freeze(kind: TargetKind) -> Frozen:
        CONNECTORS["frozen"] = FrozenConnector(target, kind)
        configure(cast.connection, connector="frozen")
        return Frozen(target, enqueue(cast.connection), pool)

    with ThreadPoolExecutor(max_workers=1) as pool:
        yield freeze
        target.arrive.set()
    del CONNECTORS["frozen"]


def settled(how: Callable[[Claim], Settlement | None]) -> Delivery:
    let_leases_end()
    [claim] = engine.claim(limit=1)
    settlement = how(claim)
    assert settlement is not None
    with transaction.atomic():
        row = engine.settle(settlement)
    assert row is not None
    return row


def not_approved(claim: Claim) -> Settlement:
    return engine.hold_back(claim, because="Not approved.")


@pytest.mark.parametrize("how", [engine.find_out, engine.carry_out, not_approved])
def test_target_is_not_asked_while_a_request_may_still_leave(frozen: Freeze, how: Callable[[Claim], Settlement | None]):
    worker = frozen(TargetKind.ASKABLE)
    row = settled(how)
    assert (row.state, worker.target.asked, row.sends) == (State.SENDING, 0, 1)
    assert row.detail == "Another worker has it in hand and has not ended yet. Nothing is decided before that."
    assert row.due_at > database_now()
    assert worker.thaw() is None  # what it learned no longer counts


def test_late_effect_is_waited_for_from_when_the_frozen_worker_has_ended(frozen: Freeze):
    worker = frozen(TargetKind.ASKABLE)
    settled(engine.find_out)
    Delivery.objects.update(last_sent_at=Now() - 2 * SETTLE_TIME)
    thawed_at = database_now()
    worker.thaw()
    row = settled(engine.find_out)
    assert (row.state, worker.target.asked) == (State.UNKNOWN, 1)
    assert row.detail == "The target does not have it yet; it may still be working on it."
    assert row.last_sent_at is not None
    assert row.last_sent_at >= thawed_at


def test_late_effect_is_waited_for_from_the_answer_where_nobody_took_it_over(frozen: Freeze):
    worker = frozen(TargetKind.ASKABLE)
    Delivery.objects.update(last_sent_at=Now() - 2 * SETTLE_TIME)
    thawed_at = database_now()
    settled_by_itself = worker.thaw()
    assert settled_by_itself is not None
    assert settled_by_itself.last_sent_at is not None
    assert settled_by_itself.last_sent_at >= thawed_at
    row = settled(engine.find_out)
    assert (row.state, row.detail) == (State.UNKNOWN, "The target does not have it yet; it may still be working on it.")


def test_wait_for_a_late_effect_ends(frozen: Freeze):
    worker = frozen(TargetKind.ASKABLE)
    worker.thaw()
    settled(engine.find_out)
    Delivery.objects.update(last_sent_at=Now() - SETTLE_TIME)
    row = settled(engine.find_out)
    assert row.state == State.CANCELLED
    assert row.detail.startswith("The target does not recognise a repeat.")


@pytest.mark.parametrize("kind", [TargetKind.ASKABLE, TargetKind.NEITHER])
def test_nothing_is_stated_about_what_is_still_in_hand(frozen: Freeze, kind: TargetKind):
    worker = frozen(kind)
    [claim] = engine.claim(limit=1)
    statement = Statement(DeliveryStatement.Says.ABSENT, "", "0" * 64, stated_by="clara", agreed_by="conrad")
    with pytest.raises(engine.NotUnknown), transaction.atomic():
        engine.end_by(statement, delivery=Delivery.objects.get(pk=claim.delivery.pk))
    worker.delivery.refresh_from_db()
    assert worker.delivery.state == State.PROBING


def test_target_that_recognises_a_repeat_is_not_waited_for(frozen: Freeze):
    worker = frozen(TargetKind.DEDUPLICATES)
    [claim] = engine.claim(limit=1)
    engine.find_out(claim)
    assert worker.target.asked == 1


def test_second_worker_does_not_begin_what_the_first_has_in_hand(cast: Cast, frozen: Freeze):
    frozen(TargetKind.ASKABLE).thaw()
    delivery = enqueue(cast.connection, 2)
    Delivery.objects.exclude(pk=delivery.pk).update(due_at=Now() + timedelta(days=1))
    held, seen = threading.Event(), threading.Event()

    def hold() -> None:
        with taken_in_hand(delivery) as alone:
            assert alone
            held.set()
            seen.wait(60)
        database.close()

    with ThreadPoolExecutor(max_workers=1) as pool:
        first = pool.submit(hold)
        assert held.wait(60)
        [claim] = engine.claim(limit=1)
        settlement = engine.carry_out(claim)
        seen.set()
        first.result(60)
    assert settlement.state == State.QUEUED
    assert not DeliveryAttempt.objects.filter(delivery=delivery).exists()
    assert not is_in_hand(delivery)


def test_death_of_the_worker_ends_it(cast: Cast, frozen: Freeze):
    frozen(TargetKind.ASKABLE).thaw()
    delivery = enqueue(cast.connection, 2)

    def seen_by_another() -> bool:
        try:
            return is_in_hand(delivery)
        finally:
            database.close()

    with ThreadPoolExecutor(max_workers=1) as pool, taken_in_hand(delivery) as alone:
        assert alone
        assert not is_in_hand(delivery)  # its own
        assert pool.submit(seen_by_another).result(60)
        database.close()
        deadline = time.monotonic() + 60
        while pool.submit(seen_by_another).result(60):  # the server takes a moment to see that a session is gone
            assert time.monotonic() < deadline
            time.sleep(0.05)
