"""Reads of the log: one subject's timeline, and the pages of an auditor. Newest first unless said otherwise."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Min, Q, QuerySet

from audit.canonical import timestamp
from audit.models import AuditBacklog, AuditEvent

TIMELINE_LIMIT = 1000
PAGE_LIMIT = 500


@dataclass(frozen=True, kw_only=True)
class LogEntry:
    """One event as a reader sees it. ``sequence`` is its sealed number, None while it waits for the sealer."""

    id: int
    event_id: UUID
    at: datetime
    action: str
    actor: str
    actor_kind: str
    subject: str
    scope: str
    summary: str
    because: str
    correlation_id: str
    data: dict[str, Any]
    sequence: int | None


@dataclass(frozen=True, kw_only=True)
class EventFilter:
    """What to read. ``scopes`` are those that the reader may see (None: all); an empty collection shows nothing.

    ``since`` is included, ``until`` is not. An ``action`` that ends in a dot ("case.") means every action below it.
    Of ``subjects``, any will do; without one, all do.
    """

    scopes: Collection[str] | None
    since: datetime | None = None
    until: datetime | None = None
    actor: str = ""
    action: str = ""
    subject: str = ""
    subjects: Collection[str] = ()


@dataclass(frozen=True)
class Cursor:
    """The place in the log after which a page begins."""

    at: datetime
    id: int

    def __str__(self) -> str:
        return f"{timestamp(self.at)}_{self.id}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read what ``str`` wrote; raises ``ValueError`` for anything else."""
        moment, separator, number = text.partition("_")
        if not (separator and moment.endswith("Z") and number.isascii() and number.isdecimal() and len(number) <= 18):
            raise ValueError("cursor: this is not a place in the log; start again from the first page.")
        return cls(at=datetime.fromisoformat(moment), id=int(number))


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of the log; ``next`` is None on the last one."""

    entries: list[LogEntry]
    next: Cursor | None


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """How much waits for the sealer, and since when."""

    count: int
    oldest_at: datetime | None


def timeline(subject: str, *, limit: int = TIMELINE_LIMIT) -> list[LogEntry]:
    """The newest ``limit`` events about one subject, oldest first. One query. The caller decides who may read it."""
    newest = _entries(AuditEvent.objects.filter(subject=subject).order_by("-at", "-id")[:limit])
    return newest[::-1]


def matching(filters: EventFilter) -> QuerySet[AuditEvent]:
    """The events that the filter lets through, in no order; for counting and for export."""
    events = AuditEvent.objects.all()
    if filters.scopes is not None:
        events = events.filter(scope__in=sorted(set(filters.scopes)))
    if filters.since is not None:
        events = events.filter(at__gte=filters.since)
    if filters.until is not None:
        events = events.filter(at__lt=filters.until)
    if filters.action:
        events = events.filter(**{"action__startswith" if filters.action.endswith(".") else "action": filters.action})
    if filters.subjects:
        events = events.filter(subject__in=sorted(set(filters.subjects)))
    exact = {name: value for name in ("actor", "subject") if (value := getattr(filters, name))}
    return events.filter(**exact)


def events(filters: EventFilter, *, after: Cursor | None = None, limit: int = 50) -> Page:
    """One page, newest first, beginning after ``after``. One query, whatever the depth."""
    size = max(1, min(limit, PAGE_LIMIT))
    found = matching(filters)
    if after is not None:
        # The first condition is implied by the second; it is what lets the index start at the right place.
        found = found.filter(at__lte=after.at).filter(Q(at__lt=after.at) | Q(id__lt=after.id))
    entries = _entries(found.order_by("-at", "-id")[: size + 1])
    shown = entries[:size]
    more = len(entries) > size
    return Page(entries=shown, next=Cursor(at=shown[-1].at, id=shown[-1].id) if more else None)


def backlog() -> Backlog:
    """What waits for the sealer; a growing age means that it stands still or that a transaction stays open."""
    found = AuditBacklog.objects.aggregate(count=Count("event_id"), oldest_at=Min("event__at"))
    return Backlog(count=found["count"], oldest_at=found["oldest_at"])


def _entries(events: QuerySet[AuditEvent]) -> list[LogEntry]:
    rows = events.annotate(sequence=F("seal__sequence")).values(
        "id",
        "event_id",
        "at",
        "action",
        "actor",
        "actor_kind",
        "subject",
        "scope",
        "summary",
        "because",
        "correlation_id",
        "data",
        "sequence",
    )
    return [LogEntry(**row) for row in rows]
