"""Emergency access: who may take it where, who reads of it, who reviews it, and what was done in it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import Q, QuerySet

from audit.queries import Cursor, EventFilter, LogEntry, events
from exceptions_app.emergency_marks import emergency_of
from exceptions_app.machines import PREFIX, SERVICE_PREFIX
from exceptions_app.models import Emergency, LegalEntity, Queue
from exceptions_app.queries.audit_page import CONFIGURATION_SCOPE, readable_scopes
from exceptions_app.queries.case_page import people_within
from exceptions_app.queries.reach import Reach
from exceptions_app.states import Verb
from exceptions_app.wording import say

PAGE_SIZE = 100
REVIEWING = (Verb.APPROVE, Verb.EXPORT)
"""Who holds one of these there looks through what was done."""
_ELSEWHERE = say("In a place that you do not see.")


def emergencies_of(user: AbstractUser, reach: Reach) -> QuerySet[Emergency]:
    """Their own, those where they review, and all of them for an administrator."""
    found = Emergency.objects.select_related("person", "queue", "entity", "ended_by", "reviewed_by")
    if user.is_active and user.is_staff:
        return found
    return found.filter(Q(person=user.pk) | _reviewed_within(reach))


def _reviewed_within(reach: Reach) -> Q:
    where = Q(pk__in=[])
    for verb in REVIEWING:
        where |= Q(queue__in=reach.queues(verb), entity__in=reach.entities(verb))
    return where


def unreviewed_of(user: AbstractUser) -> Emergency | None:
    """The one that keeps them from another."""
    return Emergency.objects.filter(person=user.pk, reviewed_at=None).first()


def eligible_places(reach: Reach) -> tuple[QuerySet[Queue], QuerySet[LegalEntity]]:
    """Where the person was made eligible for it by an administrator."""
    queues = Queue.objects.filter(pk__in=reach.queues(Verb.EMERGENCY)).order_by("name")
    return queues, LegalEntity.objects.filter(pk__in=reach.entities(Verb.EMERGENCY)).order_by("name")


def why_no_review(emergency: Emergency, by: AbstractUser, reach: Reach, *, at: datetime) -> str:
    """What keeps the person from reviewing it; empty when they may. `reach` is their own."""
    if by.pk == emergency.person_id:
        return say("You took it; somebody else reviews it.")
    if by.email and by.email.lower() == emergency.person.email.lower():
        return say(
            "Your account has the e-mail address of {person}; somebody else reviews it.", person=emergency.person
        )
    if emergency_of(by, at=at):
        return say("You are in an emergency yourself, and review none before it is over.")
    if not any(verb in reach.verbs_at(emergency.queue_id, emergency.entity_id) for verb in REVIEWING):
        return say(
            "It is reviewed by whoever may approve or read the audit trail in {queue} for {entity}.",
            queue=emergency.queue, entity=emergency.entity,
        )  # fmt: skip
    return ""


def may_end(emergency: Emergency, by: AbstractUser, reach: Reach, *, at: datetime) -> bool:
    """Whoever took it, an administrator, and who may review it. `reach` is their own."""
    is_theirs = by.pk == emergency.person_id or by.is_staff
    return by.is_active and (is_theirs or not why_no_review(emergency, by, reach, at=at))


def to_be_told(queue: Queue, entity: LegalEntity, *, by: AbstractUser) -> list[int]:
    """Everybody else who may review it, and the administrators. Another account with their address is not another."""
    within = [one for verb in REVIEWING for one in people_within(verb, [queue.pk], [entity.pk])]
    staff = get_user_model().objects.filter(is_staff=True, is_active=True).exclude(username__startswith=PREFIX)
    others = [one for one in (*within, *staff) if not by.email or one.email.lower() != by.email.lower()]
    return sorted({one.pk for one in others if not one.get_username().startswith(SERVICE_PREFIX)} - {by.pk})


@dataclass(frozen=True, slots=True)
class Done:
    """One event of the person while it lasted. Without sight of its place, only that there was one, and when."""

    at: datetime
    action: str
    summary: str
    subject: str
    is_marked: bool


@dataclass(frozen=True, slots=True)
class DonePage:
    rows: Sequence[Done]
    next_cursor: str


def done_in(emergency: Emergency, reader: AbstractUser, reach: Reach, *, cursor: str = "") -> DonePage:
    """Every event of the person while it lasted, the newest first, marked or not: none hides by its mark missing.

    Four queries. Raises ValueError for a cursor that is none.
    """
    filters = EventFilter(
        scopes=None, actor=emergency.person.get_username(), since=emergency.began_at,
        until=emergency.ended_at or emergency.ends_at,
    )  # fmt: skip
    page = events(filters, after=Cursor.parse(cursor) if cursor else None, limit=PAGE_SIZE)
    seen = set(readable_scopes(reader)) | {CONFIGURATION_SCOPE}
    if reader.pk == emergency.person_id or reach.verbs_at(emergency.queue_id, emergency.entity_id):
        seen.add(scope_of_emergency(emergency))
    return DonePage([_done(entry, emergency, seen) for entry in page.entries], str(page.next) if page.next else "")


def _done(entry: LogEntry, emergency: Emergency, seen: Collection[str]) -> Done:
    is_seen = entry.scope in seen or entry.action.startswith("emergency.")
    return Done(
        entry.at,
        entry.action,
        entry.summary if is_seen else _ELSEWHERE,
        entry.subject if is_seen else "",
        entry.data.get("emergency") == emergency.ref,
    )


def scope_of_emergency(emergency: Emergency) -> str:
    return f"{emergency.entity.code}/{emergency.queue.slug}"
