"""Attempts that were refused: each leaves an event, written by itself once the refused transaction is undone.

An account has so many events of its own in a minute. What is beyond that is counted, by what was asked for, and told
in one event when the minute is over: nobody fills the log by asking, and nothing is left out silently.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit import log
from audit.models import AuditEvent
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.mover import scope_of
from exceptions_app.machines import is_machine
from exceptions_app.models import ExceptionCase, RefusedMinute
from exceptions_app.policies import NotPermitted

MOST_A_MINUTE = 30
LONGEST_REFERENCE = 80
LONGEST_REASON = 500
_MINUTE = timedelta(minutes=1)
_AT_A_TIME = 200
_REPEATED = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One attempt. `what` is one of so many that the program has; `about` is what was asked for, as it was written."""

    what: str  # such as POST exceptions:approve
    via: str  # page, API, command or task
    reason: str
    about: str = ""
    scope: str = SCOPE
    status: int | None = None
    token: str = ""

    @property
    def reads(self) -> bool:
        return self.what.startswith("GET ")


def cut(text: str, most: int) -> str:
    """One line of printable characters, and no more of them than that."""
    printable = "".join(character if character.isprintable() else " " for character in text[: most + 1])
    return printable if len(printable) <= most else f"{printable[: most - 1]}…"


@transaction.atomic
def record_refused(attempts: Sequence[Refused], *, by: AbstractUser, at: datetime, correlation_id: str = "") -> None:
    """Tell them in the audit trail, or count them where the account has had its events of this minute."""
    rows = RefusedMinute.objects.select_for_update()
    minute, _ = rows.get_or_create(person_id=by.pk, minute=at.replace(second=0, microsecond=0))
    told = _told_lately(by, at=at) if any(attempt.reads for attempt in attempts) else set()
    own, beyond = list[Refused](), list[Refused]()
    for attempt in attempts:
        is_own = minute.told + len(own) < MOST_A_MINUTE and not (attempt.reads and _asked(attempt) in told)
        (own if is_own else beyond).append(attempt)
    log.record_many([_entry(attempt, by=by, at=at, correlation_id=correlation_id) for attempt in own])
    for attempt in beyond:
        minute.left_out[attempt.what] = minute.left_out.get(attempt.what, 0) + 1
    minute.told += len(own)
    minute.beyond += len(beyond)
    minute.save(update_fields=["told", "beyond", "left_out"])


def _told_lately(by: AbstractUser, *, at: datetime) -> set[tuple[str, str]]:
    """What was asked for in vain and told some minutes ago: a page that was left open asks for it again and again."""
    recent = AuditEvent.objects.filter(actor=by.get_username(), at__gt=at - _REPEATED, action="person.refused")
    return {(data["what"], data["about"]) for data in recent.values_list("data", flat=True)}


def _asked(attempt: Refused) -> tuple[str, str]:
    return attempt.what, cut(attempt.about, LONGEST_REFERENCE)


def record_refused_by_task(
    error: Exception, what: str, case: ExceptionCase, *, by: AbstractUser, at: datetime, about: str
) -> None:
    """The same of what a worker was to do in somebody's name, when it was for want of a right that it was refused."""
    if not isinstance(error, NotPermitted):
        return
    reference = f"{about} {case.ref}"
    attempt = Refused(what=what, via="task", reason=error.reason, about=reference, scope=scope_of(case))
    record_refused([attempt], by=by, at=at)


def _entry(attempt: Refused, *, by: AbstractUser, at: datetime, correlation_id: str) -> log.Entry:
    about, reason = cut(attempt.about, LONGEST_REFERENCE), cut(attempt.reason, LONGEST_REASON)
    asked = f"{attempt.what} of {about}" if about else attempt.what
    data: dict[str, object] = {"what": attempt.what, "via": attempt.via, "about": about, "reason": reason}
    if attempt.status is not None:
        data["status"] = attempt.status
    if attempt.token:
        data["token"] = attempt.token
    return log.Entry(
        action="person.refused",
        subject=f"person:{by.get_username()}",
        scope=attempt.scope,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=f"{by} was refused: {asked} ({attempt.via}). {reason}".strip(),
        data=data,
        correlation_id=correlation_id,
    )


def tell_left_out(*, at: datetime) -> int:
    """Each minute that is over goes, with an event about what was only counted in it. How many went."""
    with transaction.atomic():
        over = RefusedMinute.objects.select_for_update(of=("self",), skip_locked=True).select_related("person")
        minutes = list(over.filter(minute__lte=at - 2 * _MINUTE).order_by("pk")[:_AT_A_TIME])
        for minute in minutes:
            if minute.beyond:
                _tell(minute, at=at)
        RefusedMinute.objects.filter(pk__in=[minute.pk for minute in minutes]).delete()
    return len(minutes)


def _tell(minute: RefusedMinute, *, at: datetime) -> None:
    log.record(
        "person.refused_more",
        subject=f"person:{minute.person.get_username()}",
        scope=SCOPE,
        actor=minute.person.get_username(),
        actor_kind="machine" if is_machine(minute.person) else "person",
        at=at,
        summary=f"{minute.person} was refused {minute.beyond} times more in the minute from "
        f"{minute.minute:%d.%m.%Y %H:%M} UTC, beside {minute.told} events of their own.",
        data={"minute": minute.minute, "count": minute.beyond, "what": minute.left_out},
    )
