"""“Not there” counts from when the target was asked: a worker that was frozen over its answer learned nothing more."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from integrations import crash_points
from integrations import delivery as engine
from integrations.connectors.base import Endpoint, Observation, Presence
from integrations.connectors.registry import CONNECTORS, get_connector
from integrations.crash_points import Point
from integrations.delivery.claims import database_now
from integrations.models import Delivery, DeliveryAttempt
from tests.arrivals import configure
from tests.cast import Cast
from tests.integrations.enqueued import enqueue

pytestmark = pytest.mark.django_db

SETTLE_TIME = timedelta(seconds=2)


class Empty:
    """A target that takes its time with what it was sent, and has nothing yet."""

    def probe(self, **asked: Any) -> Observation:
        return Observation(Presence.ABSENT)


class SlowConnector:
    def __init__(self) -> None:
        self.capabilities = replace(get_connector("en16931").capabilities, settle_time=SETTLE_TIME)

    def __getattr__(self, name: str) -> Any:
        return getattr(get_connector("en16931"), name)

    def client(self, endpoint: Endpoint) -> Any:
        return Empty()


@pytest.fixture
def frozen_over_the_answer() -> Iterator[None]:
    def freeze(point: Point) -> None:
        sent_at = Delivery.objects.get().last_sent_at
        while point is Point.PROBE_ANSWERED and sent_at and database_now() < sent_at + SETTLE_TIME:
            time.sleep(0.05)

    CONNECTORS["slow"] = SlowConnector()
    crash_points.arm(freeze)
    yield
    crash_points.arm(None)
    del CONNECTORS["slow"]


@pytest.mark.parametrize("approved", [True, False])
def test_absence_counts_from_when_it_was_asked_for(cast: Cast, frozen_over_the_answer: None, approved: bool):
    configure(cast.connection, connector="slow")
    delivery = enqueue(cast.connection)
    Delivery.objects.update(sends=1, last_sent_at=Now(), state=Delivery.State.UNKNOWN)
    [claim] = engine.claim(limit=1)

    settlement = engine.find_out(claim) if approved else engine.hold_back(claim, because="Not approved.")

    delivery.refresh_from_db()
    assert delivery.last_sent_at is not None
    asked_early = DeliveryAttempt.objects.get().started_at < delivery.last_sent_at + SETTLE_TIME
    waits = settlement is not None and settlement.state == Delivery.State.UNKNOWN
    assert waits is asked_early  # and it is early, unless this machine is very slow
