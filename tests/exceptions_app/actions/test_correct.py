import pytest

from audit.queries import timeline
from exceptions_app.actions.correct import correct
from exceptions_app.actions.decide import approve
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.propose import CheckFailed, propose_replay
from exceptions_app.models import Draft, ExceptionCase, Identifier, PayloadVersion, Proposal
from exceptions_app.policies import NotPermitted
from exceptions_app.states import State, TransitionNotAllowed
from integrations.connectors.base import CorrectionError
from tests.cast import MORNING, Cast
from tests.exceptions_app.actions.mending import mend, mend_and_propose
from tests.invoices import valid_invoice

pytestmark = pytest.mark.django_db


def test_correct_writes_a_checked_version_with_author_and_business_changes(cast: Cast, refused_invoice: ExceptionCase):
    version = mend(refused_invoice, by=cast.clerk)

    refused_invoice.refresh_from_db()
    assert (version.number, version.author, version.check_passed, version.check_errors) == (2, cast.clerk, True, [])
    assert [(change["term"], change["was"], change["will_be"]) for change in version.changes] == [
        ("BT-2", "", "2026-11-01")
    ]
    assert (refused_invoice.state, refused_invoice.assignee) == (State.IN_PROGRESS, cast.clerk)
    assert str(refused_invoice.document_date) == "2026-11-01"
    assert [event.action for event in timeline(refused_invoice.subject)][-1] == "case.corrected"


def test_correct_keeps_the_original_byte_for_byte(cast: Cast, refused_invoice: ExceptionCase):
    before = bytes(PayloadVersion.objects.get(case=refused_invoice, number=1).content)
    mend(refused_invoice, by=cast.clerk)
    assert bytes(PayloadVersion.objects.get(case=refused_invoice, number=1).content) == before


def test_correct_takes_a_whole_payload_and_finds_the_operations(cast: Cast, refused_invoice: ExceptionCase):
    version = correct(
        refused_invoice.pk, by=cast.clerk, at=MORNING, because="Raw.", base_version=1, payload=valid_invoice()
    )
    assert version.check_passed is True
    assert {operation["op"] for operation in version.operations} >= {"add"}


def test_correct_that_does_not_pass_is_kept_but_cannot_be_proposed(cast: Cast, refused_invoice: ExceptionCase):
    version = mend(refused_invoice, by=cast.clerk, date="first of November")
    assert version.check_passed is False
    assert version.check_errors

    with pytest.raises(CheckFailed) as failed:
        propose_replay(refused_invoice.pk, by=cast.clerk, at=MORNING, because="Try.")
    assert failed.value.report.errors
    assert not Proposal.objects.exists()


def test_correct_refuses_a_missing_reason(cast: Cast, refused_invoice: ExceptionCase):
    with pytest.raises(Invalid) as refused:
        correct(refused_invoice.pk, by=cast.clerk, at=MORNING, because=" ", base_version=1, payload=valid_invoice())
    assert refused.value.field == "because"


def test_correct_refuses_no_change(cast: Cast, refused_invoice: ExceptionCase):
    same = bytes(PayloadVersion.objects.get(case=refused_invoice).content)
    with pytest.raises(Invalid) as refused:
        correct(refused_invoice.pk, by=cast.clerk, at=MORNING, because="x", base_version=1, payload=same)
    assert refused.value.field == "changes"


def test_correct_refuses_what_is_no_invoice(cast: Cast, refused_invoice: ExceptionCase):
    with pytest.raises(CorrectionError):
        correct(refused_invoice.pk, by=cast.clerk, at=MORNING, because="x", base_version=1, payload=b"<html/>")
    assert PayloadVersion.objects.count() == 1


def test_correct_refuses_a_stale_base(cast: Cast, refused_invoice: ExceptionCase):
    mend(refused_invoice, by=cast.clerk)
    with pytest.raises(ChangedMeanwhile) as refused:
        mend(refused_invoice, by=cast.clerk, date="2026-11-02", base_version=1)
    assert "version 2" in refused.value.reason


def test_correct_refuses_a_colleague_while_someone_works_on_it(cast: Cast, refused_invoice: ExceptionCase):
    mend(refused_invoice, by=cast.clerk)
    with pytest.raises(NotPermitted) as refused:
        mend(refused_invoice, by=cast.second_clerk, date="2026-11-02", base_version=2)
    assert "Clara Clerk" in refused.value.reason


@pytest.mark.parametrize("who", ["controller", "support", "auditor", "outsider", "administrator"])
def test_correct_refuses_everyone_without_the_verb(cast: Cast, refused_invoice: ExceptionCase, who: str):
    with pytest.raises(NotPermitted):
        mend(refused_invoice, by=getattr(cast, who))
    assert PayloadVersion.objects.count() == 1


def test_correct_drops_an_open_proposal_and_says_so(cast: Cast, refused_invoice: ExceptionCase):
    proposal = mend_and_propose(refused_invoice, by=cast.clerk)
    mend(refused_invoice, by=cast.clerk, date="2026-11-02", base_version=2)

    proposal.refresh_from_db()
    refused_invoice.refresh_from_db()
    assert proposal.state == Proposal.State.SUPERSEDED
    assert refused_invoice.state == State.IN_PROGRESS
    assert "no longer holds" in list(timeline(refused_invoice.subject))[-1].summary


def test_correct_refuses_a_closed_exception(cast: Cast, refused_invoice: ExceptionCase):
    mend_and_propose(refused_invoice, by=cast.clerk)
    from_proposal = Proposal.objects.get()
    approve_now(refused_invoice, from_proposal, cast)
    with pytest.raises(TransitionNotAllowed):
        mend(refused_invoice, by=cast.clerk, date="2026-11-03", base_version=2)


def approve_now(case: ExceptionCase, proposal: Proposal, cast: Cast) -> None:
    approve(case.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)


def test_correct_removes_the_draft_and_remembers_identifiers(cast: Cast, refused_invoice: ExceptionCase):
    Draft.objects.create(case=refused_invoice, author=cast.clerk, base_version=1, typed={"a": "b"}, saved_at=MORNING)
    mend(refused_invoice, by=cast.clerk)
    assert not Draft.objects.exists()
    assert Identifier.objects.filter(case=refused_invoice, label="Invoice number").count() == 1
