"""A connection that is cut during COMMIT leaves open what became of it. It is looked up, and nothing is there twice."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, transaction
from django.db import connection as database

from integrations import delivery as engine
from integrations.connectors.base import Endpoint, TargetKind
from integrations.connectors.registry import CONNECTORS, get_connector
from integrations.models import Delivery, DeliveryAttempt, InboxMessage
from tests.arrivals import configure, handed_in, receive
from tests.cast import Cast
from tests.commit_cutter import Cut, Line, cuttable
from tests.exceptions_app.delivering import time_passes
from tests.integrations.enqueued import enqueue
from tests.model.target import Target

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES, DELIVERIES = 116, 12
COMMITS = 4  # of one delivery: the claim, the intent to ask, the intent to send, the end
CUTS = 7  # of each delivery: when the end is in doubt, it is found there, and there is no fourth commit to cut


@pytest.fixture
def line(cast: Cast) -> Iterator[Line]:
    with tempfile.TemporaryDirectory(prefix="wb-line-", dir="/tmp") as directory, cuttable(Path(directory)) as made:
        yield made


def interrupted(work: Callable[[], object]) -> bool:
    """Whether the database was lost over it. The connection is made anew afterwards, as for the next request."""
    try:
        work()
    except (OperationalError, InterfaceError):
        return True
    finally:
        database.close()
    return False


def test_message_whose_commit_is_in_doubt_is_kept_once_when_its_sender_repeats_it(cast: Cast, line: Line):
    heard, cuts = [], [how for _, how in zip(range(MESSAGES), cycle(Cut), strict=False)]
    for number, how in enumerate(cuts):
        message = handed_in(f"message-{number}")
        line.cut_at(1, how)
        assert interrupted(partial(receive, cast.connection, message))
        heard.append(receive(cast.connection, message))

    assert line.cuts == MESSAGES
    assert InboxMessage.objects.count() == MESSAGES
    assert [receipt.is_repeat for receipt in heard] == [how is Cut.AFTER for how in cuts]


class InMemory:
    """A connector whose target is in this process and knows a repeat by its key."""

    def __init__(self) -> None:
        self.target = Target(TargetKind.DEDUPLICATES, refuses_names=False, now=datetime(2026, 11, 2, tzinfo=UTC))

    def __getattr__(self, name: str) -> Any:
        return getattr(get_connector("en16931"), name)

    def client(self, endpoint: Endpoint) -> Target:
        return self.target


@pytest.fixture
def target(cast: Cast) -> Iterator[Target]:
    connector = InMemory()
    CONNECTORS["in-memory"] = connector
    configure(cast.connection, connector="in-memory")
    yield connector.target
    del CONNECTORS["in-memory"]


def carry_out_next() -> None:
    for claim in engine.claim(limit=1):
        with suppress(engine.Fenced):
            settlement = engine.carry_out(claim)
            with transaction.atomic():
                engine.settle(settlement)


def test_delivery_whose_commits_are_in_doubt_is_booked_once(cast: Cast, target: Target, line: Line):
    for number in range(DELIVERIES):
        enqueue(cast.connection, number)
        for commit in range(1, COMMITS + 1):
            for how in Cut:
                line.cut_at(commit, how)
                interrupted(carry_out_next)
                time_passes()
        line.cut_at(0, Cut.BEFORE)
        for _ in range(4):
            carry_out_next()
            time_passes()

    assert [(row.state, row.business_key) for row in Delivery.objects.order_by("pk")] == [
        ("confirmed", f"NL1|INV-{number}") for number in range(DELIVERIES)
    ]
    assert [effect.name for effect in target.effects] == [f"NL1|INV-{number}" for number in range(DELIVERIES)]
    sends = DeliveryAttempt.objects.filter(phase="send")
    assert len(target.requests) <= sends.count()
    assert {key for key, _, _ in target.requests} == {*Delivery.objects.values_list("key", flat=True)}
    assert line.cuts == CUTS * DELIVERIES
