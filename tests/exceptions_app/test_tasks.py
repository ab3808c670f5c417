from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db.models.functions import Now
from django.utils.timezone import now

from exceptions_app import tasks
from exceptions_app.actions.work import hold
from exceptions_app.models import ExceptionCase
from exceptions_app.states import State
from exceptions_app.tasks import sweep
from integrations.connectors.base import IncomingMessage
from integrations.connectors.registry import CONNECTORS, get_connector
from integrations.models import Connection, Delivery, InboxMessage
from integrations.refusals import MessageNotUnderstood, RefusedTransaction
from tests.arrivals import configure, handed_in, receive, replay
from tests.cast import Cast
from tests.exceptions_app.delivering import assert_resolved_once, submission
from tests.factories import make_case
from tests.simulator_process import RunningSimulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("connected")]


def put_on_hold(cast: Cast, *, until_in: timedelta) -> ExceptionCase:
    until = now() + until_in
    return hold(
        make_case(cast).pk, by=cast.clerk, at=until - timedelta(days=1), waiting_for="The customer.", until=until
    )


def test_sweep_does_everything_that_is_due(cast: Cast, simulator: RunningSimulator):
    approved = replay(cast, "INV-7001")
    due, not_due = put_on_hold(cast, until_in=-timedelta(hours=1)), put_on_hold(cast, until_in=timedelta(hours=1))
    receive(cast.connection, handed_in("message-2", number="INV-7002"))
    sweep()

    states = dict(ExceptionCase.objects.values_list("pk", "state"))
    assert (states[due.pk], states[not_due.pk]) == (State.IN_PROGRESS, State.WAITING)
    assert ExceptionCase.objects.get(document_number="INV-7002").state == State.NEW
    assert_resolved_once(approved, simulator)


def test_sweep_understands_what_newer_senders_add():
    sweep(hint="anything")


class UnspeakableReader:
    """Its complaint cannot even be written down."""

    def parse(self, message: IncomingMessage) -> list[RefusedTransaction]:
        raise MessageNotUnderstood("a NUL: \x00")


@pytest.fixture
def unspeakable(cast: Cast) -> Iterator[Connection]:
    reader: Any = UnspeakableReader()
    CONNECTORS["unspeakable"] = reader
    yield configure(Connection(slug="unspeakable", name="Unspeakable", connector="unspeakable"))
    del CONNECTORS["unspeakable"]


def test_step_that_breaks_off_keeps_no_other_waiting(
    cast: Cast, simulator: RunningSimulator, unspeakable: Connection, caplog: pytest.LogCaptureFixture
):
    approved = replay(cast, "INV-7001")
    on_hold = put_on_hold(cast, until_in=-timedelta(hours=1))
    message = receive(unspeakable, handed_in("bad")).message
    sweep()

    on_hold.refresh_from_db()
    assert "The sweep broke off in _read_messages" in caplog.text
    assert on_hold.state == State.IN_PROGRESS
    assert_resolved_once(approved, simulator)

    for _ in range(3):
        InboxMessage.objects.update(claimed_until=Now())
        sweep()
    message.refresh_from_db()
    assert (message.status, message.claims) == ("failed", 4)
    assert "broke off on this message 3 times" in message.problem


class Witness:
    """Notes which deliveries were under way when it read a message."""

    def __init__(self) -> None:
        self.saw: list[int] = []

    def parse(self, message: IncomingMessage) -> list[RefusedTransaction]:
        self.saw.append(Delivery.objects.filter(state__in=Delivery.LIVE).count())
        return []


def test_backlog_of_messages_keeps_nothing_that_was_approved_waiting(
    cast: Cast, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tasks, "READING", 0.0)
    witness: Any = Witness()
    monkeypatch.setitem(CONNECTORS, "witness", witness)
    source = configure(Connection(slug="witness", name="Witness", connector="witness"))
    approved = replay(cast, "INV-7001")
    for number in range(3):
        receive(source, handed_in(f"backlog-{number}"))
    on_hold = put_on_hold(cast, until_in=-timedelta(hours=1))

    sweep()
    on_hold.refresh_from_db()
    assert_resolved_once(approved, simulator)
    assert (witness.saw, on_hold.state) == ([0], State.IN_PROGRESS)  # the rest of the backlog is for the next sweep
    sweep()
    assert witness.saw == [0, 0]


class OutOfTime:
    """A connector in whose hands the time of the task runs out."""

    def __getattr__(self, name: str) -> Any:
        return getattr(get_connector("en16931"), name)

    def parse(self, message: IncomingMessage) -> list[RefusedTransaction]:
        raise SoftTimeLimitExceeded

    def client(self, endpoint: Any) -> Any:
        raise SoftTimeLimitExceeded


@pytest.fixture
def out_of_time(monkeypatch: pytest.MonkeyPatch) -> str:
    connector: Any = OutOfTime()
    monkeypatch.setitem(CONNECTORS, "out_of_time", connector)
    return "out_of_time"


def test_time_that_runs_out_while_reading_ends_the_sweep_and_is_not_the_fault_of_the_message(
    cast: Cast, out_of_time: str
):
    configure(cast.connection, connector=out_of_time)
    messages = [receive(cast.connection, handed_in(f"message-{number}")).message for number in range(2)]
    with pytest.raises(SoftTimeLimitExceeded):
        sweep()
    for message in messages:
        message.refresh_from_db()
    assert [(message.status, message.claims, message.problem) for message in messages] == [
        ("pending", 1, ""),
        ("pending", 0, ""),
    ]


def test_time_that_runs_out_while_sending_ends_the_sweep_and_leaves_the_delivery_to_the_next(
    cast: Cast, simulator: RunningSimulator, out_of_time: str
):
    case = replay(cast)
    configure(cast.connection, connector=out_of_time)
    with pytest.raises(SoftTimeLimitExceeded):
        sweep()
    delivery = submission(case)
    assert (delivery.state, delivery.claims, delivery.sends) == ("probing", 1, 0)

    configure(cast.connection, connector="en16931")
    Delivery.objects.update(due_at=Now())
    sweep()
    assert_resolved_once(case, simulator)
