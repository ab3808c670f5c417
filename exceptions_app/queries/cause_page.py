"""The page of one cause: how such exceptions ended, with which values, and what people know of it."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet
from django.urls import reverse

from exceptions_app.field_classes import masked_value
from exceptions_app.machines import PREFIX
from exceptions_app.models import (
    BatchItem,
    Cause,
    CauseNote,
    CauseOwner,
    PayloadVersion,
    QueueGroupGrant,
    QueueUserGrant,
    UnmappedValue,
)
from exceptions_app.models.case import REF_PREFIX, ExceptionCaseQuerySet
from exceptions_app.policies import ALLOWED, VERB_WORDS, Ruling
from exceptions_app.queries.batch_standing import batches_within
from exceptions_app.queries.causes import CauseLine, lines_of
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.queries.replay_batches import BatchRow, rows_of_batches
from exceptions_app.states import Outcome, Verb
from exceptions_app.wording import say
from integrations.value_kinds import ValueKind, not_mapped

MOST_MEASURED = 1_000  # closed exceptions by which times and outcomes are told
MOST_SHOWN = 10
MOST_NOTES = 50
MOST_BATCHES = 5
NOTING, OWNING = Verb.COMMENT, Verb.CORRECT
_SENT = (Outcome.REPLAYED, Outcome.RELEASED)


def find_cause(reach: Reach, ref: str, *, at: datetime) -> CauseLine | None:
    """The cause, when the person sees one of its exceptions; None as for one that is not there. Five queries.

    Of one that is joined with another, that other.
    """
    cause = Cause.objects.with_ref(ref).first()
    if cause is None:
        return None
    return next(iter(lines_of(_cases_of(cause, reach), at=at, only=cause)), None)


def may_on_cause(cause: Cause, verb: Verb, reach: Reach) -> Ruling:
    """Who holds the verb, and sees it, on one of the exceptions. One query."""
    if (cases_within(reach, verb) & _cases_of(cause, reach)).exists():
        return ALLOWED
    return Ruling(
        False,
        say("You may not {do} where its exceptions are. An administrator can grant it.", do=say(VERB_WORDS[verb])),
    )


def _cases_of(cause: Cause, reach: Reach) -> ExceptionCaseQuerySet:
    """Of it and of all that are one with it."""
    cases: ExceptionCaseQuerySet = cases_within(reach).filter(cause__in=_one_with(cause))
    return cases


def _one_with(cause: Cause) -> QuerySet[Cause, int]:
    return Cause.objects.one_with(cause).values_list("pk", flat=True)


def people_who_may_own(reach: Reach, *, owner: int | None = None) -> QuerySet[AbstractUser]:
    """Active people who see one of the queues that the reader sees, and who owns it now whether they do or not."""
    granted = {"content_object__in": reach.queues(Verb.SEE), "permission__codename": Verb.SEE.value}
    in_groups = get_user_model().groups.through._default_manager.filter(
        group__in=QueueGroupGrant.objects.filter(**granted).values("group")
    )
    directly = QueueUserGrant.objects.filter(**granted)
    people: QuerySet[AbstractUser] = get_user_model().objects.filter(
        Q(Q(pk__in=directly.values("user")) | Q(pk__in=in_groups.values("user")), is_active=True) | Q(pk=owner)
    )
    return people.exclude(username__startswith=PREFIX).order_by("first_name", "last_name", "username")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """How the newest closed exceptions ended, and how long it took from arrival to the end, by the calendar."""

    number: int
    median: timedelta
    ninetieth: timedelta
    outcomes: Sequence[tuple[Outcome, int]]
    is_all: bool  # of them; else only the newest were measured


def resolution_of(cause: Cause, reach: Reach) -> Resolution | None:
    """None when none is closed. One query."""
    closed = _cases_of(cause, reach).filter(closed_at__isnull=False).order_by("-opened_at")[: MOST_MEASURED + 1]
    rows = list(closed.values_list("opened_at", "closed_at", "outcome"))
    measured = rows[:MOST_MEASURED]
    if not measured:
        return None
    took = sorted(max(timedelta(), end - begin) for begin, end, _ in measured if end is not None)
    outcomes = Counter(Outcome(outcome) for *_, outcome in measured)
    return Resolution(
        number=len(measured),
        median=nearest_rank(took, 50),
        ninetieth=nearest_rank(took, 90),
        outcomes=outcomes.most_common(),
        is_all=len(rows) <= MOST_MEASURED,
    )


def nearest_rank(ordered: Sequence[timedelta], percent: int) -> timedelta:
    """The smallest value that so many per cent do not exceed: one that occurred, nothing in between."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueUsed:
    """A correction that went to the target: which field, from what to what, how often, and one exception with it."""

    label: str
    was: str
    will_be: str
    number: int
    example: str


def values_used(cause: Cause, reach: Reach) -> list[ValueUsed]:
    """Corrections of those that were sent in the end and accepted, the most frequent first. Two queries."""
    sent = _cases_of(cause, reach).filter(outcome__in=_SENT).order_by("-opened_at")
    newest = list(sent.values_list("pk", flat=True)[:MOST_MEASURED])
    versions = PayloadVersion.objects.filter(case__in=newest, number__gt=1).order_by("case", "number")
    last: dict[tuple[int, str], Mapping[str, Any]] = {}
    for case, changes in versions.values_list("case_id", "changes"):
        for change in changes:
            before = last.get((case, change["path"]))
            last[case, change["path"]] = {**change, "was": before["was"]} if before else change
    used: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], int] = {}
    for (case, _), change in last.items():
        if change["was"] != change["will_be"]:
            key = (str(change["label"]), _masked(change, "was"), _masked(change, "will_be"))
            used[key] += 1
            examples[key] = max(case, examples.get(key, 0))
    return [
        ValueUsed(label=key[0], was=key[1], will_be=key[2], number=number, example=f"{REF_PREFIX}{examples[key]}")
        for key, number in used.most_common(MOST_SHOWN)
    ]


def _masked(change: Mapping[str, Any], name: str) -> str:
    return masked_value(str(change[name] or ""), path=str(change["path"]), term=str(change["term"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueLacking:
    """A value that open exceptions of the cause have and no mapping gave, and where it can be mapped."""

    words: str
    target: str
    number: int
    propose_url: str


def values_lacking(cause: Cause, reach: Reach) -> list[ValueLacking]:
    """For who may propose somewhere; the most frequent first. One query."""
    if not reach.has(Verb.PROPOSE):
        return []
    rows = (
        UnmappedValue.objects.filter(case__in=_cases_of(cause, reach).open())
        .order_by()
        .values("kind", "value", slug=F("case__connection__slug"), target=F("case__connection__name"))
        .annotate(
            number=Count("case", distinct=True),
            entity=Min("case__entity__code"),
            other_entity=Max("case__entity__code"),
            queue=Min("case__queue__slug"),
        )
        .order_by("-number", "kind", "value")[:MOST_SHOWN]
    )
    return [_lacking(row) for row in rows]


def _lacking(row: Mapping[str, Any]) -> ValueLacking:
    kind = ValueKind(row["kind"])
    asked = {
        "kind": kind.value,
        "connection": row["slug"],
        "entity": row["entity"] if row["entity"] == row["other_entity"] else "",
        "queue": row["queue"],
        "source_value": row["value"],
    }
    return ValueLacking(
        words=not_mapped(kind, row["value"]),
        target=row["target"],
        number=row["number"],
        propose_url=f"{reverse('exceptions:value_mapping_new')}?{urlencode(asked)}",
    )


def batches_of(cause: Cause, reach: Reach) -> list[BatchRow]:
    """The newest batches with an exception of the cause, of those that the person sees. Three queries."""
    items = BatchItem.objects.filter(batch=OuterRef("pk"), case__cause__in=_one_with(cause))
    found = batches_within(reach).filter(Exists(items)).select_related("connection", "proposer").order_by("-pk")
    return rows_of_batches(list(found[:MOST_BATCHES]))


def notes_of(cause: Cause) -> list[CauseNote]:
    """The newest first. One query."""
    return list(
        CauseNote.objects.filter(cause__in=_one_with(cause))
        .select_related("author", "cause")
        .order_by("-pk")[:MOST_NOTES]
    )


def ownership_of(cause: Cause) -> list[CauseOwner]:
    """The owner and those before, the newest first. One query."""
    owners = (
        CauseOwner.objects.filter(cause__in=_one_with(cause))
        .select_related("person", "set_by", "cause")
        .order_by("-pk")
    )
    return list(owners[:MOST_NOTES])


def owner_of(ref: str) -> CauseOwner | None:
    """Who has to mend it now, by what was said last of it or of one that is one with it. Two queries."""
    cause = Cause.objects.with_ref(ref).first()
    said = ownership_of(cause) if cause is not None else []
    return said[0] if said else None
