"""Saying that two causes are one, taking that back, and taking exceptions out into a cause of their own.

Joining moves no exception: each keeps the cause that it came in with, and whatever is told of a cause is told of all
that are one with it. So what arrives later falls under the joined one by itself, and taking it back loses nothing.
"""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import uuid4

from django.contrib.auth.models import AbstractUser
from django.db import connection as database
from django.db import transaction
from django.db.models import Q

from exceptions_app.actions.causes import LONGEST_NOTE, lock_cause, note_cause, record
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid, lock, move
from exceptions_app.models import Cause, CauseJoin, ExceptionCase
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.cause_joins import heads_of, said
from exceptions_app.queries.cause_page import OWNING, may_on_cause
from exceptions_app.queries.reach import cases_within, reach_of
from exceptions_app.states import Action
from exceptions_app.wording import say

LONGEST_REASON = 500
LONGEST_TITLE = 200
MOST_SPLIT = 500  # exceptions at once, each with an event of its own
WHY = say("Say why; whoever works on its exceptions reads it.")


class CausesChanged(Exception):
    """What was to be joined, taken back or taken out is not as it was shown."""


@transaction.atomic
def join_causes(cause_id: int, *, into: str, because: str, by: AbstractUser, at: datetime) -> CauseJoin:
    """From now on the first is one with the other, which gives the name.

    Raises NotPermitted, Invalid, CausesChanged.
    """
    _one_at_a_time()
    cause, because = lock_cause(cause_id, OWNING, by=by), _reason(because)
    other = _named(into, by)
    if cause.head_id is not None:
        raise CausesChanged(f"{cause.ref} is one with {cause.head} already.")
    if other.pk == cause.pk:
        raise Invalid("into", say("This is {ref} itself, or one with it. Choose another cause.", ref=cause.ref))
    if other.connector != cause.connector:
        raise Invalid(
            "into", say("{ref} is of another kind of connection: its codes mean something else.", ref=other.ref)
        )
    summary, data = f"{by} joined {cause.ref} with {other.ref}.", {"with": other.ref}
    record(cause, "cause.joined", by=by, at=at, because=because, summary=summary, data=data)
    return _say(cause, other, "cause.joined", summary, because=because, by=by, at=at)


@transaction.atomic
def take_back(cause_id: int, *, because: str, by: AbstractUser, at: datetime) -> CauseJoin:
    """It stands by itself again, with those that were joined with it. Raises NotPermitted, Invalid, CausesChanged."""
    _one_at_a_time()
    cause, because = lock_cause(cause_id, OWNING, by=by), _reason(because)
    into = Cause.objects.filter(pk=said().get(cause.pk, 0)).first()
    if into is None:
        raise CausesChanged(f"{cause.ref} stands by itself.")
    summary, data = f"{by} took {cause.ref} back from {into.ref}.", {"with": into.ref}
    record(cause, "cause.taken_back", by=by, at=at, because=because, summary=summary, data=data)
    return _say(cause, None, "cause.taken_back", summary, because=because, by=by, at=at)


def _one_at_a_time() -> None:
    """Two who join causes at the same moment could make a ring. The same lock as that of the guard on the table."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('exceptions_app_cause.head'))")


def _reason(because: str) -> str:
    because = because.strip()
    if not because:
        raise Invalid("because", WHY)
    if len(because) > LONGEST_REASON:
        raise Invalid(
            "because",
            say("A reason has at most {longest_reason} characters. Shorten it.", longest_reason=LONGEST_REASON),
        )
    return because


def _named(ref: str, by: AbstractUser) -> Cause:
    """The cause of that number, or the one that it is one with; as one that does not exist when none of it is seen."""
    found = Cause.objects.with_ref(ref.strip().upper()).select_related("head").first()
    reach = reach_of(by)
    if found is None or not cases_within(reach).filter(cause__in=Cause.objects.one_with(found).values("pk")).exists():
        raise Invalid("into", say("There is no such cause. Write its number, such as CA-12."))
    ruling = may_on_cause(found, OWNING, reach)
    if not ruling.allowed:
        raise NotPermitted(ruling.reason)
    return found.head or found


def _say(
    cause: Cause, into: Cause | None, name: str, summary: str, *, because: str, by: AbstractUser, at: datetime
) -> CauseJoin:
    """Write it down, and give every cause the head that follows from all that was said."""
    join = CauseJoin.objects.create(cause=cause, into=into, said_by_id=by.pk, because=because, said_at=at)
    heads = heads_of(said())
    for member in Cause.objects.filter(Q(head__isnull=False) | Q(pk__in=heads)).order_by("pk"):
        if member.head_id == heads.get(member.pk):
            continue
        if member.pk != cause.pk:  # one that goes with it
            record(member, name, by=by, at=at, because=because, summary=summary, data={"goes_with": cause.ref})
        member.head_id = heads.get(member.pk)
        member.save(update_fields=["head"])
    return join


def frozen_split(numbers: Sequence[int]) -> str:
    """Of the exceptions that are to be taken out, as they were shown."""
    return hashlib.sha256(",".join(str(number) for number in sorted(numbers)).encode()).hexdigest()


@transaction.atomic
def split_cause(
    cause_id: int,
    numbers: Sequence[int],
    *,
    title: str,
    because: str,
    by: AbstractUser,
    at: datetime,
    frozen_sha256: str = "",
) -> Cause:
    """Put exceptions of a cause under one of their own; what arrives later with its code stays with the old one.

    All of them or none. Raises NotPermitted, Invalid, CausesChanged, and ChangedMeanwhile when one has moved on.
    """
    cause = lock_cause(cause_id, OWNING, by=by)
    because, title = _reason(because), title.strip()
    if not title or len(title) > LONGEST_TITLE:
        raise Invalid(
            "title",
            say("Give the new cause a name of at most {longest_title} characters.", longest_title=LONGEST_TITLE),
        )
    if not numbers:
        raise Invalid("exceptions", say("Choose at least one exception."))
    if len(numbers) > MOST_SPLIT:
        raise Invalid(
            "exceptions",
            say("At most {most_split} exceptions at once. Take the others out afterwards.", most_split=MOST_SPLIT),
        )
    causes_of = dict(cases_within(reach_of(by)).filter(pk__in=numbers).values_list("pk", "cause"))
    if len(causes_of) != len(set(numbers)):
        raise Invalid("exceptions", say("Some of these exceptions do not exist."))
    if frozen_sha256 and frozen_split(numbers) != frozen_sha256:
        raise CausesChanged("Other exceptions are chosen now than were shown.")
    family = {one.pk: one for one in Cause.objects.one_with(cause).order_by("pk")}
    like = _like(cause, [one for pk, one in family.items() if pk in causes_of.values()])
    own = Cause.objects.create(
        fingerprint=f"split:{uuid4().hex}", connector=like.connector, code=like.code, field=like.field,
        counterparty_class=like.counterparty_class, title=title, first_seen_at=at, split_from=like,
    )  # fmt: skip
    for number in sorted(set(numbers)):
        _regroup(number, own, family, because=because, by=by, at=at)
    for told in (cause, own):
        record(
            told, "cause.split", by=by, at=at, because=because,
            summary=f"{by} took {len(set(numbers))} exceptions out of {cause.ref} into {own.ref}.",
            data={"from": cause.ref, "to": own.ref, "number": len(set(numbers))},
        )  # fmt: skip
    note_cause(own.pk, text=f"Taken out of {cause.ref}: {because}"[:LONGEST_NOTE], by=by, at=at)
    return own


def _like(cause: Cause, came_with: Sequence[Cause]) -> Cause:
    """Of the causes that are one, the one whose code and field the exceptions keep: a playbook goes by the code."""
    codes = sorted({one.code for one in came_with})
    if len(codes) > 1:
        raise Invalid(
            "exceptions",
            f"They have several error codes: {', '.join(codes[:5])}. Take out those of one code at a time; "
            "what comes of it can be joined.",
        )
    return cause if cause in came_with or not came_with else came_with[0]


def _regroup(
    number: int, own: Cause, family: Collection[int], *, because: str, by: AbstractUser, at: datetime
) -> ExceptionCase:
    case = lock(number)
    if case.cause_id not in family:
        raise ChangedMeanwhile(case, say("{ref} has another cause by now.", ref=case.ref))
    was = case.cause.ref
    return move(
        case,
        Action.REGROUP,
        by=by,
        at=at,
        because=because,
        summary=f"{by} put {case.ref} under {own.ref}.",
        data={"cause": own.ref, "was": was},
        cause=own,
    )
