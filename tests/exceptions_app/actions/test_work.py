from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from audit.queries import timeline
from exceptions_app import intake
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.work import assign, claim, comment, end_hold, hold, reopen, resume
from exceptions_app.models import Comment, ExceptionCase, Proposal
from exceptions_app.policies import NotPermitted
from exceptions_app.states import State, TransitionNotAllowed
from integrations.models import Delivery
from tests.arrivals import configure, handed_in, receive, take_in
from tests.cast import MORNING, Cast, make_cast
from tests.concurrency import at_the_same_time
from tests.factories import dismiss, make_case, make_proposal

pytestmark = pytest.mark.django_db

LATER = MORNING + timedelta(hours=2)


def last(case: ExceptionCase) -> tuple[str, str, str]:
    event = list(timeline(case.subject))[-1]
    return event.action, event.actor, event.because


def test_claim_takes_an_exception(cast: Cast):
    case = claim(make_case(cast).pk, by=cast.clerk, at=LATER)
    assert (case.state, case.assignee, case.changed_at, case.revision) == (State.IN_PROGRESS, cast.clerk, LATER, 2)
    assert last(case) == ("case.claimed", "clara", "")


def test_claim_of_what_a_colleague_has_is_refused(cast: Cast):
    case = claim(make_case(cast).pk, by=cast.clerk, at=MORNING)
    with pytest.raises(NotPermitted, match="Clara Clerk has this exception"):
        claim(case.pk, by=cast.second_clerk, at=MORNING)
    with pytest.raises(NotPermitted, match="You have this exception already"):
        claim(case.pk, by=cast.clerk, at=MORNING)


@pytest.mark.django_db(transaction=True)
def test_claim_by_two_at_the_same_time_gives_it_to_one(transactional_db: None):
    cast = make_cast()
    case = make_case(cast)
    outcomes = at_the_same_time(
        [lambda: claim(case.pk, by=cast.clerk, at=MORNING), lambda: claim(case.pk, by=cast.second_clerk, at=MORNING)]
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ExceptionCase", "NotPermitted"]
    [winner] = [outcome.assignee for outcome in outcomes if isinstance(outcome, ExceptionCase)]
    case.refresh_from_db()
    assert (case.assignee, case.revision) == (winner, 2)


@pytest.mark.parametrize("who", ["controller", "support", "auditor", "outsider", "administrator"])
@pytest.mark.parametrize(
    "act",
    [
        claim,
        lambda case_id, **given: assign(case_id, to=None, **given),
        lambda case_id, **given: hold(case_id, waiting_for="The customer.", **given),
    ],
)
def test_work_is_refused_to_everyone_without_the_verb(cast: Cast, who: str, act: Callable[..., ExceptionCase]):
    case = make_case(cast)
    with pytest.raises(NotPermitted):
        act(case.pk, by=getattr(cast, who), at=MORNING)
    case.refresh_from_db()
    assert (case.state, case.assignee, case.revision) == (State.NEW, None, 1)


@pytest.mark.parametrize("act", [claim, resume])
def test_work_on_a_stale_page_is_refused(cast: Cast, act: Callable[..., ExceptionCase]):
    case = make_case(cast)
    with pytest.raises(ChangedMeanwhile) as refused:
        act(case.pk, by=cast.clerk, at=MORNING, revision=7)
    assert refused.value.case == case


def test_assign_gives_it_to_a_colleague_or_back_to_the_queue(cast: Cast):
    case = assign(make_case(cast).pk, to=cast.second_clerk, by=cast.clerk, at=MORNING, because="Yours.")
    assert (case.assignee, case.state) == (cast.second_clerk, State.NEW)
    assert last(case) == ("case.assigned", "clara", "Yours.")
    assert assign(case.pk, to=None, by=cast.clerk, at=MORNING).assignee is None


@pytest.mark.parametrize("who", ["controller", "support", "outsider", "administrator"])
def test_assign_to_someone_who_may_not_work_there_is_refused(cast: Cast, who: str):
    case = make_case(cast)
    with pytest.raises(Invalid) as refused:
        assign(case.pk, to=getattr(cast, who), by=cast.clerk, at=MORNING)
    assert refused.value.field == "to"
    case.refresh_from_db()
    assert case.assignee is None


def test_hold_says_what_it_waits_for_and_resume_ends_it(cast: Cast):
    case = hold(make_case(cast).pk, by=cast.clerk, at=MORNING, waiting_for="The customer.", until=LATER)
    assert (case.state, case.waiting_for, case.held_until) == (State.WAITING, "The customer.", LATER)
    assert last(case) == ("case.put_on_hold", "clara", "The customer.")
    case = resume(case.pk, by=cast.clerk, at=MORNING)
    assert (case.state, case.waiting_for, case.held_until) == (State.IN_PROGRESS, "", None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"waiting_for": " "}, "waiting_for"),
        ({"until": MORNING}, "until"),
        ({"until": MORNING - timedelta(1)}, "until"),
        ({"until": MORNING + timedelta(732)}, "until"),
        # Beyond the last year that Python knows, seen from Greenwich.
        ({"until": datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-12)))}, "until"),
    ],
)
def test_hold_that_makes_no_sense_is_refused(cast: Cast, changes: dict[str, Any], field: str):
    case = make_case(cast)
    with pytest.raises(Invalid) as refused:
        hold(case.pk, **{"by": cast.clerk, "at": MORNING, "waiting_for": "The customer.", **changes})
    assert refused.value.field == field


def test_end_hold_ends_a_hold_once(cast: Cast):
    case = hold(make_case(cast).pk, by=cast.clerk, at=MORNING, waiting_for="The customer.", until=LATER)
    assert end_hold(case.pk, at=LATER).state == State.IN_PROGRESS
    assert last(case) == ("case.hold_ended", "machine:worker", "")
    with pytest.raises(TransitionNotAllowed):
        end_hold(case.pk, at=LATER)


def test_comment_changes_no_state_and_is_kept(cast: Cast):
    case = make_case(cast)
    written = comment(case.pk, by=cast.second_clerk, at=LATER, text="The customer called.")
    case.refresh_from_db()
    assert (case.state, written.author, written.written_at) == (State.NEW, cast.second_clerk, LATER)
    assert last(case)[:2] == ("case.commented", "cem")
    assert Comment.objects.get().text == "The customer called."


@pytest.mark.parametrize("text", ["", " \n", "x" * 5001])
def test_comment_of_no_use_is_refused(cast: Cast, text: str):
    case = make_case(cast)
    with pytest.raises(Invalid) as refused:
        comment(case.pk, by=cast.clerk, at=MORNING, text=text)
    assert refused.value.field == "text"
    assert not Comment.objects.exists()


@pytest.mark.parametrize("who", ["outsider", "administrator"])
def test_comment_is_refused_to_those_who_see_nothing(cast: Cast, who: str):
    case = make_case(cast)
    with pytest.raises(NotPermitted):
        comment(case.pk, by=getattr(cast, who), at=MORNING, text="Hello.")


@pytest.mark.django_db(transaction=True)  # closing and reopening are two transactions, and the database sees to both
def test_reopened_exception_is_worked_again_and_its_approval_is_undone(cast: Cast):
    case = dismiss(make_case(cast), cast.clerk, approver=cast.controller)
    configure(cast.connection, write_back_url="https://source.test/hook")
    reopened = reopen(case.pk, by=cast.second_clerk, at=LATER, because="It came back.")

    assert (reopened.state, reopened.outcome, reopened.closed_at) == (State.IN_PROGRESS, "", None)
    assert reopened.assignee == cast.second_clerk
    proposal = Proposal.objects.get()
    assert (proposal.state, proposal.closed_at, proposal.closed_because) == ("undone", MORNING, "")
    actions = [event.action for event in timeline(case.subject)]
    assert actions[-2:] == ["case.reopened", "case.source_notified"]
    assert Delivery.objects.get().object_type == "exception.reopened"


def test_reopening_needs_a_reason_and_something_that_is_closed_without_sending(cast: Cast):
    case = make_case(cast)
    with pytest.raises(Invalid) as refused:
        reopen(case.pk, by=cast.clerk, at=MORNING, because="")
    assert refused.value.field == "because"
    with pytest.raises(TransitionNotAllowed):
        reopen(case.pk, by=cast.clerk, at=MORNING, because="Again.")


def test_reopening_is_refused_while_the_same_document_is_open_again(cast: Cast):
    old = dismiss(make_case(cast, number="INV-1"), cast.clerk, approver=cast.controller)
    make_case(cast, number="INV-1")
    with pytest.raises(Invalid, match="work on that one"):
        reopen(old.pk, by=cast.clerk, at=MORNING, because="Again.")


@pytest.mark.parametrize("act", [claim, resume])
def test_what_waits_for_approval_is_left_alone(cast: Cast, act: Callable[..., ExceptionCase]):
    case = make_case(cast)
    make_proposal(case, cast.clerk)
    with pytest.raises(TransitionNotAllowed):
        act(case.pk, by=cast.clerk, at=MORNING)


@pytest.mark.django_db(transaction=True)
def test_reopening_while_the_same_document_arrives_leaves_one_open_exception(transactional_db: None):
    cast = make_cast()
    case = dismiss(take_in(cast), cast.clerk, approver=cast.controller)
    receive(cast.connection, handed_in("message-2"))
    arrives, reopens = at_the_same_time(
        [
            lambda: intake.read_messages(limit=1, at=LATER),
            lambda: reopen(case.pk, by=cast.clerk, at=LATER, because="Needed after all."),
        ]
    )
    assert ExceptionCase.objects.open().count() == 1
    assert arrives == 1
    assert isinstance(reopens, ExceptionCase) or (isinstance(reopens, Invalid) and reopens.field == "because")


def test_reopening_beside_an_open_exception_of_the_document_is_refused(cast: Cast):
    case = dismiss(take_in(cast), cast.clerk, approver=cast.controller)
    receive(cast.connection, handed_in("message-2"))
    intake.read_messages(limit=1, at=LATER)
    with pytest.raises(Invalid, match="work on that one"):
        reopen(case.pk, by=cast.clerk, at=LATER, because="Needed after all.")
    case.refresh_from_db()
    assert case.state == State.DISMISSED


def test_who_may_not_assign_does_not_learn_what_a_colleague_may_do(cast: Cast):
    case = make_case(cast)
    for colleague in (cast.clerk, cast.outsider):
        with pytest.raises(NotPermitted):
            assign(case.pk, to=colleague, by=cast.support, at=MORNING)
