"""Making the files of exports: part by part, each in a transaction of its own with how far it is.

A worker that dies leaves whole parts. The next one goes on behind the last of them, in the memory of one part.
"""

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Q
from django.utils.timezone import now

from audit.evidence import Most, NothingSealed
from audit.export import latest_checkpoint
from audit.formats import EVIDENCE, Asked, Told, TooLarge, writer_of
from audit.models import AuditEvent
from audit.queries import matching
from exceptions_app.actions import export_log, pack_make
from exceptions_app.actions.pack_make import CasePaper
from exceptions_app.export_states import BEING_MADE, KEPT, ExportState
from exceptions_app.machines import WORKER, machine
from exceptions_app.models import AuditExport, AuditExportPart
from exceptions_app.queries.audit_exports import bytes_of, filter_of, may_read
from exceptions_app.wording import say
from integrations.doorbell import TimeIsUp

log = logging.getLogger(__name__)

BUDGET = 20.0  # seconds of one task; the next one, two seconds later, goes on
PART_EVENTS = 5_000
PART_BYTES = 8 << 20  # of the events' bodies: one body may have 256 KiB
MOST_FAILURES = 5
_ADVISORY_LOCK = int.from_bytes(b"wb:expor", "big")
_FAULT = say("The workbench failed at it. Its log says why; you may resume it, and it goes on where it was.")
_NO_LONGER = say("Whoever asked for it may not read all of it any more.")


@contextmanager
def _only_worker() -> Iterator[bool]:
    """One worker at a time, so that exports keep no more than one from what people wait for."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_ADVISORY_LOCK])
        taken = bool(cursor.fetchone()[0])
        try:
            yield taken
        finally:
            if taken:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_ADVISORY_LOCK])


def carry_on_due(case_paper: CasePaper | None = None) -> int:
    """Write parts of all exports that are being made, in turns, until the time is up. How many were written.

    `case_paper` makes the PDF of the pack of one exception; without it that pack has the cover of the others.
    """
    ends_at, written = time.monotonic() + BUDGET, 0
    with _only_worker() as alone:
        while alone and time.monotonic() < ends_at:
            due = AuditExport.objects.filter(state__in=BEING_MADE).order_by("pk").values_list("pk", flat=True)
            moved = sum(_carry_on_unless_broken(export_id, case_paper) for export_id in list(due))
            written += moved
            if not moved:
                break
    return written


def _carry_on_unless_broken(export_id: int, case_paper: CasePaper | None) -> int:
    """One part of one export. One that cannot be written keeps no other from it."""
    try:
        return int(write_part(export_id, at=now()) or finish(export_id, at=now(), case_paper=case_paper))
    except (TimeIsUp, OperationalError, InterfaceError):
        raise  # nothing is wrong with the export: its turn comes again
    except (TooLarge, NothingSealed) as error:
        _fail(export_id, str(error), at=now())
    except Exception:
        log.exception("Export %s of the audit trail could not go on.", export_id)
        _count_failure(export_id, at=now())
    return 0


def _ours(export_id: int) -> AuditExport | None:
    """The export while it is made, locked; None while another worker or a person has it."""
    rows = AuditExport.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    return rows.select_related("by").filter(pk=export_id, state__in=BEING_MADE).first()


@transaction.atomic
def write_part(export_id: int, *, at: datetime) -> bool:
    """The next events, and how far it is: both or neither. False when there are no more, or it is not ours to do."""
    export = _ours(export_id)
    if export is None:
        return False
    if not may_read(export.by, export):
        _failed(export, _NO_LONGER, at=at)
        return False
    part = _next_part(export, _told_last(export), at=at)
    # What was halted between its last part and its end has no part left, and goes on to the end.
    if export.state == ExportState.QUEUED and (part is not None or export.parts):
        export_log.set_to(export, state=ExportState.RUNNING)
    if part is None:
        return False
    body, events, told, place = part
    _keep(export, body, told)
    export_log.set_to(export, rows=export.rows + events, failures=0, changed_at=at, **place)
    return True


def _next_part(export: AuditExport, last: Told, *, at: datetime) -> tuple[bytes, int, Told, dict[str, object]] | None:
    """Its bytes, the number of its events, what the next part has to know, and the last event, where that counts."""
    if export.form == EVIDENCE:
        most = Most(events=PART_EVENTS, size=PART_BYTES)
        part = pack_make.next_part(export, last, most=most, at=at)
        return (part.body, part.events, part.state, {}) if part else None
    events = _next_events(export)
    if not events and export.parts:
        return None
    writer, begun = writer_of(export.form), b""
    if not export.parts:
        begun, last = writer.begin(_asked(export))
    body, told = writer.page(events, last, at_byte=export.size + len(begun))
    place = {"after_at": events[-1].at, "after_id": events[-1].pk} if events else {}
    return begun + body, len(events), told, place


def _next_events(export: AuditExport) -> list[AuditEvent]:
    """At most so many events and so many bytes of them."""
    events = matching(filter_of(export)).select_related("seal").order_by("at", "id")
    if export.after_at is not None:
        # The first condition is implied by the second; it is what lets the index start at the right place.
        behind = Q(at__gt=export.after_at) | Q(id__gt=export.after_id)
        events = events.filter(at__gte=export.after_at).filter(behind)
    found: list[AuditEvent] = []
    size = 0
    for event in events[:PART_EVENTS].iterator(chunk_size=500):
        found.append(event)
        size += len(event.body)
        if size > PART_BYTES:
            break
    return found


def _told_last(export: AuditExport) -> dict[str, object]:
    told = AuditExportPart.objects.filter(export=export, number=export.parts).values_list("told", flat=True)
    return dict(told.first() or {})


def _keep(export: AuditExport, body: bytes, told: Told) -> None:
    number = export.parts + 1
    AuditExportPart.objects.create(export=export, number=number, body=body, told=told)
    export_log.set_to(export, parts=number, size=export.size + len(body))


def finish(export_id: int, *, at: datetime, case_paper: CasePaper | None = None) -> bool:
    """The end of the file and its digest. The parts before are read without a lock: they are never changed."""
    seen = AuditExport.objects.select_related("by").filter(pk=export_id, state=ExportState.RUNNING).first()
    if seen is None:
        return False
    last, told = _ending(seen, case_paper)
    digest = hashlib.sha256()
    for chunk in bytes_of(seen):
        digest.update(chunk)
    digest.update(last)
    return _finished(seen, last, told, digest.hexdigest(), at=at)


def _ending(export: AuditExport, case_paper: CasePaper | None) -> tuple[bytes, Told]:
    if export.form == EVIDENCE:
        return pack_make.ending(export, _told_last(export), case_paper=case_paper)
    content = writer_of(export.form).end(
        _asked(export), list(export.file_parts.order_by("number").values_list("told", flat=True)),
        rows=export.rows, at_byte=export.size, so_far=lambda: bytes_of(export),
    )  # fmt: skip
    return content, {}


@transaction.atomic
def _finished(seen: AuditExport, last: bytes, told: Told, sha256: str, *, at: datetime) -> bool:
    export = _ours(seen.pk)
    if export is None or (export.state, export.parts) != (ExportState.RUNNING, seen.parts):
        return False
    if not may_read(export.by, export):
        _failed(export, _NO_LONGER, at=at)
        return False
    _keep(export, last, told)
    checkpoint = latest_checkpoint()
    export_log.change(
        export, ExportState.DONE, "audit.export_finished", by=machine(WORKER), at=at, words="Finished",
        data={"rows": export.rows, "bytes": export.size, "sha256": sha256, "asked_by": export.by.get_username()},
        sha256=sha256, finished_at=at, expires_at=at + KEPT, checkpoint=str(checkpoint) if checkpoint else "",
    )  # fmt: skip
    return True


@transaction.atomic
def _count_failure(export_id: int, *, at: datetime) -> None:
    export = _ours(export_id)
    if export is None:
        return
    if export.failures + 1 >= MOST_FAILURES:
        _failed(export, _FAULT, at=at)
    else:
        export_log.set_to(export, failures=export.failures + 1)


@transaction.atomic
def _fail(export_id: int, problem: str, *, at: datetime) -> None:
    export = _ours(export_id)
    if export is not None:
        _failed(export, problem, at=at)


def _failed(export: AuditExport, problem: str, *, at: datetime) -> None:
    export_log.change(
        export, ExportState.FAILED, "audit.export_failed", by=machine(WORKER), at=at, words="Could not make",
        data={"rows": export.rows, "problem": problem}, problem=problem,
    )  # fmt: skip


def _asked(export: AuditExport) -> Asked:
    return Asked(at=export.asked_at, by=export.by.get_username(), filters=export.wanted | {"scopes": export.scopes})


def remove_expired(*, at: datetime) -> int:
    """The files whose time is over. Their manifests stay."""
    due = AuditExport.objects.filter(state=ExportState.DONE, expires_at__lte=at).values_list("pk", flat=True)
    return sum(_remove(export_id, at=at) for export_id in list(due[:100]))


@transaction.atomic
def _remove(export_id: int, *, at: datetime) -> int:
    rows = AuditExport.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    export = rows.filter(pk=export_id, state=ExportState.DONE, expires_at__lte=at).first()
    if export is None:
        return 0
    export_log.change(
        export, ExportState.GONE, "audit.export_removed", by=machine(WORKER), at=at, words="Removed the file of",
        data={"rows": export.rows, "sha256": export.sha256},
    )  # fmt: skip
    AuditExportPart.objects.filter(export=export).delete()
    return 1
