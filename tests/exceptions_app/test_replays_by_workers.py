"""Workers that die, freeze or come at the same time: one effect, never two."""

from collections.abc import Iterator
from typing import Any

import pytest

from audit.queries import timeline
from exceptions_app import replays
from exceptions_app.actions.settle import settle
from exceptions_app.states import State
from integrations import delivery as engine
from integrations.connectors.base import Endpoint, TargetClient
from integrations.connectors.registry import CONNECTORS, get_connector
from integrations.models import Delivery
from tests.arrivals import configure, replay
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.exceptions_app.delivering import (
    assert_resolved_once,
    sent,
    submission,
    time_passes,
    work_until_done,
)
from tests.simulator_process import RunningSimulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("connected")]


def test_worker_that_died_before_sending_is_followed_by_one_that_sends(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    engine.claim(limit=8)
    assert replays.carry_out_due() == 0
    time_passes()
    work_until_done()
    assert_resolved_once(case, simulator)
    assert len(sent(simulator)) == 1


def test_worker_that_died_after_booking_is_followed_by_one_that_asks(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    [claim] = engine.claim(limit=8)
    engine.carry_out(claim)  # and is killed before it can write what came of it
    assert submission(case).state == "sending"
    time_passes()
    work_until_done()
    assert_resolved_once(case, simulator)
    assert len(sent(simulator)) == 1


def test_overtaken_worker_is_no_error_in_the_log(
    cast: Cast, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    case = replay(cast)
    frozen = engine.claim(limit=8)
    time_passes()
    work_until_done()
    caplog.clear()
    caplog.set_level("INFO")
    monkeypatch.setattr(engine, "claim", lambda **_: [frozen.pop()] if frozen else [])
    assert replays.carry_out_due() == 0

    told = [(record.levelname, record.getMessage()) for record in caplog.records if "elivery" in record.getMessage()]
    overtaken = f"Delivery {submission(case).pk} was overtaken: another worker has it, or has ended it."
    assert told == [("INFO", overtaken)]
    assert "Not sent" not in caplog.text
    assert_resolved_once(case, simulator)


def test_frozen_worker_that_wakes_up_late_changes_nothing(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    [frozen] = engine.claim(limit=8)
    time_passes()
    work_until_done()

    with pytest.raises(engine.Fenced):
        engine.carry_out(frozen)
    stale = engine.Settlement(frozen.delivery, frozen.epoch, Delivery.State.REFUSED, detail="Late.")
    assert settle(stale, at=MORNING) is False
    assert_resolved_once(case, simulator)
    assert len(sent(simulator)) == 1


def test_many_replays_by_workers_at_the_same_time_have_one_effect_each(cast: Cast, simulator: RunningSimulator):
    cases = [replay(cast, f"INV-{number}") for number in range(12)]
    at_the_same_time([replays.carry_out_due] * 3)
    work_until_done()
    for case in cases:
        assert_resolved_once(case, simulator, effects=12)
    assert len(sent(simulator)) == 12


class BrokenConnector:
    """The real connector with a client that cannot even be made."""

    def __getattr__(self, name: str) -> Any:
        return getattr(get_connector("en16931"), name)

    def client(self, endpoint: Endpoint) -> TargetClient:
        raise ZeroDivisionError


@pytest.fixture
def broken() -> Iterator[None]:
    CONNECTORS["broken"] = BrokenConnector()
    yield
    del CONNECTORS["broken"]


def test_delivery_that_breaks_off_its_workers_is_shown_and_others_go_on(
    cast: Cast, simulator: RunningSimulator, broken: None
):
    good = replay(cast, "INV-1002")
    work_until_done()
    case = replay(cast)
    configure(cast.connection, connector="broken")
    for _ in range(engine.MAX_CLAIMS):
        assert replays.carry_out_due() == 0
        time_passes()
    assert replays.carry_out_due() == 1

    case.refresh_from_db()
    assert (case.state, submission(case).state) == (State.REPLAYING, "queued")  # nothing was sent
    assert "broke off on this 3 times" in submission(case).detail
    told = list(timeline(case.subject))[-1]
    assert (told.action, told.actor) == ("case.sending_stopped", "machine:worker")
    assert told.summary == f"Sending of {case.ref} broke off: {submission(case).detail}"
    assert replays.carry_out_due() == 0  # it is left alone for a while
    assert_resolved_once(good, simulator)

    configure(cast.connection, connector="en16931")
    time_passes()
    work_until_done()
    assert_resolved_once(case, simulator, effects=2)
