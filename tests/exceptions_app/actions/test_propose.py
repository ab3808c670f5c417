import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from audit.queries import timeline
from exceptions_app import policies
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.propose import (
    CheckFailed,
    frozen_hash,
    propose_decline,
    propose_dismissal,
    propose_release,
    propose_replay,
    withdraw,
)
from exceptions_app.actions.work import assign
from exceptions_app.models import ExceptionCase, PayloadVersion, Proposal
from exceptions_app.policies import NotPermitted
from exceptions_app.states import Kind, Outcome, State, TransitionNotAllowed
from integrations.models import Connection, Delivery
from tests.arrivals import mend
from tests.cast import MORNING, Cast, make_cast
from tests.concurrency import at_the_same_time
from tests.exceptions_app.actions.mending import take_in
from tests.factories import make_case, make_proposal

pytestmark = pytest.mark.django_db

Propose = Callable[..., Proposal]


def dismissal(case_id: int, **more: Any) -> Proposal:
    return propose_dismissal(case_id, outcome=Outcome.FIXED_AT_SOURCE, **more)


def state_of(case: ExceptionCase) -> str:
    return ExceptionCase.objects.get(pk=case.pk).state


def test_proposal_is_frozen_with_its_bytes_its_target_and_everyone_with_a_hand_in_it(
    cast: Cast, refused_invoice: ExceptionCase
):
    version = mend(refused_invoice, by=cast.second_clerk)
    assign(refused_invoice.pk, to=cast.clerk, by=cast.clerk, at=MORNING)
    proposal = propose_replay(refused_invoice.pk, by=cast.clerk, at=MORNING, because="Mended.")

    assert (proposal.kind, proposal.state, proposal.version, proposal.target) == (
        "replay",
        "open",
        version,
        cast.connection,
    )
    assert proposal.content_sha256 == hashlib.sha256(bytes(version.content)).hexdigest()
    assert proposal.frozen_sha256 == frozen_hash(
        content_sha256=version.sha256,
        target=cast.connection,
        kind="replay",
        outcome="",
        policy_version=policies.POLICY_VERSION,
    )
    assert set(proposal.contributors.values_list("person", "part")) == {
        (cast.clerk.pk, "proposed"),
        (cast.second_clerk.pk, "corrected"),
    }
    assert state_of(refused_invoice) == State.AWAITING_APPROVAL
    event = list(timeline(refused_invoice.subject))[-1]
    assert (event.action, event.because) == ("case.replay_proposed", "Mended.")
    assert event.data["contributors"] == ["cem", "clara"]
    assert event.data["frozen_sha256"] == proposal.frozen_sha256
    assert not Delivery.objects.exists()


def test_whoever_corrected_and_proposed_has_both_parts(cast: Cast, refused_invoice: ExceptionCase):
    mend(refused_invoice, by=cast.clerk)
    proposal = propose_replay(refused_invoice.pk, by=cast.clerk, at=MORNING, because="Mended.")
    assert sorted(proposal.contributors.values_list("part", flat=True)) == ["corrected", "proposed"]


@pytest.mark.parametrize(
    "changed",
    [
        {"content_sha256": "b"},
        {"target": Connection(slug="other", target_url="https://a.test")},
        {"target": Connection(slug="one", target_url="https://b.test")},
        {"kind": "release"},
        {"outcome": "declined"},
        {"policy_version": "four-eyes/x"},
    ],
)
def test_hash_changes_with_everything_that_a_decision_is_bound_to(changed: dict[str, Any]):
    parts: dict[str, Any] = {
        "content_sha256": "a",
        "target": Connection(slug="one", target_url="https://a.test"),
        "kind": "replay",
        "outcome": "",
        "policy_version": "four-eyes/2",
    }
    assert frozen_hash(**parts) == frozen_hash(**parts)
    assert frozen_hash(**{**parts, **changed}) != frozen_hash(**parts)


def test_version_that_does_not_pass_the_check_cannot_be_proposed_to_be_sent(cast: Cast, refused_invoice: ExceptionCase):
    with pytest.raises(CheckFailed) as refused:
        propose_replay(refused_invoice.pk, by=cast.clerk, at=MORNING, because="As it is.")
    assert [error.code for error in refused.value.report.errors] == ["BR-03"]
    assert (state_of(refused_invoice), Proposal.objects.count()) == (State.NEW, 0)


def test_version_that_does_not_pass_the_check_may_be_dismissed(cast: Cast, refused_invoice: ExceptionCase):
    proposal = dismissal(refused_invoice.pk, by=cast.clerk, at=MORNING, because="Cancelled at the source.")
    assert (proposal.kind, proposal.outcome) == ("dismiss", "fixed_at_source")


@pytest.mark.parametrize("propose", [propose_replay, dismissal])
def test_proposal_needs_a_reason(cast: Cast, propose: Propose):
    case = make_case(cast)
    with pytest.raises(Invalid) as refused:
        propose(case.pk, by=cast.clerk, at=MORNING, because="  ")
    assert refused.value.field == "because"


@pytest.mark.parametrize("outcome", [Outcome.REPLAYED, Outcome.RELEASED, Outcome.ALREADY_THERE, Outcome.DECLINED])
def test_dismissal_needs_an_outcome_that_sends_nothing(cast: Cast, outcome: Outcome):
    case = make_case(cast)
    with pytest.raises(Invalid) as refused:
        propose_dismissal(case.pk, outcome=outcome, by=cast.clerk, at=MORNING, because="Why not.")
    assert refused.value.field == "outcome"
    assert "fixed_at_source" in refused.value.problem


@pytest.mark.parametrize("who", ["controller", "support", "auditor", "outsider", "administrator"])
@pytest.mark.parametrize("propose", [propose_replay, propose_release, propose_decline, dismissal])
def test_proposal_is_refused_to_everyone_without_the_verb(cast: Cast, who: str, propose: Propose):
    case = make_case(cast, kind=Kind.HELD if propose in (propose_release, propose_decline) else Kind.FAILED)
    with pytest.raises(NotPermitted):
        propose(case.pk, by=getattr(cast, who), at=MORNING, because="Please.")
    assert (state_of(case), Proposal.objects.count()) == (State.NEW, 0)


def test_clerk_of_another_entity_cannot_propose(cast: Cast):
    case = make_case(cast, entity=cast.germany)
    with pytest.raises(NotPermitted):
        dismissal(case.pk, by=cast.local_clerk, at=MORNING, because="Please.")


def test_colleague_cannot_propose_what_somebody_else_is_working_on(cast: Cast, refused_invoice: ExceptionCase):
    mend(refused_invoice, by=cast.second_clerk)
    with pytest.raises(NotPermitted, match="is working on this"):
        propose_replay(refused_invoice.pk, by=cast.clerk, at=MORNING, because="Mended.")


@pytest.mark.parametrize(
    ("propose", "kind"),
    [(propose_replay, Kind.HELD), (propose_release, Kind.FAILED), (propose_decline, Kind.FAILED)],
)
def test_proposal_is_for_its_kind_of_exception_only(cast: Cast, propose: Propose, kind: Kind):
    case = make_case(cast, kind=kind)
    PayloadVersion.objects.filter(case=case)
    with pytest.raises((TransitionNotAllowed, CheckFailed)):
        propose(case.pk, by=cast.clerk, at=MORNING, because="Please.")
    assert not Proposal.objects.exists()


def test_proposal_on_a_stale_page_is_refused(cast: Cast):
    case = make_case(cast)
    with pytest.raises(ChangedMeanwhile):
        dismissal(case.pk, by=cast.clerk, at=MORNING, because="Please.", revision=case.revision + 1)


def test_second_proposal_is_refused(cast: Cast):
    case = make_case(cast)
    dismissal(case.pk, by=cast.clerk, at=MORNING, because="First.")
    with pytest.raises(TransitionNotAllowed):
        dismissal(case.pk, by=cast.clerk, at=MORNING, because="Second.")
    assert Proposal.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_proposals_at_the_same_time_count_once(transactional_db: None):
    cast = make_cast()
    case = take_in(cast)
    outcomes = at_the_same_time(
        [lambda: dismissal(case.pk, by=cast.clerk, at=MORNING, because="Cancelled at the source.")] * 4
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Proposal"] + ["TransitionNotAllowed"] * 3
    assert Proposal.objects.count() == 1


def test_withdrawn_proposal_gives_the_work_back(cast: Cast):
    case = make_case(cast)
    proposal = dismissal(case.pk, by=cast.clerk, at=MORNING, because="Cancelled.")
    withdraw(case.pk, by=cast.clerk, at=MORNING, because="It was another one.")
    proposal.refresh_from_db()
    assert (state_of(case), proposal.state) == (State.IN_PROGRESS, "withdrawn")
    assert proposal.closed_because == "It was another one."
    assert list(timeline(case.subject))[-1].action == "case.proposal_withdrawn"


def test_withdrawal_without_a_reason_says_by_whom(cast: Cast):
    case = make_case(cast)
    proposal = dismissal(case.pk, by=cast.clerk, at=MORNING, because="Cancelled.")
    withdraw(case.pk, by=cast.clerk, at=MORNING)
    proposal.refresh_from_db()
    assert proposal.closed_because == "Withdrawn by Clara Clerk."


@pytest.mark.parametrize("who", ["second_clerk", "controller", "support", "auditor", "outsider", "administrator"])
def test_only_the_proposer_withdraws(cast: Cast, who: str):
    case = make_case(cast)
    proposal = make_proposal(case, cast.clerk)
    with pytest.raises(NotPermitted):
        withdraw(case.pk, by=getattr(cast, who), at=MORNING)
    proposal.refresh_from_db()
    assert proposal.state == "open"


def test_nothing_to_withdraw_is_said(cast: Cast):
    case = make_case(cast)
    with pytest.raises(ChangedMeanwhile, match="Nothing is proposed"):
        withdraw(case.pk, by=cast.clerk, at=MORNING)
