"""Letting somebody else decide in one's place for some days, and ending that."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import is_machine
from exceptions_app.models import Delegation
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access_conflicts import lock_people, no_new_pair
from exceptions_app.queries.delegations import holds_a_right_against, may_decide_for
from exceptions_app.queries.reach import own_reach_of
from exceptions_app.states import Verb
from exceptions_app.wording import say

LONGEST = 92  # days
LAST_YEAR = 2999  # near the end of the calendar a day has no next one
NOTHING_TO_GIVE = say(
    "You may not approve anywhere by yourself, so there is nothing that somebody could do in your place."
)


@transaction.atomic
def delegate(
    taker: AbstractUser, *, first_day: date, last_day: date, by: AbstractUser, at: datetime, because: str
) -> Delegation:
    """Have somebody decide in one's place, wherever one may approve by oneself. What one decides for others stays.

    Raises NotPermitted, and Invalid with the field at fault: also for what nobody may hold beside what they hold.
    """
    lock_people([by.pk, taker.pk])  # one after the other, and with a change of the taker's roles
    if not own_reach_of(by).has(Verb.APPROVE):
        raise NotPermitted(NOTHING_TO_GIVE)
    _check_taker(taker, by=by)
    zone = ZoneInfo(getattr(by, "time_zone", "UTC"))
    _check_days(first_day, last_day, today=at.astimezone(zone).date())
    if not because.strip():
        raise Invalid("because", say("Say why somebody else decides in your place; the auditor reads it."))
    begins_at = datetime.combine(first_day, time.min, tzinfo=zone)
    ends_at = datetime.combine(last_day + timedelta(days=1), time.min, tzinfo=zone)
    overlapping = Delegation.objects.filter(giver=by.pk, taker=taker.pk, ended_at=None)
    if overlapping.filter(begins_at__lt=ends_at, ends_at__gt=begins_at).exists():
        raise Invalid(
            "first_day",
            say("{taker} decides in your place on some of these days already. End that first.", taker=taker),
        )
    try:
        with no_new_pair([taker.pk]):
            given = Delegation.objects.create(
                giver_id=by.pk, taker_id=taker.pk, first_day=first_day, last_day=last_day, begins_at=begins_at,
                ends_at=ends_at, because=because.strip()[:500], given_at=at,
            )  # fmt: skip
    except NotPermitted as error:  # what a grant would be refused for
        raise Invalid("taker", error.reason) from error
    words = f"{by} lets {taker} decide in their place from {first_day} to {last_day}."
    _record("delegation.given", given, words, by=by, at=at, because=given.because)
    return given


def _check_taker(taker: AbstractUser, *, by: AbstractUser) -> None:
    if taker.pk == by.pk:
        raise Invalid("taker", say("Choose somebody else."))
    if is_machine(taker) or not may_decide_for(by).filter(pk=taker.pk).exists():
        raise Invalid(
            "taker", say("{taker} sees nothing of what you decide on. An administrator can grant it.", taker=taker)
        )
    if holds_a_right_against(taker):
        raise Invalid(
            "taker",
            say(
                "{taker} administers accounts, configures connections or hands messages in, and approves nowhere.",
                taker=taker,
            ),
        )


def _check_days(first_day: date, last_day: date, *, today: date) -> None:
    if first_day < today:
        raise Invalid("first_day", say("Choose today or a later day."))
    for name, day in (("first_day", first_day), ("last_day", last_day)):
        if day.year > LAST_YEAR:
            raise Invalid(name, say("Choose a day before the year {value}.", value=LAST_YEAR + 1))
    if last_day < first_day:
        raise Invalid("last_day", say("Choose the first day or a later one."))
    if (last_day - first_day).days >= LONGEST:
        raise Invalid(
            "last_day",
            say("At most {longest} days. For longer, have an administrator give the right.", longest=LONGEST),
        )


@transaction.atomic
def end_delegation(number: int, *, by: AbstractUser, at: datetime, because: str = "") -> Delegation:
    """From now on it does not count: by who gave it, who has it, or an administrator. Ended twice is ended once."""
    given = (
        Delegation.objects.select_for_update(of=("self",), no_key=True).select_related("giver", "taker").get(pk=number)
    )
    may = by.pk in (given.giver_id, given.taker_id) or (by.is_active and by.is_staff) or is_machine(by)
    if not may:
        raise NotPermitted(say("Only who gave it, who has it, or an administrator may end it."))
    if given.ended_at is not None:
        return given
    given.ended_at, given.ended_by_id = at, by.pk
    given.save(update_fields=["ended_at", "ended_by"])
    words = f"{by} ended that {given.taker} decides in place of {given.giver}."
    _record("delegation.ended", given, words, by=by, at=at, because=because)
    return given


def _record(name: str, given: Delegation, words: str, *, by: AbstractUser, at: datetime, because: str) -> None:
    log.record(
        name,
        subject=f"person:{given.giver.get_username()}",
        scope=SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=words,
        because=because,
        data={
            "giver": given.giver.get_username(),
            "taker": given.taker.get_username(),
            "first_day": given.first_day,
            "last_day": given.last_day,
        },
    )
