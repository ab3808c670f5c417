"""The log as CSV or JSON Lines, streamed in the order of time with the memory of one page.

Pages are read by key, not with one long cursor: a download of an hour holds no snapshot open, which would keep the
sealer waiting.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from django.db.models import Q, QuerySet

from audit.account_numbers import masked_for_the_trail, masked_in, without_account_numbers
from audit.canonical import canonical_bytes
from audit.keys import origin
from audit.models import AuditCheckpoint, AuditEvent
from audit.notes import SignedNote
from audit.spreadsheets import BOM, Cell, csv_row

PAGE = 500
FORMAT = "exception-workbench-audit/1"
CSV_COLUMNS = (
    "sequence",
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
    "event_id",
    "leaf_sha256",
)


def latest_checkpoint() -> SignedNote | None:
    """The newest signed checkpoint. Send its ``header`` beside a CSV export, which has no place for it."""
    checkpoint = AuditCheckpoint.objects.order_by("-size").first()
    return checkpoint.signed_note if checkpoint else None


def export_csv(events: QuerySet[AuditEvent], *, bom: bool = True) -> Iterator[bytes]:
    """RFC 4180 with a header line, guarded against spreadsheet formulas; ``bom`` lets Excel see that it is UTF-8."""
    yield (BOM if bom else b"") + csv_row(CSV_COLUMNS)
    for page in _pages(events):
        yield b"".join(csv_row(cells(event)) for event in page)


def export_jsonl(
    events: QuerySet[AuditEvent], *, at: datetime, filters: Mapping[str, object] | None = None
) -> Iterator[bytes]:
    """A manifest line, one line for each event, and a last line that counts, hashes and carries the checkpoint.

    ``body`` holds the stored bytes as they are: SHA-256(0x00 || body) is ``leaf``, the leaf of the Merkle tree.
    ``sha256`` of the last line is over all lines before it. ``at`` is the time of the export, aware.
    """
    digest = hashlib.sha256()
    line = manifest_line(at=at, filters=filters or {})
    digest.update(line)
    yield line
    count = 0
    for page in _pages(events):
        chunk = b"".join(json_line(event) for event in page)
        digest.update(chunk)
        count += len(page)
        yield chunk
    yield last_line(count, digest.hexdigest())


def manifest_line(*, at: datetime, filters: Mapping[str, object]) -> bytes:
    """The first line of JSON Lines."""
    manifest = {"type": "manifest", "format": FORMAT, "origin": origin(), "at": at, "filters": dict(filters)}
    return canonical_bytes(manifest) + b"\n"


def last_line(count: int, sha256: str) -> bytes:
    """The last line of JSON Lines: `sha256` is over all lines before it."""
    latest = latest_checkpoint()
    trailer = {"type": "checkpoint", "events": count, "sha256": sha256, "note": str(latest) if latest else None}
    return canonical_bytes(trailer) + b"\n"


def _pages(events: QuerySet[AuditEvent]) -> Iterator[list[AuditEvent]]:
    ordered = events.select_related("seal").order_by("at", "id")
    rest = ordered
    while page := list(rest[:PAGE]):
        yield page
        last = page[-1]
        rest = ordered.filter(at__gte=last.at).filter(Q(at__gt=last.at) | Q(id__gt=last.pk))


def cells(event: AuditEvent) -> list[Cell]:
    """For reading, so masked also where an event from before holds an account number; the other formats prove."""
    data = masked_in(event.data, instead=masked_for_the_trail)
    return [
        _sequence(event),
        event.at,
        event.action,
        event.actor,
        event.actor_kind,
        event.subject,
        event.scope,
        without_account_numbers(event.summary),
        without_account_numbers(event.because),
        event.correlation_id,
        json.dumps(data, sort_keys=True, ensure_ascii=False) if event.data else "",
        event.event_id,
        bytes(event.leaf).hex(),
    ]


def json_line(event: AuditEvent) -> bytes:
    """One event of JSON Lines."""
    sequence = _sequence(event)
    head = {"type": "event", "sequence": sequence, "leaf": bytes(event.leaf).hex()}
    # The stored bytes are canonical JSON themselves: they go in unparsed, so that a reader can hash what it gets.
    return json.dumps(head, separators=(",", ":")).encode()[:-1] + b',"body":' + bytes(event.body) + b"}\n"


def _sequence(event: AuditEvent) -> int | None:
    seal = getattr(event, "seal", None)
    return seal.sequence if seal else None
