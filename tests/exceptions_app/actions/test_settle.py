"""A row of the outbox is no permission: whoever wrote it, only what was approved leaves the house."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from audit.models import AuditEvent
from audit.queries import timeline
from exceptions_app import replays
from exceptions_app.actions import connections
from exceptions_app.actions.permission import NotApproved
from exceptions_app.actions.propose import propose_dismissal
from exceptions_app.actions.settle import require_approval
from exceptions_app.models import ExceptionCase, Proposal
from exceptions_app.states import Outcome, State
from integrations.models import Connection, Delivery, DeliveryContent
from integrations.outbox import idempotency_key
from tests.arrivals import approve_open, configure, mend, propose, replay, take_in
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import (
    actions_of,
    assert_resolved_once,
    sent,
    submission,
    time_passes,
    work_until_done,
)
from tests.invoices import valid_invoice
from tests.simulator_process import RunningSimulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("connected")]

NAME = "NL819182741B01|INV-1001"


def forge(case: ExceptionCase, content: bytes, **changes: Any) -> Delivery:
    """A row as someone with the application's password could write it, past every action."""
    given: dict[str, Any] = {
        "connection": case.connection,
        "operation": "submit",
        "object_type": case.object_type,
        "business_key": case.business_key,
        "content_sha256": hashlib.sha256(content).hexdigest(),
        "subject": case.subject,
        "due_at": Now(),
        "created_at": MORNING,
        **changes,
    }
    key = idempotency_key(
        connection=given["connection"].slug,
        **{part: given[part] for part in ("operation", "object_type", "business_key", "content_sha256")},
    )
    delivery = Delivery.objects.create(**{"key": key, **given})
    DeliveryContent.objects.create(delivery=delivery, body=content, media_type="application/xml")
    return delivery


def corrected(case: ExceptionCase) -> bytes:
    return bytes(case.versions.order_by("-number")[0].content)


def never_approved(cast: Cast) -> ExceptionCase:
    return take_in(cast)


def only_proposed(cast: Cast) -> ExceptionCase:
    case = take_in(cast)
    mend(case, by=cast.clerk)
    propose(case, by=cast.clerk)
    return case


def dismissed_with_approval(cast: Cast) -> ExceptionCase:
    case = take_in(cast)
    mend(case, by=cast.clerk)
    propose_dismissal(case.pk, outcome=Outcome.WRITTEN_OFF, by=cast.clerk, at=MORNING, because="Not worth it.")
    return approve_open(case, by=cast.controller)


@pytest.mark.parametrize("situation", [never_approved, only_proposed, dismissed_with_approval])
def test_forged_delivery_without_an_approval_to_send_is_cancelled_and_noted(
    cast: Cast, simulator: RunningSimulator, situation: Callable[[Cast], ExceptionCase]
):
    case = situation(cast)
    before = ExceptionCase.objects.get(pk=case.pk).state
    forged = forge(case, corrected(case))
    work_until_done()

    forged.refresh_from_db()
    case.refresh_from_db()
    assert (forged.state, forged.sends) == ("cancelled", 0)
    assert "no approved decision" in forged.detail
    assert (sent(simulator), simulator.effects) == ([], [])
    assert case.state == before
    assert "case.sending_stopped" in actions_of(case)


def test_forged_delivery_after_the_end_books_nothing_again(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    work_until_done()
    forged = forge(case, corrected(case), key="f" * 64)
    work_until_done()
    forged.refresh_from_db()
    assert forged.state == "cancelled"
    assert len(sent(simulator)) == 1
    case.refresh_from_db()
    assert case.state == State.RESOLVED


def test_forged_delivery_beside_the_approved_one_does_not_disturb_it(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    forged = forge(case, valid_invoice("INV-9999"), business_key="NL819182741B01|INV-9999")
    replays.carry_out_due()
    work_until_done()
    forged.refresh_from_db()
    assert forged.state == "cancelled"
    case.refresh_from_db()
    assert (case.state, [effect["number"] for effect in simulator.effects]) == (State.RESOLVED, ["INV-1001"])


def withdraw_from_outbox(case: ExceptionCase) -> Delivery:
    """Cancel what the approval queued, so that a forged row can stand in its place."""
    genuine = submission(case)
    Delivery.objects.filter(pk=genuine.pk).update(state="cancelled")
    return genuine


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "f" * 64},
        {"business_key": "NL819182741B01|INV-0000"},
        {"object_type": "credit_note"},
    ],
)
def test_approved_bytes_under_another_name_or_key_are_not_sent(
    cast: Cast, simulator: RunningSimulator, changes: dict[str, str]
):
    case = replay(cast)
    withdraw_from_outbox(case)
    forged = forge(case, corrected(case), **changes)
    work_until_done()
    forged.refresh_from_db()
    assert (forged.state, sent(simulator)) == ("cancelled", [])
    assert "does not go by the name" in forged.detail


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"<Invoice>tampered</Invoice>", "is not what was approved"), (None, "has no content")],
)
def test_delivery_whose_content_is_not_what_its_hash_says_is_not_sent(
    cast: Cast, simulator: RunningSimulator, content: bytes | None, says: str
):
    case = replay(cast)
    genuine = withdraw_from_outbox(case)
    approved = {name: getattr(genuine, name) for name in ("business_key", "key", "content_sha256")}
    forged = Delivery.objects.create(
        connection=case.connection, operation="submit", object_type=case.object_type, subject=case.subject,
        due_at=Now(), created_at=MORNING, **approved,
    )  # fmt: skip
    if content is not None:
        DeliveryContent.objects.create(delivery=forged, body=content, media_type="application/xml")
    work_until_done()
    forged.refresh_from_db()
    assert (forged.state, sent(simulator)) == ("cancelled", [])
    assert says in forged.detail


def test_approved_bytes_to_another_target_are_not_sent(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    withdraw_from_outbox(case)
    elsewhere = configure(
        Connection(slug="elsewhere", name="Elsewhere", connector="en16931"), target_url=simulator.authority_url
    )
    forged = forge(case, corrected(case), connection=elsewhere)
    work_until_done()
    forged.refresh_from_db()
    assert (forged.state, sent(simulator)) == ("cancelled", [])


@pytest.mark.parametrize("subject", ["case:EX-999999", "nothing", "case:EX-1; DROP TABLE x"])
def test_delivery_that_belongs_to_no_exception_is_cancelled_and_noted(
    cast: Cast, simulator: RunningSimulator, subject: str
):
    case = take_in(cast)
    forged = forge(case, valid_invoice(), subject=subject)
    work_until_done()
    forged.refresh_from_db()
    assert (forged.state, sent(simulator)) == ("cancelled", [])
    event = AuditEvent.objects.get(subject=f"delivery:{forged.pk}")
    assert (event.action, event.actor, event.actor_kind) == ("delivery.stopped", "machine:worker", "machine")


def test_forged_word_to_the_source_needs_an_exception_and_its_own_bytes(cast: Cast, simulator: RunningSimulator):
    case = take_in(cast)
    stray = forge(case, b"{}", operation="write_back", subject="case:EX-999999")
    tampered = forge(case, b"{}", operation="write_back", business_key="x", content_sha256="0" * 64)
    work_until_done()
    for forged in (stray, tampered):
        forged.refresh_from_db()
        assert forged.state == "cancelled"
    assert simulator.events == []


def test_target_that_moved_after_the_approval_gets_nothing_until_it_is_decided_anew(
    cast: Cast, simulator: RunningSimulator
):
    case = replay(cast)
    configure(cast.connection, target_url=f"{simulator.authority_url}/")
    work_until_done()

    case.refresh_from_db()
    assert (case.state, submission(case).state, sent(simulator)) == (State.IN_PROGRESS, "cancelled", [])
    assert Proposal.objects.get(case=case).state == Proposal.State.SPENT
    assert actions_of(case)[-1] == "case.sending_stopped"

    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()
    assert_resolved_once(case, simulator)


def test_what_was_sent_before_its_target_moved_is_asked_about_and_then_decided_by_two_people(
    cast: Cast, simulator: RunningSimulator
):
    case = replay(cast)
    simulator.fault("timeout_before", times=1, seconds=0)
    replays.carry_out_due()
    configure(cast.connection, target_url=f"{simulator.authority_url}/")
    Delivery.objects.update(due_at=Now(), last_sent_at=Now() + timedelta(hours=1))
    replays.carry_out_due()
    assert submission(case).state == "unknown"  # its settle time has not passed

    time_passes()
    replays.carry_out_due()
    case.refresh_from_db()
    assert (case.state, submission(case).state) == (State.IN_PROGRESS, "cancelled")
    assert Proposal.objects.get(case=case).state == Proposal.State.SPENT
    stopped = list(timeline(case.subject))[-1]
    assert stopped.action == "case.sending_stopped"
    assert stopped.summary.startswith(f"Sending of {case.ref} was stopped: ")
    assert (len(sent(simulator)), simulator.effects) == (1, [])

    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    assert submission(case).probe_first is True
    work_until_done()
    assert_resolved_once(case, simulator)


def test_what_was_booked_before_its_target_moved_is_found(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    simulator.fault("timeout_after", times=1, seconds=0)
    replays.carry_out_due()
    configure(cast.connection, target_url=f"{simulator.authority_url}/")
    time_passes()
    work_until_done()
    assert_resolved_once(case, simulator)
    assert len(sent(simulator)) == 1


def test_approval_stands_until_it_is_spent(cast: Cast):
    case = replay(cast)
    delivery = submission(case)
    require_approval(delivery)
    Delivery.objects.filter(pk=delivery.pk).update(state="cancelled")
    approved = Proposal.objects.get(case=case)
    assert approved.state == Proposal.State.APPROVED
    with pytest.raises(NotApproved):
        require_approval(forge(take_in(cast, "INV-1002"), corrected(case)))


def test_refusal_is_told_in_the_words_of_the_target(cast: Cast, simulator: RunningSimulator):
    case = replay(cast)
    simulator.fault("refuse", times=1)
    replays.carry_out_due()
    last = list(timeline(case.subject))[-1]
    assert last.action == "case.refused_again"
    start = f"The target refused version 2 of {case.ref}: "
    assert last.summary.startswith(start)
    case.refresh_from_db()
    assert case.problem == f"Refused by the target: {last.summary.removeprefix(start)}"
    assert last.data["errors"][0]["text"] != ""


def test_pause_names_its_reason_in_the_audit_trail(cast: Cast, simulator: RunningSimulator):
    configure(cast.connection, target_token="wrong")
    replay(cast)
    replays.carry_out_due()
    paused = AuditEvent.objects.get(action="connection.paused")
    cast.connection.refresh_from_db()
    assert paused.because == cast.connection.paused_because
    assert paused.actor == "machine:worker"
    assert connections.may_configure(cast.clerk, cast.connection) is False
