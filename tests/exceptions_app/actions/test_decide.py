import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection as database

from audit.queries import timeline
from exceptions_app import intake
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.decide import ApprovalNoLongerHolds, DecidedAlready, approve, reject
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.propose import propose_decline, propose_dismissal, propose_replay, withdraw
from exceptions_app.actions.work import assign
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Decision, ExceptionCase, Proposal
from exceptions_app.policies import NotPermitted
from exceptions_app.states import Outcome, State, TransitionNotAllowed
from integrations.models import Delivery
from tests import arrivals
from tests.cast import MORNING, Cast, give_role
from tests.exceptions_app.actions.mending import mend, mend_and_propose

pytestmark = pytest.mark.django_db


def test_approve_queues_one_delivery_of_exactly_what_was_proposed(cast: Cast, refused_invoice: ExceptionCase):
    proposal = mend_and_propose(refused_invoice, by=cast.clerk)
    approve(refused_invoice.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)

    refused_invoice.refresh_from_db()
    proposal.refresh_from_db()
    delivery = Delivery.objects.get()
    assert refused_invoice.state == State.REPLAYING
    assert proposal.state == Proposal.State.APPROVED
    assert (delivery.state, delivery.content_sha256, delivery.subject) == (
        "queued",
        proposal.content_sha256,
        refused_invoice.subject,
    )
    assert bytes(delivery.content.body) == bytes(proposal.version.content)
    assert delivery.probe_first is False
    assert list(timeline(refused_invoice.subject))[-1].action == "case.approved"


def test_approve_refuses_the_proposer(cast: Cast, refused_invoice: ExceptionCase):
    give_role(cast.clerk, "controller")
    proposal = mend_and_propose(refused_invoice, by=cast.clerk)
    with pytest.raises(NotPermitted) as refused:
        approve(refused_invoice.pk, by=cast.clerk, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    assert refused.value.reason == "You proposed this; someone else must decide. Conrad Controller can."
    assert not Decision.objects.exists()


def test_approve_refuses_whoever_wrote_a_version_of_it(cast: Cast, refused_invoice: ExceptionCase):
    give_role(cast.second_clerk, "controller")
    mend(refused_invoice, by=cast.second_clerk)
    assign(refused_invoice.pk, to=cast.clerk, by=cast.clerk, at=MORNING)
    proposal = propose_replay(refused_invoice.pk, by=cast.clerk, at=MORNING, because="Mended by Cem.")
    with pytest.raises(NotPermitted) as refused:
        approve(refused_invoice.pk, by=cast.second_clerk, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    assert refused.value.reason == "You prepared this correction; someone else must decide. Conrad Controller can."


@pytest.mark.parametrize("who", ["second_clerk", "support", "auditor", "outsider", "administrator"])
@pytest.mark.parametrize("decide", [approve, reject])
def test_decide_refuses_everyone_without_the_verb(
    cast: Cast, refused_invoice: ExceptionCase, who: str, decide: Callable[..., Decision]
):
    proposal = mend_and_propose(refused_invoice, by=cast.clerk)
    with pytest.raises(NotPermitted):
        decide(
            refused_invoice.pk,
            by=getattr(cast, who),
            at=MORNING,
            frozen_sha256=proposal.frozen_sha256,
            because="Fine.",
        )
    assert not Decision.objects.exists()


def test_approve_refuses_a_person_who_left(cast: Cast, refused_invoice: ExceptionCase):
    proposal = mend_and_propose(refused_invoice, by=cast.clerk)
    cast.controller.is_active = False
    cast.controller.save()
    with pytest.raises(NotPermitted):
        approve(refused_invoice.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)


def test_approve_dies_when_the_content_changed_and_says_so(cast: Cast, refused_invoice: ExceptionCase):
    shown = mend_and_propose(refused_invoice, by=cast.clerk)
    mend(refused_invoice, by=cast.clerk, date="2026-11-02", base_version=2)
    propose_replay(refused_invoice.pk, by=cast.clerk, at=MORNING, because="Another date.")

    with pytest.raises(ApprovalNoLongerHolds) as refused:
        approve(refused_invoice.pk, by=cast.controller, at=MORNING, frozen_sha256=shown.frozen_sha256)
    assert "Clara Clerk changed the content" in str(refused.value)
    assert not Delivery.objects.exists()


def test_approve_dies_when_the_target_changed(cast: Cast, refused_invoice: ExceptionCase):
    proposal = mend_and_propose(refused_invoice, by=cast.clerk)
    cast.connection.target_url = "https://elsewhere.example/documents"
    save_configuration(cast.connection, by=machine(SETUP), at=MORNING)
    with pytest.raises(ApprovalNoLongerHolds):
        approve(refused_invoice.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)


def test_approve_twice_is_refused_and_sends_once(cast: Cast, refused_invoice: ExceptionCase):
    proposal = mend_and_propose(refused_invoice, by=cast.clerk)
    approve(refused_invoice.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    with pytest.raises(DecidedAlready, match=r"^You approved this already\.$"):
        approve(refused_invoice.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    with pytest.raises(DecidedAlready, match=r"^You approved this already\.$"):
        reject(refused_invoice.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256, because="No.")
    assert (Delivery.objects.count(), Decision.objects.count()) == (1, 1)


def test_approve_of_what_somebody_else_decided_says_so(cast: Cast, refused_invoice: ExceptionCase):
    give_role(cast.second_clerk, "controller")
    proposal = mend_and_propose(refused_invoice, by=cast.clerk)
    approve(refused_invoice.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    with pytest.raises(ApprovalNoLongerHolds) as refused:
        approve(refused_invoice.pk, by=cast.second_clerk, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    assert type(refused.value) is ApprovalNoLongerHolds
    assert str(refused.value) == "Somebody was faster: this proposal is approved."


def test_reject_twice_says_that_one_did_it_already(cast: Cast, refused_invoice: ExceptionCase):
    proposal = mend_and_propose(refused_invoice, by=cast.clerk)
    shown = proposal.frozen_sha256
    reject(refused_invoice.pk, by=cast.controller, at=MORNING, frozen_sha256=shown, because="Ask first.")
    for _ in ("back in work", "proposed with another date"):
        with pytest.raises(DecidedAlready, match=r"^You rejected this already\.$"):
            reject(refused_invoice.pk, by=cast.controller, at=MORNING, frozen_sha256=shown, because="Ask first.")
        if Proposal.objects.count() == 1:
            mend(refused_invoice, by=cast.clerk, date="2026-11-02", base_version=2)
            propose_replay(refused_invoice.pk, by=cast.clerk, at=MORNING, because="Another date.")
    assert (Decision.objects.count(), Proposal.objects.filter(state=Proposal.State.OPEN).count()) == (1, 1)


def test_approve_refuses_a_withdrawn_proposal(cast: Cast, refused_invoice: ExceptionCase):
    proposal = mend_and_propose(refused_invoice, by=cast.clerk)
    withdraw(refused_invoice.pk, by=cast.clerk, at=MORNING)
    with pytest.raises(ApprovalNoLongerHolds) as refused:
        approve(refused_invoice.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    assert "withdrawn" in str(refused.value)


def test_approval_does_not_hold_for_a_document_that_came_in_again_with_other_content(cast: Cast):
    case = arrivals.take_in(cast)
    mend(case, by=cast.clerk)
    before = propose_replay(case.pk, by=cast.clerk, at=MORNING, because="Mended.")
    at = MORNING + timedelta(hours=1)
    arrivals.receive(cast.connection, arrivals.handed_in("again", payload=arrivals.refused_invoice(seed=2)), at=at)
    intake.read_messages(limit=1, at=at)
    with pytest.raises(ApprovalNoLongerHolds, match="came in again with other content"):
        approve(case.pk, by=cast.controller, at=at, frozen_sha256=before.frozen_sha256)
    reject(case.pk, by=cast.controller, at=at, frozen_sha256=before.frozen_sha256, because="Look at both.")
    after = propose_replay(case.pk, by=cast.clerk, at=at + timedelta(minutes=1), because="Still right.")
    approve(case.pk, by=cast.controller, at=at + timedelta(minutes=2), frozen_sha256=after.frozen_sha256)
    case.refresh_from_db()
    assert case.state == State.REPLAYING


def test_approval_holds_for_a_document_that_came_in_again_as_it_was(cast: Cast):
    case = arrivals.take_in(cast)
    mend(case, by=cast.clerk)
    proposal = propose_replay(case.pk, by=cast.clerk, at=MORNING, because="Mended.")
    at = MORNING + timedelta(hours=1)
    arrivals.receive(cast.connection, arrivals.handed_in("again"), at=at)
    intake.read_messages(limit=1, at=at)
    assert approve(case.pk, by=cast.controller, at=at, frozen_sha256=proposal.frozen_sha256).verdict == "approved"


def test_reject_takes_a_reason_and_gives_the_work_back(cast: Cast, refused_invoice: ExceptionCase):
    proposal = mend_and_propose(refused_invoice, by=cast.clerk)
    with pytest.raises(Invalid) as refused:
        reject(refused_invoice.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256, because="")
    assert refused.value.field == "because"

    reject(refused_invoice.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256, because="No.")
    refused_invoice.refresh_from_db()
    proposal.refresh_from_db()
    assert (refused_invoice.state, proposal.state) == (State.IN_PROGRESS, Proposal.State.REJECTED)
    assert not Delivery.objects.exists()


def test_approved_dismissal_closes_without_sending(cast: Cast, refused_invoice: ExceptionCase):
    proposal = propose_dismissal(
        refused_invoice.pk, outcome=Outcome.WRITTEN_OFF, by=cast.clerk, at=MORNING, because="Below the threshold."
    )
    approve(refused_invoice.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    refused_invoice.refresh_from_db()
    assert (refused_invoice.state, refused_invoice.outcome) == (State.DISMISSED, Outcome.WRITTEN_OFF)
    assert not Delivery.objects.exists()


def test_decline_is_for_held_transactions_only(cast: Cast, refused_invoice: ExceptionCase):
    with pytest.raises(TransitionNotAllowed):
        propose_decline(refused_invoice.pk, by=cast.clerk, at=MORNING, because="No.")


def at_the_same_time(*calls: Callable[[], object]) -> list[str]:
    """Run each call in a thread with its own database connection; `done`, or the name of what it raised."""
    barrier = threading.Barrier(len(calls))
    outcomes: list[str] = []

    def run(call: Callable[[], object]) -> None:
        try:
            barrier.wait()
            call()
            outcomes.append("done")
        except Exception as error:  # noqa: BLE001 - the test looks at what was raised
            outcomes.append(type(error).__name__)
        finally:
            database.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
