"""A target that recognises no repeat and cannot be asked: what is sent there after what came of the sendings before."""

import pytest
from django.utils.timezone import now

from exceptions_app import intake, replays
from exceptions_app.actions import unknown
from exceptions_app.actions.unknown import Proof
from exceptions_app.models import ExceptionCase, Occurrence
from exceptions_app.states import State
from integrations.handed_in import HandedIn
from integrations.models import Connection
from tests.arrivals import approve_open, configure, propose, receive
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import submission
from tests.exceptions_app.handover.handing_over import erp
from tests.exceptions_app.test_erp_replays import WITHOUT_COST_CENTER, fill_in_cost_center, take_in
from tests.exceptions_app.test_second_booking import confirmed_before
from tests.simulator_process import RunningSimulator

__all__ = ["erp"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def case(cast: Cast, erp: Connection, simulator: RunningSimulator) -> ExceptionCase:
    """Refused at its source, and corrected."""
    simulator.change_erp(honour_keys=False, deduplicate_references=False)
    configure(erp, target_kind="neither")
    found = take_in(cast, simulator, WITHOUT_COST_CENTER)
    fill_in_cost_center(found, by=cast.clerk)
    return found


def send(case: ExceptionCase, cast: Cast, simulator: RunningSimulator, fault: str = "none") -> tuple[str, str]:
    """Proposed, approved and carried out once; how the exception and its delivery stand."""
    simulator.fault(fault, path="/erp/postings", times=1, seconds=0)
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    replays.carry_out_due()
    case.refresh_from_db()
    return case.state, submission(case).state


def state_absent(case: ExceptionCase, cast: Cast) -> None:
    unknown.state_absent(case.pk, proof=Proof(), by=cast.clerk, at=MORNING, because="Looked there.")
    approve_open(case, by=cast.controller)


def come_in_with_a_time_out(connection: Connection) -> None:
    """The source sent it again by itself, and never heard what became of it."""
    message = HandedIn(
        "message-2", WITHOUT_COST_CENTER, payload_media_type="application/json", refusal=b"gateway time-out",
        refusal_media_type="text/plain", refusal_status=504,
    )  # fmt: skip
    receive(connection, message, at=now())
    intake.read_messages(limit=1, at=now())


def test_after_a_refusal_it_is_sent_straight_away(cast: Cast, case: ExceptionCase, simulator: RunningSimulator):
    assert send(case, cast, simulator, "refuse") == (State.IN_PROGRESS, "refused")
    assert send(case, cast, simulator, "refuse") == (State.IN_PROGRESS, "refused")
    assert send(case, cast, simulator) == (State.RESOLVED, "confirmed")
    assert [attempt.phase for attempt in submission(case).attempts.all()] == ["send"]
    assert len(simulator.effects) == 1


def test_what_may_have_been_booked_is_left_to_people(cast: Cast, case: ExceptionCase, simulator: RunningSimulator):
    assert send(case, cast, simulator, "timeout_after") == (State.OUTCOME_UNKNOWN, "unknown")
    assert (submission(case).sends, len(simulator.effects)) == (1, 1)


def test_refusal_after_a_statement_leaves_no_doubt(cast: Cast, case: ExceptionCase, simulator: RunningSimulator):
    send(case, cast, simulator, "timeout_before")
    state_absent(case, cast)
    assert send(case, cast, simulator, "refuse") == (State.IN_PROGRESS, "refused")
    assert send(case, cast, simulator) == (State.RESOLVED, "confirmed")
    assert len(simulator.effects) == 1


def test_one_refusal_says_nothing_of_another_sending(cast: Cast, case: ExceptionCase, simulator: RunningSimulator):
    send(case, cast, simulator, "refuse")
    latest = case.versions.order_by("-number")[0]
    confirmed_before(case.connection, bytes(latest.content), reference="1000/2025")
    assert send(case, cast, simulator) == (State.OUTCOME_UNKNOWN, "unknown")
    assert (submission(case).sends, simulator.effects) == (0, [])


def test_what_was_given_up_without_a_word_of_the_target_is_no_refusal(
    cast: Cast, case: ExceptionCase, simulator: RunningSimulator
):
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    configure(case.connection, target_url=f"{simulator.erp_url}/")
    replays.carry_out_due()
    assert (submission(case).state, submission(case).sends) == ("cancelled", 0)
    assert send(case, cast, simulator)[0] == State.OUTCOME_UNKNOWN


@pytest.mark.parametrize("stated", [False, True])
def test_source_that_may_have_sent_it_meanwhile_is_a_doubt(
    cast: Cast, case: ExceptionCase, simulator: RunningSimulator, stated: bool
):
    if stated:
        send(case, cast, simulator, "timeout_before")
        state_absent(case, cast)
    send(case, cast, simulator, "refuse")
    come_in_with_a_time_out(case.connection)
    assert Occurrence.objects.filter(case=case).latest("pk").definitive is False
    assert send(case, cast, simulator)[0] == State.OUTCOME_UNKNOWN
    assert simulator.effects == []
