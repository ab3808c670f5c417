"""Replays against a tax authority that is another process, with every fault that it knows: one effect, never two."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from audit.queries import timeline
from exceptions_app import intake, replays
from exceptions_app.actions import connections
from exceptions_app.actions.propose import propose_release
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ExceptionCase, Proposal
from exceptions_app.queries.connections import UNTOLD_AFTER
from exceptions_app.states import State
from integrations.models import Delivery, DeliveryAttempt, RetryPolicy
from tests.arrivals import approve_open, configure, handed_in, hold_notice, mend, propose, receive, replay, take_in
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import (
    actions_of,
    assert_resolved_once,
    sent,
    submission,
    time_passes,
    told,
    work_until_done,
)
from tests.invoices import valid_invoice
from tests.simulator_process import RunningSimulator
from workbench.models import User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("connected")]


def test_approved_correction_is_accepted_and_the_source_is_told(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    work_until_done()

    assert_resolved_once(case, simulator)
    delivery = submission(case)
    [attempt] = delivery.attempts.all()
    assert (attempt.phase, attempt.answer.outcome, attempt.answer.http_status) == ("send", "confirmed", 201)
    assert [effect["key"] for effect in simulator.effects] == [delivery.key]
    assert delivery.state == "confirmed"
    [event] = simulator.events
    assert event["id"] == Delivery.objects.get(operation="write_back").key
    assert event["content"]["data"]["message_id"] == "message-INV-1001"
    assert event["content"]["data"]["reference"] == case.reference
    assert replays.carry_out_due() == 0


def test_slow_target_changes_nothing(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    simulator.fault("slow", times=1, seconds=1)
    work_until_done()
    assert_resolved_once(case, simulator)


def test_refusal_spends_the_decision_and_the_next_attempt_is_decided_anew(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    simulator.fault("refuse", times=1)
    work_until_done()

    case.refresh_from_db()
    first = submission(case)
    assert (case.state, first.state, simulator.effects) == (State.IN_PROGRESS, "refused", [])
    assert Proposal.objects.get(case=case).state == Proposal.State.SPENT
    refused = [event for event in timeline(case.subject) if event.action == "case.refused_again"]
    assert [error["code"] for error in refused[0].data["errors"]] != []
    assert told(simulator) == []

    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()
    assert_resolved_once(case, simulator)
    assert submission(case).key == first.key


def test_time_out_before_booking_is_unknown_then_asked_then_sent_again_under_the_same_key(
    cast: Cast, simulator: RunningSimulator
):
    case = replay(cast)
    simulator.fault("timeout_before", times=1, seconds=0)
    replays.carry_out_due()

    case.refresh_from_db()
    assert (case.state, submission(case).state, simulator.effects) == (State.OUTCOME_UNKNOWN, "unknown", [])
    Delivery.objects.update(due_at=Now(), last_sent_at=Now() + timedelta(hours=1))
    replays.carry_out_due()
    assert submission(case).state == "unknown"  # its settle time has not passed: nothing is sent yet
    assert len(sent(simulator)) == 1

    time_passes()
    work_until_done()
    assert_resolved_once(case, simulator)
    assert [key for key, _ in sent(simulator)] == [submission(case).key] * 2
    assert [attempt.phase for attempt in submission(case).attempts.order_by("pk")] == ["send", "probe", "probe", "send"]


def test_time_out_after_booking_is_unknown_then_asked_and_never_sent_again(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    simulator.fault("timeout_after", times=1, seconds=0)
    replays.carry_out_due()

    case.refresh_from_db()
    assert (case.state, submission(case).state) == (State.OUTCOME_UNKNOWN, "unknown")
    assert len(simulator.effects) == 1
    assert told(simulator) == []

    time_passes()
    work_until_done()
    assert_resolved_once(case, simulator)
    assert len(sent(simulator)) == 1
    assert actions_of(case)[-5:] == [
        "case.approved",
        "case.outcome_unknown",
        "case.resolved",
        "case.source_notified",
        "case.source_told",
    ]


def test_answer_that_comes_too_late_is_found_by_asking(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    configure(cast.connection, timeout_seconds=1)
    simulator.fault("slow", times=1, seconds=3)
    replays.carry_out_due()
    assert submission(case).state == "unknown"

    configure(cast.connection, timeout_seconds=20)
    while not simulator.effects:
        time.sleep(0.05)
    time_passes()
    work_until_done()
    assert_resolved_once(case, simulator)
    assert len(sent(simulator)) == 1


def test_throttled_delivery_waits_as_long_as_it_is_told(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    simulator.fault("too_many_requests", times=1)
    replays.carry_out_due()

    case.refresh_from_db()
    delivery = submission(case)
    assert (case.state, delivery.state, delivery.sends, delivery.detail) == (State.REPLAYING, "queued", 0, "Slow down.")
    work_until_done()
    assert_resolved_once(case, simulator)
    assert [status for _, status in sent(simulator)] == [429, 201]


def test_target_that_is_down_is_tried_until_it_is_back(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    simulator.fault("down")
    for failures in (1, 2, 3):
        replays.carry_out_due()
        delivery = submission(case)
        assert (delivery.state, delivery.failures) == ("queued", failures)
        time_passes()
    case.refresh_from_db()
    assert case.state == State.REPLAYING

    simulator.fault("none")
    work_until_done()
    assert_resolved_once(case, simulator)


def test_target_that_cannot_be_reached_was_not_sent_anything(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    simulator.kill()
    try:
        replays.carry_out_due()
    finally:
        simulator.start()
    delivery = submission(case)
    assert (delivery.state, delivery.sends) == ("queued", 0)
    time_passes()
    work_until_done()
    assert_resolved_once(case, simulator)
    assert len(sent(simulator)) == 1


def test_unknown_outcome_stays_unknown_while_the_target_cannot_be_asked(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    simulator.fault("timeout_after", times=1, seconds=0)
    replays.carry_out_due()
    simulator.fault("down")
    for _ in range(3):
        time_passes()
        replays.carry_out_due()
        assert submission(case).state == "unknown"
    simulator.fault("none")
    time_passes()
    work_until_done()
    assert_resolved_once(case, simulator)


def test_other_content_under_the_same_number_is_a_conflict_for_a_person(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    simulator.submit(valid_invoice(seed=2), key="somebody-else")
    work_until_done()

    case.refresh_from_db()
    delivery = submission(case)
    assert (case.state, delivery.state) == (State.IN_PROGRESS, "conflict")
    assert case.reference == delivery.reference == simulator.effects[0]["clearance"]
    assert Proposal.objects.get(case=case).state == Proposal.State.SPENT
    assert actions_of(case)[-1] == "case.conflict_found"
    assert [effect["key"] for effect in simulator.effects] == ["somebody-else"]
    compared = DeliveryAttempt.objects.get(phase="compare")
    assert compared.answer.outcome == "different"
    assert told(simulator) == []


def test_conflict_that_was_cleared_may_be_proposed_again(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    simulator.submit(valid_invoice(seed=2), key="somebody-else")
    work_until_done()
    simulator.reset()
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()
    assert_resolved_once(case, simulator)


@pytest.mark.parametrize("asked_first", [True, False])
def test_same_content_that_is_there_already_ends_the_matter(cast: Cast, simulator: RunningSimulator, asked_first: bool):
    case = take_in(cast)
    if asked_first:
        receive(cast.connection, handed_in("message-504", refusal=b"", refusal_media_type="", refusal_status=504))
        intake.read_messages(limit=1, at=MORNING)
    version = mend(case, by=cast.clerk)
    simulator.submit(bytes(version.content), key="somebody-else")
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()

    assert_resolved_once(case, simulator, outcome="already_there")
    assert submission(case).state == "already_there"
    phases = [attempt.phase for attempt in submission(case).attempts.order_by("pk")]
    assert phases == (["probe"] if asked_first else ["send", "compare"])


def test_same_correction_of_a_delivered_document_is_found_there_and_not_sent_again(
    cast: Cast, simulator: RunningSimulator
):
    first = replay(cast)
    work_until_done()
    receive(cast.connection, handed_in("message-again"))
    intake.read_messages(limit=1, at=MORNING)
    again = ExceptionCase.objects.get(follows=first)
    mend(again, by=cast.clerk)
    propose(again, by=cast.clerk)
    approve_open(again, by=cast.controller)
    work_until_done()

    again.refresh_from_db()
    first.refresh_from_db()
    assert (again.state, again.outcome, again.reference) == ("resolved", "already_there", first.reference)
    assert submission(again).key == submission(first).key
    assert len(simulator.effects) == 1


def test_released_transaction_goes_out_as_it_came_in(cast: Cast, simulator: RunningSimulator):
    receive(cast.connection, handed_in("held", payload=valid_invoice(), refusal=hold_notice(),
                                       refusal_media_type="application/json"))  # fmt: skip
    intake.read_messages(limit=1, at=MORNING)
    case = ExceptionCase.objects.get(kind="held")
    propose_release(case.pk, by=cast.clerk, at=MORNING, because="Signed by the board.")
    approve_open(case, by=cast.controller)
    work_until_done()
    assert_resolved_once(case, simulator, outcome="released")
    assert bytes(submission(case).content.body) == valid_invoice()


def test_refused_sign_in_pauses_the_connection_and_resuming_goes_on(cast: Cast, simulator: RunningSimulator):
    configure(cast.connection, target_token="wrong")
    case = replay(cast)
    replays.carry_out_due()

    cast.connection.refresh_from_db()
    assert cast.connection.is_paused
    assert "then resume it" in cast.connection.paused_because
    assert (submission(case).state, simulator.effects) == ("queued", [])
    time_passes()
    assert replays.carry_out_due() == 0

    configure(cast.connection, target_token=simulator.token)
    connections.resume(cast.connection.pk, by=machine(SETUP), at=MORNING)
    work_until_done()
    assert_resolved_once(case, simulator)


def test_source_that_cannot_be_told_is_noted_once_and_shown(
    cast: Cast, simulator: RunningSimulator, signed_in: Callable[[User], Client]
):
    case = replay(cast)
    configure(cast.connection, write_back_url=f"{simulator.url}/nowhere")
    replays.carry_out_due()
    for _ in range(UNTOLD_AFTER - 2):
        time_passes()
        replays.carry_out_due()
    assert "case.source_not_told" not in actions_of(case)
    for _ in range(3):
        time_passes()
        replays.carry_out_due()

    telling = Delivery.objects.get(subject=case.subject, operation="write_back")
    assert (telling.is_live, telling.failures) == (True, UNTOLD_AFTER + 2)
    [noted] = [event for event in timeline(case.subject) if event.action == "case.source_not_told"]
    assert noted.data == {"delivery": telling.pk, "event": "exception.resolved", "tries": UNTOLD_AFTER}
    assert telling.detail in noted.summary

    page = signed_in(cast.clerk).get(reverse("exceptions:case", args=[case.ref])).content.decode()
    assert " ".join(page.split()).count(f"not told yet, after {UNTOLD_AFTER + 2} tries: {telling.detail}") == 1
    page = signed_in(cast.clerk).get(reverse("exceptions:connection", args=[cast.connection.slug])).content.decode()
    assert "The source has not been told how everything ended" in page

    configure(cast.connection, write_back_url=simulator.webhook_url)
    time_passes()
    replays.carry_out_due()
    assert actions_of(case)[-2:] == ["case.source_not_told", "case.source_told"]
    page = signed_in(cast.clerk).get(reverse("exceptions:connection", args=[cast.connection.slug])).content.decode()
    assert "The source has not been told" not in page


def test_tries_that_are_spent_bring_it_back_to_work_with_the_reason(cast: Cast, simulator: RunningSimulator):
    configure(RetryPolicy(connection=cast.connection, about=RetryPolicy.About.SENDING, tries=2))
    case = replay(cast)
    simulator.fault("down")
    for _ in range(2):
        replays.carry_out_due()
        time_passes()
    case.refresh_from_db()
    delivery = submission(case)
    assert (case.state, delivery.state, delivery.sends) == (State.IN_PROGRESS, "cancelled", 0)
    assert "Its tries are spent: it was tried 2 times in a row, and never reached the target." in delivery.detail
    assert actions_of(case)[-1] == "case.sending_stopped"
    simulator.fault("none")
    work_until_done()
    assert simulator.effects == []
