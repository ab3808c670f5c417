"""Snoozed exceptions: who may, for how long, what wakes them, and what the snooze leaves alone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from guardian.shortcuts import assign_perm

from audit.queries import LogEntry, timeline
from exceptions_app import intake
from exceptions_app.actions import connections, snoozing, work
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.snoozing import end_snooze, snooze, wake
from exceptions_app.models import ExceptionCase, Notification
from exceptions_app.policies import NotPermitted
from exceptions_app.states import State, TransitionNotAllowed, WakesOn
from exceptions_app.tasks import sweep
from tests.arrivals import handed_in, receive, take_in
from tests.cast import MORNING, Cast, make_cast
from tests.concurrency import at_the_same_time
from tests.factories import dismiss, make_case, make_proposal

pytestmark = pytest.mark.django_db

LATER = MORNING + timedelta(hours=2)


def snoozed(case: ExceptionCase) -> tuple[Any, datetime | None, str]:
    case.refresh_from_db()
    return case.snoozed_by, case.snoozed_until, case.snoozed_for


def last(case: ExceptionCase) -> LogEntry:
    return timeline(case.subject)[-1]


def test_snooze_until_a_time_changes_nothing_else(cast: Cast):
    case = make_case(cast, due_at=LATER)
    snooze(case.pk, by=cast.clerk, at=MORNING, until=LATER)
    assert snoozed(case) == (cast.clerk, LATER, "")
    assert (case.state, case.assignee, case.due_at, case.revision) == (State.NEW, None, LATER, 2)
    assert (last(case).action, last(case).actor, last(case).data["event"]) == ("case.snoozed", "clara", "")


def test_snooze_leaves_the_work_lists_and_nothing_else(cast: Cast):
    case = make_case(cast)
    snooze(case.pk, by=cast.clerk, at=MORNING, wakes_on=WakesOn.COMMENT)
    assert not ExceptionCase.objects.open().awake().exists()
    assert ExceptionCase.objects.open().snoozed().get() == case
    assert snoozing.due(at=MORNING + timedelta(days=1000)) == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "until"),
        ({"until": MORNING}, "until"),
        ({"until": MORNING + timedelta(days=367)}, "until"),
        ({"wakes_on": WakesOn.TARGET_WELL}, "event"),  # it is well: it would come back at once
    ],
)
def test_snooze_that_makes_no_sense_is_refused(cast: Cast, given: dict[str, Any], field: str):
    case = make_case(cast)
    with pytest.raises(Invalid) as refused:
        snooze(case.pk, by=cast.clerk, at=MORNING, **given)
    assert refused.value.field == field
    assert snoozed(case) == (None, None, "")


@pytest.mark.parametrize("who", ["controller", "support", "auditor", "outsider", "administrator"])
@pytest.mark.parametrize("act", [lambda pk, **given: snooze(pk, until=LATER, **given), wake])
def test_snooze_and_wake_need_the_verb(cast: Cast, who: str, act: Callable[..., ExceptionCase]):
    case = make_case(cast)
    with pytest.raises(NotPermitted, match="You may not work on exceptions"):
        act(case.pk, by=getattr(cast, who), at=MORNING)


def test_snooze_of_what_a_colleague_works_on_twice_or_on_a_stale_page_is_refused(cast: Cast):
    case = work.claim(make_case(cast).pk, by=cast.clerk, at=MORNING)
    with pytest.raises(NotPermitted, match="Clara Clerk is working on this"):
        snooze(case.pk, by=cast.second_clerk, at=MORNING, until=LATER)
    with pytest.raises(ChangedMeanwhile):
        snooze(case.pk, by=cast.clerk, at=MORNING, until=LATER, revision=1)
    snooze(case.pk, by=cast.clerk, at=MORNING, until=LATER, revision=2)
    with pytest.raises(NotPermitted, match="snoozed already"):
        snooze(case.pk, by=cast.clerk, at=MORNING, until=LATER)


def test_what_is_closed_or_waits_for_a_decision_is_not_snoozed(cast: Cast):
    proposed = make_case(cast)
    make_proposal(proposed, cast.clerk)
    closed = dismiss(make_case(cast), cast.clerk, approver=cast.controller)
    for case in (proposed, closed):
        with pytest.raises(TransitionNotAllowed):
            snooze(case.pk, by=cast.clerk, at=MORNING, until=LATER)


def test_wake_brings_it_back_once(cast: Cast):
    case = snooze(make_case(cast).pk, by=cast.clerk, at=MORNING, until=LATER)
    wake(case.pk, by=cast.second_clerk, at=MORNING)
    assert snoozed(case) == (None, None, "")
    assert (last(case).action, last(case).actor) == ("case.woken", "cem")
    with pytest.raises(NotPermitted, match="It is not snoozed"):
        wake(case.pk, by=cast.clerk, at=MORNING)


def test_it_comes_back_at_its_time_and_whoever_snoozed_it_is_told(cast: Cast):
    case = snooze(make_case(cast).pk, by=cast.clerk, at=MORNING, until=LATER)
    assert snoozing.due(at=LATER - timedelta(seconds=1)) == []
    assert not end_snooze(case.pk, at=LATER - timedelta(seconds=1))
    assert snoozing.due(at=LATER) == [case.pk]
    assert end_snooze(case.pk, at=LATER)
    assert snoozed(case) == (None, None, "")
    assert (last(case).action, last(case).actor) == ("case.snooze_ended", "machine:worker")
    told = Notification.objects.get()
    assert (told.person, told.words) == (cast.clerk, "Its snooze ended.")
    assert not end_snooze(case.pk, at=LATER)


def test_sweep_wakes_what_is_due(cast: Cast):
    case = snooze(make_case(cast).pk, by=cast.clerk, at=MORNING, until=LATER)
    sweep()  # today is long after that morning
    assert snoozed(case) == (None, None, "")


def test_arrival_wakes_what_waits_for_it(cast: Cast):
    case = snooze(take_in(cast).pk, by=cast.clerk, at=MORNING, wakes_on=WakesOn.ARRIVAL, until=LATER)
    receive(cast.connection, handed_in("message-2"))
    intake.read_messages(limit=1, at=MORNING)
    assert snoozed(case) == (None, None, "")
    assert [event.action for event in timeline(case.subject)][-2:] == ["case.recurred", "case.snooze_ended"]
    assert last(case).because == "It waited until something new arrives for it."


def test_arrival_leaves_asleep_what_waits_for_something_else(cast: Cast):
    case = snooze(take_in(cast).pk, by=cast.clerk, at=MORNING, wakes_on=WakesOn.COMMENT)
    receive(cast.connection, handed_in("message-2"))
    intake.read_messages(limit=1, at=MORNING)
    assert snoozed(case) == (cast.clerk, None, "comment")


def test_comment_of_somebody_else_wakes_what_waits_for_one(cast: Cast):
    case = snooze(make_case(cast).pk, by=cast.clerk, at=MORNING, wakes_on=WakesOn.COMMENT)
    work.comment(case.pk, by=cast.clerk, at=MORNING, text="Asked the customer.")
    assert snoozed(case) == (cast.clerk, None, "comment")
    work.comment(case.pk, by=cast.second_clerk, at=MORNING, text="They answered.")
    assert snoozed(case) == (None, None, "")


def test_well_target_wakes_what_waits_for_it(cast: Cast):
    assign_perm("configure_connection", cast.clerk, cast.connection)
    connections.pause(cast.connection.pk, by=cast.clerk, at=MORNING, because="Migration.")
    case = snooze(make_case(cast).pk, by=cast.clerk, at=MORNING, wakes_on=WakesOn.TARGET_WELL)
    assert snoozing.due(at=LATER) == []
    assert not end_snooze(case.pk, at=LATER)
    connections.resume(cast.connection.pk, by=cast.clerk, at=LATER)
    assert snoozing.due(at=LATER) == [case.pk]
    assert end_snooze(case.pk, at=LATER)
    assert snoozed(case) == (None, None, "")


@pytest.mark.parametrize(
    "act",
    [
        lambda case, cast: work.claim(case.pk, by=cast.clerk, at=LATER),
        lambda case, cast: work.assign(case.pk, to=cast.second_clerk, by=cast.clerk, at=LATER),
        lambda case, cast: work.hold(case.pk, by=cast.clerk, at=LATER, waiting_for="An answer"),
    ],
)
def test_whoever_takes_it_up_ends_the_snooze(cast: Cast, act: Callable[[ExceptionCase, Cast], object]):
    case = snooze(make_case(cast).pk, by=cast.clerk, at=MORNING, wakes_on=WakesOn.ARRIVAL)
    act(case, cast)
    assert snoozed(case) == (None, None, "")
    assert (last(case).action, last(case).actor) == ("case.snooze_ended", "clara")


@pytest.mark.django_db(transaction=True)
def test_snooze_by_two_at_the_same_time_is_of_one(transactional_db: None):
    cast = make_cast()
    case = make_case(cast)
    outcomes = at_the_same_time(
        [
            lambda: snooze(case.pk, by=cast.clerk, at=MORNING, until=LATER),
            lambda: snooze(case.pk, by=cast.second_clerk, at=MORNING, until=LATER),
        ]
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ExceptionCase", "NotPermitted"]
    case.refresh_from_db()
    assert case.revision == 2
