"""Taking back the last move, while nothing else has happened to the exception: a move of its own, which names it.

What it takes is in the trail: the event of the move says which revision it made and how everything was before.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit.queries import EventFilter, LogEntry, events
from exceptions_app import policies
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid, lock, move
from exceptions_app.models import ExceptionCase, Notification
from exceptions_app.states import TRANSITIONS, UNDOABLE, UNDOING, Action, State, Verb
from exceptions_app.wording import say

NOTHING_TO_UNDO = say("There is nothing here to take back.")
_UNDOABLE_EVENTS = frozenset(TRANSITIONS[action].past for action in UNDOABLE)
_MOST_LOOKED_AT = 100  # events since: those that changed nothing, such as comments
_PEOPLE = frozenset({"assignee", "snoozed_by"})
_TIMES = frozenset({"held_until", "snoozed_until"})


@transaction.atomic
def undo(case_id: int, *, by: AbstractUser, at: datetime, revision: int) -> ExceptionCase:
    """Take back exactly the move that led to `revision`; raises ChangedMeanwhile when something was done since."""
    case = lock(case_id, revision=revision)
    policies.require(Action.UNDO, case, by)
    done = _move_that_led_to(case)
    if done is None:
        raise ChangedMeanwhile(case, NOTHING_TO_UNDO)
    if done.actor != by.get_username():
        raise policies.NotPermitted(say("Only the person who did it can take it back."))
    before = _restored(case, done.data["before"])
    began, ended = State(done.data["from"]), State(done.data["to"])
    back_to = before.get("assignee")
    _require_still_granted(case, back_to)
    return move(
        case,
        UNDOING[began if began is not ended else None],
        by=by,
        at=at,
        summary=f"{by} took back: {done.summary}",
        data={"undoes": str(done.event_id), "undone": done.action},
        tells=_told(case.assignee, back_to) if "assignee" in before else {},
        **before,
    )


def _move_that_led_to(case: ExceptionCase) -> LogEntry | None:
    """The event of the move that made the exception as it is, when it can be taken back."""
    asked = EventFilter(scopes=None, subject=case.subject, action="case.")
    for event in events(asked, limit=_MOST_LOOKED_AT).entries:
        if event.data.get("revision") == case.revision:
            return event if event.action in _UNDOABLE_EVENTS else None
    return None


def _restored(case: ExceptionCase, before: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as they were, of the text in the trail."""
    return {name: value if value is None else _value(case, name, value) for name, value in before.items()}


def _value(case: ExceptionCase, name: str, value: str) -> object:
    if name in _PEOPLE:
        return _person(case, value)
    return datetime.fromisoformat(value) if name in _TIMES else value


def _person(case: ExceptionCase, username: str) -> AbstractUser:
    found: AbstractUser | None = get_user_model()._default_manager.filter(username=username).first()
    if found is None:
        raise Invalid(
            "",
            say(
                "Nobody is called {username} any more. Assign {ref} to somebody else.", username=username, ref=case.ref
            ),
        )
    return found


def _require_still_granted(case: ExceptionCase, person: AbstractUser | None) -> None:
    if person is not None and Verb.CORRECT not in policies.verbs_of(person, case):
        raise Invalid(
            "",
            say(
                "{person} may not work on exceptions in {queue} for {entity} any more. It stays as it is; "
                "assign it to somebody else.",
                person=person,
                queue=case.queue,
                entity=case.entity,
            ),
        )


def _told(now_theirs: AbstractUser | None, theirs_again: AbstractUser | None) -> dict[int, Notification.Kind]:
    """Who is given it back, and from whom it is taken."""
    told: dict[int, Notification.Kind] = {}
    if now_theirs is not None:
        told[now_theirs.pk] = Notification.Kind.CHANGED
    if theirs_again is not None:
        told[theirs_again.pk] = Notification.Kind.ASSIGNED
    return told
