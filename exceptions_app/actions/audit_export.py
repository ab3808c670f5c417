"""An export of the audit trail leaves its own trace in it, before the first byte is handed out."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit import export, log
from audit.notes import SignedNote
from audit.queries import EventFilter, matching
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.audit_page import LOG_SCOPE, readable_scopes

CSV, JSON_LINES = "csv", "jsonl"
FORMATS = (CSV, JSON_LINES)
MISSING_EXPORT = (
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
    """The events that the filter lets through and the person may read, as CSV or JSON Lines.

    Ends before `at`, so that neither this export nor what happens meanwhile is in it. Raises NotPermitted, ValueError.
    """
    if form not in FORMATS:
        raise ValueError(f"format: “{form}” is none of {', '.join(FORMATS)}.")
    readable = readable_scopes(by)
    if not readable:
        raise NotPermitted(MISSING_EXPORT)
    bounded = _bounded(filters, readable, at=at)
    wanted = _in_words(bounded)
    events = matching(bounded)
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
    chunks = export.export_csv(events) if form == CSV else export.export_jsonl(events, at=at, filters=wanted)
    return Export(rows=rows, checkpoint=export.latest_checkpoint(), chunks=chunks)


def _bounded(filters: EventFilter, readable: frozenset[str], *, at: datetime) -> EventFilter:
    wanted = readable if filters.scopes is None else readable.intersection(filters.scopes)
    until = min(filters.until, at) if filters.until else at
    return EventFilter(**asdict(filters) | {"scopes": wanted, "until": until})


def _in_words(filters: EventFilter) -> dict[str, object]:
    return asdict(filters) | {"scopes": sorted(filters.scopes or ()), "subjects": sorted(filters.subjects)}
