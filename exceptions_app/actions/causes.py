"""What people write down about a cause: notes, and who upstream has to mend it."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit import log
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import is_machine
from exceptions_app.models import Cause, CauseNote, CauseOwner
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.audit_page import CONFIGURATION_SCOPE
from exceptions_app.queries.cause_page import NOTING, OWNING, may_on_cause, ownership_of
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Verb
from exceptions_app.wording import say

LONGEST_NOTE = 5000
LONGEST_TEAM = 100


class OwnerChanged(Exception):
    """Somebody else set the owner since the person looked."""


@transaction.atomic
def note_cause(cause_id: int, *, text: str, by: AbstractUser, at: datetime) -> CauseNote:
    """Write a note; it cannot be taken back. Raises NotPermitted, Invalid."""
    cause = lock_cause(cause_id, NOTING, by=by)
    text = text.strip()
    if not text:
        raise Invalid("text", say("Write a note first."))
    if len(text) > LONGEST_NOTE:
        raise Invalid(
            "text", say("A note has at most {longest_note} characters. Shorten it.", longest_note=f"{LONGEST_NOTE:,}")
        )
    # Not the words themselves: the event is read by people who may see none of its exceptions.
    digest = {"sha256": hashlib.sha256(text.encode()).hexdigest()}
    record(cause, "cause.noted", by=by, at=at, summary=f"{by} wrote a note on {cause.ref}.", data=digest)
    return CauseNote.objects.create(cause=cause, author_id=by.pk, text=text, written_at=at)


@transaction.atomic
def set_cause_owner(
    cause_id: int,
    *,
    person: AbstractUser | None,
    team: str,
    seen: int,
    by: AbstractUser,
    at: datetime,
    because: str = "",
) -> CauseOwner:
    """From now on a person, a team upstream or nobody has to mend it.

    `seen` is the number of the owner that the person was looking at, 0 for none; it may be that of a cause that is
    one with it. Raises NotPermitted, OwnerChanged, Invalid.
    """
    cause = lock_cause(cause_id, OWNING, by=by)
    team = team.strip()
    if person is not None and team:
        raise Invalid("team", say("Choose a person or write the name of a team, not both."))
    if len(team) > LONGEST_TEAM:
        raise Invalid(
            "team", say("The name of a team has at most {longest_team} characters.", longest_team=LONGEST_TEAM)
        )
    current = next(iter(ownership_of(cause)), None)
    if (current.pk if current else 0) != seen:
        raise OwnerChanged(f"Somebody set the owner meanwhile: {current or 'nobody'}.")
    name = str(person) if person is not None else team
    # Not the names: two people may have the same one, and a team may be called like a person.
    wanted = (person.pk if person is not None else None, team)
    if wanted == ((current.person_id, current.team) if current else (None, "")):
        raise Invalid("team", say("It has this owner already: {name}.", name=name) if name else say("It has no owner."))
    record(
        cause,
        "cause.owner_set",
        by=by,
        at=at,
        because=because,
        summary=f"{by} set the owner of {cause.ref}: {name or 'nobody'}.",
        data={"person": person.get_username() if person is not None else "", "team": team},
    )
    return CauseOwner.objects.create(
        cause=cause,
        person_id=person.pk if person is not None else None,
        team=team,
        set_by_id=by.pk,
        because=because,
        set_at=at,
    )


def lock_cause(cause_id: int, verb: Verb, *, by: AbstractUser) -> Cause:
    """The row, locked without its key, so that exceptions of it can arrive meanwhile."""
    cause = Cause.objects.select_for_update(of=("self",), no_key=True).get(pk=cause_id)
    ruling = may_on_cause(cause, verb, reach_of(by))
    if not ruling.allowed:
        raise NotPermitted(ruling.reason)
    return cause


def record(
    cause: Cause,
    name: str,
    *,
    by: AbstractUser,
    at: datetime,
    summary: str,
    data: Mapping[str, object],
    because: str = "",
) -> None:
    """A cause belongs to no single queue or legal entity, so its events are for whoever reads those of the whole."""
    log.record(
        name,
        subject=cause.subject,
        scope=CONFIGURATION_SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=summary,
        because=because,
        data=data,
        correlation_id=cause.ref,
    )
