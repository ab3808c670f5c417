"""Out of the work lists for a while: until a time, until something happens, or until somebody takes it up.

A snooze changes nothing but who is reminded when. Every clock of the exception goes on, and search finds it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import Q

from exceptions_app import policies
from exceptions_app.actions.mover import NOT_SNOOZED, Invalid, lock, move
from exceptions_app.machines import WORKER, machine
from exceptions_app.models import ExceptionCase, Notification
from exceptions_app.states import WAKES_ON_WORDS, Action, WakesOn
from exceptions_app.wording import say
from integrations.delivery import holds_on

LONGEST_SNOOZE = timedelta(days=366)
NEEDS_AN_END = say("Say until when, or what it waits for.")


@transaction.atomic
def snooze(
    case_id: int,
    *,
    by: AbstractUser,
    at: datetime,
    until: datetime | None = None,
    wakes_on: WakesOn | None = None,
    because: str = "",
    revision: int | None = None,
) -> ExceptionCase:
    """Take it out of the work lists until a time, until something happens, or until whichever comes first."""
    case = lock(case_id, revision=revision)
    policies.require(Action.SNOOZE, case, by)
    if until is None and wakes_on is None:
        raise Invalid("until", NEEDS_AN_END)
    if until is not None and until <= at:
        raise Invalid("until", say("Choose a time in the future."))
    if until is not None and until - at > LONGEST_SNOOZE:
        raise Invalid("until", say("Choose a time within a year."))
    if wakes_on is WakesOn.TARGET_WELL and not _unwell([case.connection_id]):
        raise Invalid("event", say("Its target is well now. Choose a time or something else."))
    return move(
        case,
        Action.SNOOZE,
        by=by,
        at=at,
        because=because,
        summary=f"{by} snoozed {case.ref}.",
        data={"until": until, "event": wakes_on.value if wakes_on else ""},
        snoozed_by=by,
        snoozed_until=until,
        snoozed_for=wakes_on.value if wakes_on else "",
    )


@transaction.atomic
def wake(case_id: int, *, by: AbstractUser, at: datetime, revision: int | None = None) -> ExceptionCase:
    """Back into the work lists before its time."""
    case = lock(case_id, revision=revision)
    return move(case, Action.WAKE, by=by, at=at, summary=f"{by} woke {case.ref}.", **NOT_SNOOZED)


def due(*, at: datetime) -> list[int]:
    """What has to wake: its time has come, or it waits for a target that is well."""
    waiting = Q(snoozed_for=WakesOn.TARGET_WELL)
    snoozed = ExceptionCase.objects.snoozed().filter(Q(snoozed_until__lte=at) | waiting)
    rows = list(snoozed.values_list("pk", "connection", "snoozed_until"))
    unwell = _unwell({connection for _, connection, _ in rows})
    return [case for case, connection, until in rows if (until and until <= at) or connection not in unwell]


def _unwell(connections: Iterable[int]) -> frozenset[int]:
    """Those to which nothing goes now. That one sends at its own pace does not count."""
    held = holds_on(list(connections))
    return frozenset(connection for connection, hold in held.items() if not hold.is_pace)


@transaction.atomic
def end_snooze(case_id: int, *, at: datetime) -> bool:
    """Back into the work lists by itself, when it is still due; True when it woke."""
    case = lock(case_id)
    if case.snoozed_until is not None and case.snoozed_until <= at:
        _end(case, at=at, because="Its time has come.")
        return True
    if case.snoozed_for == WakesOn.TARGET_WELL and not _unwell([case.connection_id]):
        _end(case, at=at, because=_words(WakesOn.TARGET_WELL))
        return True
    return False  # somebody woke it, or snoozed it anew, in this very moment


def happened(case: ExceptionCase, event: WakesOn, *, by: AbstractUser, at: datetime) -> None:
    """Something happened to a locked exception: it wakes when it waits for that. Nobody wakes it for themselves."""
    if case.snoozed_for == event and case.snoozed_by_id != by.pk:
        _end(case, at=at, because=_words(event))


def _words(event: WakesOn) -> str:
    return f"It waited until {WAKES_ON_WORDS[event]}."


def _end(case: ExceptionCase, *, at: datetime, because: str) -> None:
    told = {case.snoozed_by_id: Notification.Kind.CHANGED} if case.snoozed_by_id is not None else {}
    move(
        case,
        Action.END_SNOOZE,
        by=machine(WORKER),
        at=at,
        because=because,
        summary=f"The snooze of {case.ref} ended.",
        tells=told,
        **NOT_SNOOZED,
    )
