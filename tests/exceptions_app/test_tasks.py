from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils.timezone import now

from exceptions_app.actions.work import hold
from exceptions_app.models import ExceptionCase
from exceptions_app.states import State
from exceptions_app.tasks import sweep
from integrations.connectors.base import IncomingMessage
from integrations.connectors.registry import CONNECTORS
from integrations.models import Connection, InboxMessage
from integrations.refusals import MessageNotUnderstood, RefusedTransaction
from tests.arrivals import configure, handed_in, receive, replay
from tests.cast import Cast
from tests.exceptions_app.delivering import assert_resolved_once
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
