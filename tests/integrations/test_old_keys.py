"""However old a key is, and whatever the target forgot, nothing goes again under it before the target was asked."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from integrations import delivery as engine
from integrations.connectors.base import Endpoint, TargetKind
from integrations.connectors.registry import CONNECTORS, get_connector
from integrations.models import Connection, Delivery
from tests.arrivals import configure
from tests.cast import Cast
from tests.integrations.enqueued import enqueue
from tests.model.target import Effect, Target

pytestmark = pytest.mark.django_db

KEY_LIFE = timedelta(days=1)
NOW = datetime(2026, 11, 2, tzinfo=UTC)


class Forgetful:
    """Its target knows a repeat by its key for a day, and has forgotten every key by now."""

    def __init__(self) -> None:
        declared = get_connector("en16931").capabilities
        self.capabilities = replace(declared, target_kind=TargetKind.DEDUPLICATES, key_life=KEY_LIFE)
        self.target = Target(TargetKind.DEDUPLICATES, refuses_names=False, now=NOW)

    def __getattr__(self, name: str) -> Any:
        return getattr(get_connector("en16931"), name)

    def client(self, endpoint: Endpoint) -> Target:
        return self.target


@pytest.fixture
def target(cast: Cast) -> Iterator[Target]:
    connector = Forgetful()
    CONNECTORS["forgetful"] = connector
    configure(cast.connection, connector="forgetful")
    yield connector.target
    del CONNECTORS["forgetful"]


def sent_long_ago(connection: Connection, part_of_its_life: float) -> Delivery:
    delivery = enqueue(connection)
    Delivery.objects.update(state="unknown", sends=1, last_sent_at=Now() - KEY_LIFE * part_of_its_life)
    return delivery


@pytest.mark.parametrize("part_of_its_life", [0.5, 0.79, 0.8, 0.99, 1.0, 400.0])
def test_what_was_booked_under_an_old_key_is_found_and_not_sent_again(
    cast: Cast, target: Target, part_of_its_life: float
):
    delivery = sent_long_ago(cast.connection, part_of_its_life)
    target.effects.append(Effect(delivery.business_key, bytes(delivery.content.body), "forgotten", NOW))

    [claim] = engine.claim(limit=1)
    settlement = engine.carry_out(claim)

    assert (settlement.state, target.requests, len(target.effects)) == ("confirmed", [], 1)
    assert [attempt.phase for attempt in delivery.attempts.all()] == ["probe"]


@pytest.mark.parametrize("part_of_its_life", [0.5, 0.8, 400.0])
def test_what_is_not_there_after_long_goes_again_only_once_that_was_asked(
    cast: Cast, target: Target, part_of_its_life: float
):
    delivery = sent_long_ago(cast.connection, part_of_its_life)

    [claim] = engine.claim(limit=1)
    settlement = engine.carry_out(claim)

    assert (settlement.state, len(target.requests), len(target.effects)) == ("confirmed", 1, 1)
    assert [attempt.phase for attempt in delivery.attempts.order_by("pk")] == ["probe", "send"]
