"""An export of the audit trail leaves its own trace in it, before the first byte is handed out."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import QuerySet

from audit import export, log
from audit.evidence import evidence
from audit.models import AuditEvent
from audit.notes import SignedNote
from audit.queries import EventFilter, matching
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.audit_page import LOG_SCOPE, exceptions_behind, readable_scopes
from exceptions_app.wording import say

CSV, JSON_LINES, EVIDENCE = "csv", "jsonl", "evidence"
FORMATS = (CSV, JSON_LINES, EVIDENCE)
MISSING_EXPORT = say(
    "You may not read the audit trail. It needs the permission “Read and export the audit trail” "
    "on a queue and on a legal entity."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What is handed out: the rows counted at the start, the newest checkpoint, and the bytes as they are read."""

    rows: int
    checkpoint: SignedNote | None
    chunks: Iterator[bytes]


def export_events(filters: EventFilter, form: str, *, by: AbstractUser, at: datetime) -> Export:
    """The events that the filter lets through and the person may read: as CSV, as JSON Lines, or as an evidence pack.

    Ends before `at`, so that neither this export nor what happens meanwhile is in it. Raises NotPermitted, ValueError,
    and of a pack NothingSealed.
    """
    if form not in FORMATS:
        raise ValueError(f"format: “{form}” is none of {', '.join(FORMATS)}.")
    readable = readable_scopes(by)
    if not readable:
        raise NotPermitted(MISSING_EXPORT)
    bounded = _bounded(filters, readable, at=at)
    wanted = _in_words(bounded)
    events = matching(bounded)
    chunks = _chunks(events, form, wanted, by=by, at=at)
    with transaction.atomic():
        rows = events.count()
        log.record(
            "audit.exported",
            subject="audit:log",
            scope=LOG_SCOPE,
            actor=by.get_username(),
            at=at,
            summary=f"{by} exported {rows} audit events as {form}.",
            data={"filter": wanted, "format": form, "rows": rows},
        )
    return Export(rows=rows, checkpoint=export.latest_checkpoint(), chunks=chunks)


def _chunks(
    events: QuerySet[AuditEvent], form: str, wanted: dict[str, object], *, by: AbstractUser, at: datetime
) -> Iterator[bytes]:
    if form == CSV:
        return export.export_csv(events)
    if form == JSON_LINES:
        return export.export_jsonl(events, at=at, filters=wanted)
    return evidence(events, at=at, by=by.get_username(), asked_for=wanted, lookup=exceptions_behind)


def _bounded(filters: EventFilter, readable: frozenset[str], *, at: datetime) -> EventFilter:
    wanted = readable if filters.scopes is None else readable.intersection(filters.scopes)
    until = min(filters.until, at) if filters.until else at
    return EventFilter(**asdict(filters) | {"scopes": wanted, "until": until})


def _in_words(filters: EventFilter) -> dict[str, object]:
    return asdict(filters) | {"scopes": sorted(filters.scopes or ()), "subjects": sorted(filters.subjects)}
