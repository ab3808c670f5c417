"""Taking back the last move: exactly that, by whoever made it, while nothing else has happened."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from audit.queries import timeline
from exceptions_app.actions import work
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.snoozing import snooze, wake
from exceptions_app.actions.tagging import tag
from exceptions_app.actions.undo import undo
from exceptions_app.models import ExceptionCase, Notification
from exceptions_app.policies import NotPermitted
from exceptions_app.states import State, WakesOn
from tests.cast import MORNING, Cast, make_cast
from tests.concurrency import at_the_same_time
from tests.factories import make_case

pytestmark = pytest.mark.django_db

LATER = MORNING + timedelta(hours=2)
FIELDS = ("state", "assignee_id", "snoozed_by_id", "snoozed_until", "snoozed_for", "waiting_for", "held_until", "tags")
Act = Callable[[ExceptionCase, Cast], ExceptionCase]

MOVES: dict[str, Act] = {
    "claim": lambda case, cast: work.claim(case.pk, by=cast.clerk, at=MORNING),
    "assign": lambda case, cast: work.assign(case.pk, to=cast.second_clerk, by=cast.clerk, at=MORNING),
    "give back": lambda case, cast: work.assign(case.pk, to=None, by=cast.clerk, at=MORNING),
    "hold": lambda case, cast: work.hold(
        case.pk, by=cast.clerk, at=MORNING, waiting_for="An answer", until=LATER
    ),
    "snooze": lambda case, cast: snooze(case.pk, by=cast.clerk, at=MORNING, until=LATER, wakes_on=WakesOn.ARRIVAL),
    "tag": lambda case, cast: tag(case.pk, add=["vat"], remove=["old"], by=cast.clerk, at=MORNING),
    "wake": lambda case, cast: wake(case.pk, by=cast.clerk, at=MORNING),
}  # fmt: skip
BEFORE: dict[str, Act] = {
    "new": lambda case, _: case,
    "claimed": MOVES["claim"],
    "on hold": MOVES["hold"],
    "snoozed": MOVES["snooze"],
    "tagged": lambda case, cast: tag(case.pk, add=["old"], by=cast.second_clerk, at=MORNING),
}
POSSIBLE = [
    ("claim", "new"), ("claim", "snoozed"), ("assign", "new"), ("assign", "claimed"), ("assign", "on hold"),
    ("assign", "snoozed"), ("give back", "claimed"), ("hold", "new"), ("hold", "claimed"), ("hold", "snoozed"),
    ("snooze", "new"), ("snooze", "claimed"), ("snooze", "on hold"), ("wake", "snoozed"),
    ("tag", "new"), ("tag", "snoozed"), ("tag", "tagged"),
]  # fmt: skip


def as_it_is(case: ExceptionCase) -> dict[str, object]:
    return ExceptionCase.objects.values(*FIELDS).get(pk=case.pk)


@pytest.mark.parametrize(("name", "first"), POSSIBLE)
def test_undo_brings_everything_back_and_names_what_it_undoes(cast: Cast, name: str, first: str):
    case = BEFORE[first](make_case(cast), cast)
    before = as_it_is(case)
    moved = MOVES[name](case, cast)
    event = next(found for found in timeline(case.subject) if found.data.get("revision") == moved.revision)
    assert as_it_is(case) != before

    undone = undo(case.pk, by=cast.clerk, at=LATER, revision=moved.revision)
    assert as_it_is(case) == before
    assert undone.revision == moved.revision + 1
    [told] = [found for found in timeline(case.subject) if found.action == "case.move_undone"]
    assert (told.actor, told.data["undoes"], told.data["undone"]) == ("clara", str(event.event_id), event.action)
    assert told.summary == f"Clara Clerk took back: {event.summary}"


def test_undo_twice_is_refused(cast: Cast):
    moved = work.claim(make_case(cast).pk, by=cast.clerk, at=MORNING)
    undone = undo(moved.pk, by=cast.clerk, at=MORNING, revision=2)
    for revision in (2, undone.revision):
        with pytest.raises(ChangedMeanwhile):
            undo(moved.pk, by=cast.clerk, at=MORNING, revision=revision)
    assert ExceptionCase.objects.get().revision == 3


def test_undo_after_somebody_did_something_is_refused(cast: Cast):
    moved = work.assign(make_case(cast).pk, to=cast.second_clerk, by=cast.clerk, at=MORNING)
    work.hold(moved.pk, by=cast.second_clerk, at=MORNING, waiting_for="An answer")
    for revision in (2, 3):
        with pytest.raises((ChangedMeanwhile, NotPermitted)):
            undo(moved.pk, by=cast.clerk, at=MORNING, revision=revision)
    assert ExceptionCase.objects.get().state == State.WAITING


def test_undo_over_a_comment_goes(cast: Cast):
    moved = work.claim(make_case(cast).pk, by=cast.clerk, at=MORNING)
    work.comment(moved.pk, by=cast.second_clerk, at=MORNING, text="Is that yours?")
    assert undo(moved.pk, by=cast.clerk, at=LATER, revision=2).assignee is None


def test_undo_of_what_somebody_else_did_is_refused(cast: Cast):
    moved = work.claim(make_case(cast).pk, by=cast.clerk, at=MORNING)
    with pytest.raises(NotPermitted, match="Only the person who did it"):
        undo(moved.pk, by=cast.second_clerk, at=MORNING, revision=2)
    with pytest.raises(NotPermitted, match="You may not work on exceptions"):
        undo(moved.pk, by=cast.outsider, at=MORNING, revision=2)


def test_undo_of_what_cannot_be_taken_back_is_refused(cast: Cast):
    case = make_case(cast)
    with pytest.raises(ChangedMeanwhile, match="nothing here to take back"):
        undo(case.pk, by=cast.clerk, at=MORNING, revision=1)


def test_undo_gives_nothing_to_who_may_not_work_there_any_more(cast: Cast):
    case = work.claim(make_case(cast).pk, by=cast.second_clerk, at=MORNING)
    moved = work.assign(case.pk, to=cast.clerk, by=cast.clerk, at=MORNING)
    cast.second_clerk.groups.clear()
    with pytest.raises(Invalid, match=r"Cem .* may not work on exceptions .* any more"):
        undo(case.pk, by=cast.clerk, at=MORNING, revision=moved.revision)
    assert ExceptionCase.objects.get().assignee == cast.clerk


def test_undo_tells_whom_it_concerns(cast: Cast):
    case = work.claim(make_case(cast).pk, by=cast.second_clerk, at=MORNING)
    moved = work.assign(case.pk, to=cast.local_clerk, by=cast.clerk, at=MORNING)
    undo(case.pk, by=cast.clerk, at=LATER, revision=moved.revision)
    assert {(told.person, told.words) for told in Notification.objects.filter(told_at=LATER)} == {
        (cast.second_clerk, "Clara Clerk assigned it to you."),
        (cast.local_clerk, "Clara Clerk took back what they did last."),
    }


@pytest.mark.django_db(transaction=True)
def test_undo_against_a_colleague_at_the_same_time_leaves_one_of_both(transactional_db: None):
    cast = make_cast()
    case = make_case(cast)
    moved = work.assign(case.pk, to=cast.second_clerk, by=cast.clerk, at=MORNING)
    undone, claimed = at_the_same_time(
        [
            lambda: undo(case.pk, by=cast.clerk, at=MORNING, revision=moved.revision),
            lambda: work.hold(case.pk, by=cast.second_clerk, at=MORNING, waiting_for="X", revision=moved.revision),
        ]
    )
    assert isinstance(undone, ExceptionCase) is not isinstance(claimed, ExceptionCase)
    case.refresh_from_db()
    assert case.revision == 3
