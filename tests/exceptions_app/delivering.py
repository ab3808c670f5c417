"""Deliveries to the simulator: the connection, the passing of time, and what must hold at the end."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from audit.queries import timeline
from exceptions_app import replays
from exceptions_app.models import ExceptionCase
from exceptions_app.states import State
from integrations.models import Delivery
from tests.arrivals import configure
from tests.cast import Cast
from tests.gates import gates_open
from tests.simulator_process import RunningSimulator


@pytest.fixture
def connected(cast: Cast, simulator: RunningSimulator, settings: Settings) -> None:
    """The cast's connection leads to the simulator."""
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True
    configure(
        cast.connection,
        target_url=simulator.authority_url,
        target_token=simulator.token,
        write_back_url=simulator.webhook_url,
        write_back_secret=simulator.webhook_secret,
        timeout_seconds=20,
    )


def time_passes() -> None:
    """Leases and waits end, those of whole targets too, and what was sent has had time to show."""
    live = Delivery.objects.filter(state__in=Delivery.LIVE)
    live.update(due_at=Now() - timedelta(seconds=1))
    live.filter(last_sent_at__isnull=False).update(last_sent_at=Now() - timedelta(minutes=1))
    gates_open()


def work_until_done(rounds: int = 10) -> None:
    for _ in range(rounds):
        replays.carry_out_due()
        if not Delivery.objects.filter(state__in=Delivery.LIVE).exists():
            return
        time_passes()
    pytest.fail(f"Still under way: {list(Delivery.objects.values_list('state', 'detail'))}")


def submission(case: ExceptionCase) -> Delivery:
    return Delivery.objects.filter(subject=case.subject, operation="submit").latest("pk")


def told(simulator: RunningSimulator) -> list[tuple[str, str, str]]:
    """What the source was told: type, state and outcome."""
    data = [(event["content"]["type"], event["content"]["data"]) for event in simulator.events]
    return [(kind, body["state"], body["outcome"]) for kind, body in data]


def sent(simulator: RunningSimulator) -> list[tuple[str, int | None]]:
    """Every submission that the authority saw: its key and what was answered."""
    return [(attempt["key"], attempt["status"]) for attempt in simulator.attempts]


def actions_of(case: ExceptionCase) -> list[str]:
    return [event.action for event in timeline(case.subject)]


def assert_resolved_once(
    case: ExceptionCase, simulator: RunningSimulator, *, outcome: str = "replayed", effects: int = 1
) -> None:
    case.refresh_from_db()
    delivery = submission(case)
    [effect] = [effect for effect in simulator.effects if effect["number"] == case.document_number]
    assert (case.state, case.outcome) == (State.RESOLVED, outcome)
    assert case.reference == delivery.reference == effect["clearance"]
    assert (effect["sha256"], len(simulator.effects)) == (delivery.content_sha256, effects)
    assert actions_of(case).count("case.resolved") == 1
    assert actions_of(case).count("case.source_told") == 1
    assert told(simulator).count(("exception.resolved", "resolved", outcome)) == effects
