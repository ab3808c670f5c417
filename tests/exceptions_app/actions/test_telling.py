"""The source is told how it ended: exactly once, signed, whatever happens on the way."""

import pytest

from exceptions_app import intake, replays
from exceptions_app.actions.propose import propose_decline, propose_dismissal
from exceptions_app.models import ExceptionCase
from exceptions_app.states import Outcome, State
from tests.arrivals import approve_open, configure, handed_in, hold_notice, receive, replay, take_in
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import (
    assert_resolved_once,
    sent,
    time_passes,
    told,
    work_until_done,
)
from tests.invoices import valid_invoice
from tests.simulator_process import RunningSimulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("connected")]


@pytest.mark.parametrize("fault", ["timeout_after", "timeout_before", "down", "too_many_requests"])
def test_source_is_told_exactly_once_whatever_happens_on_the_way(cast: Cast, simulator: RunningSimulator, fault: str):
    case = replay(cast)
    simulator.fault(fault, times=2, seconds=0, path="/source/webhook")
    work_until_done()
    assert_resolved_once(case, simulator)


def test_source_that_refuses_our_signature_is_told_once_that_is_mended(cast: Cast, simulator: RunningSimulator):
    configure(cast.connection, write_back_secret="whsec_" + "b3RoZXI=" * 6)
    case = replay(cast)
    other = replay(cast, "INV-1002")
    for _ in range(2):
        replays.carry_out_due()
        time_passes()
    cast.connection.refresh_from_db()
    assert cast.connection.is_paused is False
    assert set(ExceptionCase.objects.values_list("state", flat=True)) == {State.RESOLVED}
    assert told(simulator) == []

    configure(cast.connection, write_back_secret=simulator.webhook_secret)
    work_until_done()
    assert_resolved_once(case, simulator, effects=2)
    assert_resolved_once(other, simulator, effects=2)


def test_dismissal_and_decline_are_told_and_send_nothing(cast: Cast, simulator: RunningSimulator):
    dismissed = take_in(cast)
    propose_dismissal(
        dismissed.pk, outcome=Outcome.FIXED_AT_SOURCE, by=cast.clerk, at=MORNING, because="Cancelled at the source."
    )
    approve_open(dismissed, by=cast.controller)
    receive(cast.connection, handed_in("held", payload=valid_invoice("INV-1002"), refusal=hold_notice(),
                                       refusal_media_type="application/json"))  # fmt: skip
    intake.read_messages(limit=1, at=MORNING)
    declined = ExceptionCase.objects.get(kind="held")
    propose_decline(declined.pk, by=cast.clerk, at=MORNING, because="Not ordered.")
    approve_open(declined, by=cast.controller)
    work_until_done()

    assert sorted(told(simulator)) == [
        ("exception.declined", "dismissed", "declined"),
        ("exception.dismissed", "dismissed", "fixed_at_source"),
    ]
    reasons = {event["content"]["data"]["reason"] for event in simulator.events}
    assert reasons == {"Cancelled at the source.", "Not ordered."}
    assert (simulator.effects, sent(simulator)) == ([], [])
