"""Deciding on rows of a value mapping, and what holds afterwards."""

from functools import partial

import pytest

from audit.queries import timeline
from exceptions_app.actions.decide import ApprovalNoLongerHolds, DecidedAlready
from exceptions_app.actions.grants import ROLES
from exceptions_app.actions.mapping_decide import approve_mapping, reject_mapping
from exceptions_app.actions.mapping_propose import withdraw_mapping
from exceptions_app.actions.mover import Invalid
from exceptions_app.mapping_states import MappingMoveNotAllowed
from exceptions_app.models import MappingDecision, MappingEntry
from exceptions_app.policies import NotPermitted
from exceptions_app.value_rows import WrittenRow
from tests.cast import MORNING, Cast, give_role, grant, person
from tests.concurrency import at_the_same_time
from tests.exceptions_app.value_mappings.mapping import approve, holding, mapped, propose, row

pytestmark = pytest.mark.django_db


def test_approved_rows_hold_from_the_next_version(cast: Cast):
    mapping = approve(propose(cast, row(), row("DRONES", "800500", begins="2026-12-01")), cast)
    assert mapping.version == 1
    assert holding(mapping) == [("DRONES", "800500", "2026-12-01", ""), ("ROBOTICS", "800400", "", "")]
    approved = list(timeline(mapping.subject))[-1]
    assert (approved.action, approved.actor) == ("value_mapping.approved", "conrad")
    assert (approved.data["proposer"], approved.data["version"]) == ("clara", 1)


@pytest.mark.parametrize(
    ("new", "left"),
    [
        (row(target="800401"), [("800401", "", "")]),
        (row(target="800401", begins="2027-01-01"), [("800400", "", "2026-12-31"), ("800401", "2027-01-01", "")]),
        (row(target="800401", ends="2026-06-30"), [("800400", "2026-07-01", ""), ("800401", "", "2026-06-30")]),
        (
            row(target="800401", begins="2026-03-01", ends="2026-03-31"),
            [("800400", "", "2026-02-28"), ("800400", "2026-04-01", ""), ("800401", "2026-03-01", "2026-03-31")],
        ),
        (row(target="", begins="2027-01-01"), [("800400", "", "2026-12-31")]),
        (row(target=""), []),
    ],
)
def test_row_replaces_what_held_on_its_days_and_leaves_the_others(
    cast: Cast, new: WrittenRow, left: list[tuple[str, str, str]]
):
    mapped(cast, row())
    mapping = mapped(cast, new)
    assert holding(mapping) == sorted(("ROBOTICS", *kept) for kept in left)
    [replaced] = MappingEntry.objects.filter(mapping=mapping, retired_in__isnull=False)
    assert (replaced.version, replaced.retired_in, replaced.target_value) == (1, 2, "800400")


def test_two_rows_may_take_days_of_the_same_entry(cast: Cast):
    mapped(cast, row())
    mapping = mapped(
        cast, row(target="A", begins="2026-02-01", ends="2026-02-28"), row(target="B", begins="2026-05-01")
    )
    assert holding(mapping) == [
        ("ROBOTICS", "800400", "", "2026-01-31"),
        ("ROBOTICS", "800400", "2026-03-01", "2026-04-30"),
        ("ROBOTICS", "A", "2026-02-01", "2026-02-28"),
        ("ROBOTICS", "B", "2026-05-01", ""),
    ]


def test_nobody_decides_on_their_own_proposal(cast: Cast):
    give_role(cast.clerk, "controller")
    proposal = propose(cast)
    with pytest.raises(NotPermitted, match="You proposed this mapping; someone else must decide"):
        approve_mapping(proposal.pk, by=cast.clerk, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    assert not MappingDecision.objects.exists()


def test_who_may_not_approve_there_is_refused(cast: Cast):
    proposal = propose(cast)
    for someone in (cast.second_clerk, cast.support, cast.administrator):
        with pytest.raises(NotPermitted, match=r"You may not approve in E-invoicing for Meridian Industries NV\."):
            approve_mapping(proposal.pk, by=someone, at=MORNING, frozen_sha256=proposal.frozen_sha256)


def test_what_counts_for_all_is_approved_by_who_approves_in_all_of_them(cast: Cast):
    elsewhere = person("erik", "Erik Elsewhere")
    grant(elsewhere, ROLES["controller"], cast.einvoicing, cast.germany)
    proposal = propose(cast, entity=None)
    with pytest.raises(NotPermitted, match="for every legal entity to which this connection leads"):
        approve_mapping(proposal.pk, by=elsewhere, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    grant(elsewhere, ROLES["controller"], cast.netherlands)
    assert approve_mapping(
        proposal.pk, by=elsewhere, at=MORNING, frozen_sha256=proposal.frozen_sha256
    ).state == "approved"  # fmt: skip


def test_decision_is_bound_to_what_was_shown(cast: Cast):
    proposal = propose(cast)
    with pytest.raises(ApprovalNoLongerHolds, match="is not what you were shown"):
        approve_mapping(proposal.pk, by=cast.controller, at=MORNING, frozen_sha256="0" * 64)


def test_what_was_mapped_otherwise_meanwhile_is_not_overwritten(cast: Cast):
    late = propose(cast, row(target="800401"))
    mapping = mapped(cast, row())
    with pytest.raises(ApprovalNoLongerHolds, match="“ROBOTICS” was mapped otherwise"):
        approve(late, cast)
    assert holding(mapping) == [("ROBOTICS", "800400", "", "")]


def test_other_values_may_be_decided_on_in_any_order(cast: Cast):
    late = propose(cast, row("DRONES"))
    mapped(cast, row())
    assert approve(late, cast).version == 2


def test_twice_is_told_apart_from_somebody_elses_decision(cast: Cast):
    give_role(cast.second_clerk, "controller")
    proposal = propose(cast)
    approve(proposal, cast)
    with pytest.raises(DecidedAlready, match="You approved"):
        approve(proposal, cast)
    with pytest.raises(ApprovalNoLongerHolds, match="Somebody was faster"):
        approve_mapping(proposal.pk, by=cast.second_clerk, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    assert MappingEntry.objects.count() == 1


def test_rejection_needs_a_reason_and_changes_nothing(cast: Cast):
    proposal = propose(cast)
    with pytest.raises(Invalid) as refused:
        reject_mapping(proposal.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256, because=" ")
    assert refused.value.field == "because"
    rejected = reject_mapping(
        proposal.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256, because="Use 800500."
    )
    assert (rejected.state, rejected.mapping.version) == ("rejected", 0)
    assert not MappingEntry.objects.exists()


def test_withdrawn_proposal_cannot_be_approved(cast: Cast):
    proposal = propose(cast)
    withdraw_mapping(proposal.pk, by=cast.clerk, at=MORNING)
    with pytest.raises(MappingMoveNotAllowed, match="the proposal is withdrawn"):
        approve(proposal, cast)


@pytest.mark.django_db(transaction=True)
def test_two_controllers_at_the_same_time_approve_once(cast: Cast):
    give_role(cast.second_clerk, "controller")
    proposal = propose(cast)
    approving = partial(approve_mapping, proposal.pk, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    outcomes = at_the_same_time([partial(approving, by=cast.controller), partial(approving, by=cast.second_clerk)])
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ApprovalNoLongerHolds", "MappingProposal"]
    assert MappingEntry.objects.count() == 1
