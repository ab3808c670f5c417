"""Postings of an ERP through the hands of the cast and the engine: the domain needs no word of its own for them."""

import json
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from exceptions_app import intake
from exceptions_app.actions.correct import correct
from exceptions_app.actions.propose import propose_release
from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.states import State
from integrations import inbox
from integrations.connectors.erp import connector
from tests.arrivals import approve_open, configure, propose, receive
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import submission, work_until_done
from tests.integrations.connectors.erp.postings import journal
from tests.simulator_process import RunningSimulator
from workbench.models import User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("erp")]

ROWS = json.loads(journal())["lines"]
WITHOUT_COST_CENTER = journal(lines=[{**ROWS[0], "cost_center": None}, ROWS[1]])
WITH_A_WARNING = journal(lines=[{**ROWS[0], "cost_center": "CC-8000"}, ROWS[1]])
COST_CENTER = "/lines/0/cost_center"


@pytest.fixture
def erp(cast: Cast, connected: None, simulator: RunningSimulator) -> None:
    """The cast's connection leads to the ERP."""
    configure(cast.connection, connector="erp", target_url=simulator.erp_url)


def take_in(cast: Cast, simulator: RunningSimulator, payload: bytes) -> ExceptionCase:
    """The exception that comes of what the ERP answers to the source."""
    answer = simulator.post(
        "/erp/postings", payload, Content_Type="application/json", Idempotency_Key="the source's own key"
    )
    message = inbox.HandedIn(
        "message-1",
        payload,
        payload_media_type="application/json",
        refusal=answer.content,
        refusal_media_type="application/json",
        refusal_status=answer.status_code,
    )
    receive(cast.connection, message)
    intake.read_messages(limit=1, at=MORNING)
    return ExceptionCase.objects.get(document_number="JE-2026-0118")


def fill_in_cost_center(case: ExceptionCase, *, by: User) -> PayloadVersion:
    content = bytes(PayloadVersion.objects.get(case=case, number=1).content)
    steps = connector.operations_for(content, {COST_CENTER: "CC-1000"})
    return correct(case.pk, by=by, at=MORNING, because="As on the contract.", base_version=1, operations=steps)


def test_journal_without_a_cost_center_is_corrected_approved_and_booked_once(cast: Cast, simulator: RunningSimulator):
    case = take_in(cast, simulator, WITHOUT_COST_CENTER)
    version = fill_in_cost_center(case, by=cast.clerk)
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()

    case.refresh_from_db()
    [effect] = simulator.effects
    assert (case.object_type, case.state, case.outcome) == ("journal", State.RESOLVED, "replayed")
    assert case.reference == submission(case).reference == f"{effect['document']}/{effect['fiscal_year']}"
    assert effect["posting"] == json.loads(bytes(version.content))
    assert [event["content"]["data"]["reference"] for event in simulator.events] == [case.reference]


def test_time_out_after_booking_is_asked_about_and_booked_once(cast: Cast, simulator: RunningSimulator):
    case = take_in(cast, simulator, WITHOUT_COST_CENTER)
    fill_in_cost_center(case, by=cast.clerk)
    propose(case, by=cast.clerk)
    simulator.change_erp(honour_keys=False)
    simulator.fault("timeout_after", path="/erp/postings", times=1, seconds=0)
    approve_open(case, by=cast.controller)
    work_until_done()

    case.refresh_from_db()
    assert (case.state, case.outcome, len(simulator.effects)) == (State.RESOLVED, "replayed", 1)
    assert [attempt.phase for attempt in submission(case).attempts.order_by("pk")] == ["send", "probe"]


def post_to_an_erp_that_ignores_keys(
    cast: Cast, simulator: RunningSimulator, fault: str, **more: object
) -> ExceptionCase:
    case = take_in(cast, simulator, WITHOUT_COST_CENTER)
    fill_in_cost_center(case, by=cast.clerk)
    propose(case, by=cast.clerk)
    configure(cast.connection, target_kind="askable", **more)
    simulator.change_erp(honour_keys=False)
    simulator.fault(fault, path="/erp/postings", times=1, seconds=0)
    approve_open(case, by=cast.controller)
    work_until_done()
    case.refresh_from_db()
    return case


def phases_of(case: ExceptionCase) -> list[str]:
    return [attempt.phase for attempt in submission(case).attempts.order_by("pk")]


def test_erp_that_ignores_keys_is_asked_after_a_time_out_and_books_once(cast: Cast, simulator: RunningSimulator):
    case = post_to_an_erp_that_ignores_keys(cast, simulator, "timeout_after")

    assert (case.state, case.outcome, len(simulator.effects)) == (State.RESOLVED, "replayed", 1)
    assert phases_of(case) == ["send", "probe"]


def test_erp_that_ignores_keys_is_never_sent_a_second_copy_by_a_machine(cast: Cast, simulator: RunningSimulator):
    case = post_to_an_erp_that_ignores_keys(cast, simulator, "timeout_before")

    assert (case.state, submission(case).state, simulator.effects) == (State.IN_PROGRESS, "cancelled", [])
    assert phases_of(case) == ["send", "probe"]
    assert "does not recognise a repeat" in submission(case).detail


def test_erp_that_ignores_keys_is_sent_it_again_where_the_connection_opted_in(cast: Cast, simulator: RunningSimulator):
    case = post_to_an_erp_that_ignores_keys(cast, simulator, "timeout_before", resend_when_absent=True)

    assert (case.state, len(simulator.effects)) == (State.RESOLVED, 1)
    assert phases_of(case) == ["send", "probe", "send"]


def test_journal_held_for_a_warning_is_released_as_it_is(cast: Cast, simulator: RunningSimulator):
    case = take_in(cast, simulator, WITH_A_WARNING)
    propose_release(case.pk, by=cast.clerk, at=MORNING, because="The cost centre closes next year.")
    approve_open(case, by=cast.controller)
    work_until_done()

    case.refresh_from_db()
    [effect] = simulator.effects
    assert (case.kind, case.state, case.outcome) == ("held", State.RESOLVED, "released")
    assert effect["posting"] == json.loads(WITH_A_WARNING)


def test_closed_period_refuses_again_and_the_exception_is_worked_on(cast: Cast, simulator: RunningSimulator):
    simulator.change_erp(close_periods=["2026-11"])
    case = take_in(cast, simulator, journal())
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()

    case.refresh_from_db()
    assert (case.state, case.category, simulator.effects) == (State.IN_PROGRESS, "period_closed", [])


def test_page_names_the_line_and_the_field(
    cast: Cast, simulator: RunningSimulator, signed_in: Callable[[User], Client]
):
    case = take_in(cast, simulator, WITHOUT_COST_CENTER)

    page = signed_in(cast.clerk).get(reverse("exceptions:case", args=[case.ref])).content.decode()

    assert "The account needs a cost centre." in page
    assert "Line 1: Cost centre" in page
    assert "Journal entry" in page
