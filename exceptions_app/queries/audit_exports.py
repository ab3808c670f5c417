"""Exports of the audit trail, for whoever may read all that is in them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet

from audit.canonical import timestamp
from audit.queries import EventFilter
from exceptions_app.export_states import EXPORT_MOVES, ExportAction, ExportState
from exceptions_app.machines import ARCHIVE
from exceptions_app.models import ArchiveDelivery, AuditExport, AuditExportPart, ExceptionCase, ReplayBatch
from exceptions_app.queries import keyset
from exceptions_app.queries.audit_page import readable_scopes
from exceptions_app.queries.keyset import Direction, Key, Page, Sort
from exceptions_app.queries.pack_lists import batch_subjects, delivery_subjects

PAGE_SIZE = 50
NEWEST = Sort("newest", (Key("id", "integer", descending=True),))
SHOWS = "shows"
"""In what the last part of a pack tells: the exception that its PDF shows as its page does."""
FORMAT = "exception-workbench-audit-export/1"


def exports_within(scopes: frozenset[str]) -> QuerySet[AuditExport]:
    """Those of which all scopes are among these."""
    return AuditExport.objects.filter(scopes__contained_by=sorted(scopes)).select_related("by")


def export_page(scopes: frozenset[str], *, cursor: str = "", direction: Direction = "after") -> Page[AuditExport]:
    """Newest first. Raises keyset.InvalidCursor."""
    return keyset.page(exports_within(scopes), NEWEST, size=PAGE_SIZE, cursor=cursor, direction=direction)


def find_export(user: AbstractUser, ref: str) -> AuditExport | None:
    """An export whose events the person may read now, all of them; None as for one that is not there."""
    scopes = readable_scopes(user)
    if not scopes:
        return None
    return AuditExport.objects.with_ref(ref).filter(scopes__contained_by=sorted(scopes)).select_related("by").first()


def may_read(user: AbstractUser, export: AuditExport) -> bool:
    """Whether the person, as they stand now, may read all that the export holds; the archive gets what it has to."""
    if user.get_username() == ARCHIVE:
        return True
    return user.is_active and set(export.scopes) <= readable_scopes(user)


def may_see_paper(user: AbstractUser, export: AuditExport) -> bool:
    """Whether the person sees the exception whose page is in the pack, now; true of packs without one."""
    told = AuditExportPart.objects.filter(export=export, number=export.parts).values_list("told", flat=True)
    number = (told.first() or {}).get(SHOWS)
    return number is None or ExceptionCase.objects.visible_to(user).filter(pk=number).exists()


def moves_of_export(export: AuditExport, user: AbstractUser) -> list[ExportAction]:
    """What this person may do with it now."""
    if export.by_id != user.pk:
        return []
    return [action for action, row in EXPORT_MOVES.items() if ExportState(export.state) in row.sources]


def kept_filter(filters: EventFilter) -> dict[str, Any]:
    """As the row keeps it; only what narrows."""
    words = {name: getattr(filters, name) for name in ("actor", "action", "subject")}
    times = {name: timestamp(at) for name in ("since", "until") if (at := getattr(filters, name)) is not None}
    kept = {name: text for name, text in words.items() if text} | times
    return kept | ({"subjects": sorted(filters.subjects)} if filters.subjects else {})


def asked_of(export: AuditExport) -> EventFilter:
    """The filter that a row keeps, without what is in the batch or the delivery that it names."""
    kept: Mapping[str, Any] = export.wanted
    times: dict[str, Any] = {name: datetime.fromisoformat(kept[name]) for name in ("since", "until") if name in kept}
    words = {name: kept.get(name, "") for name in ("actor", "action", "subject")}
    return EventFilter(scopes=export.scopes, subjects=kept.get("subjects", []), **times, **words)


def filter_of(export: AuditExport) -> EventFilter:
    """The events that are wanted. Of a batch, and of a delivery, the subjects are of a list that never changes."""
    asked = asked_of(export)
    if batch := batch_of(export):
        return replace(asked, subjects=batch_subjects(batch))
    if delivery := delivery_of(export):
        return replace(asked, subjects=delivery_subjects(delivery))
    return asked


def batch_of(export: AuditExport) -> ReplayBatch | None:
    """The batch that it is of."""
    ref = export.wanted.get("batch")
    return ReplayBatch.objects.select_related("proposer").with_ref(ref).get() if ref else None


def delivery_of(export: AuditExport) -> ArchiveDelivery | None:
    """The delivery to the archive that it is made for."""
    ref = export.wanted.get("delivery")
    return ArchiveDelivery.objects.with_ref(ref).get() if ref else None


def bytes_of(export: AuditExport) -> Iterator[bytes]:
    """The file, in the memory of one part."""
    parts = AuditExportPart.objects.filter(export=export)
    for number in range(1, export.parts + 1):
        yield bytes(parts.values_list("body", flat=True).get(number=number))


def manifest_of(export: AuditExport) -> dict[str, Any]:
    """What the file is, for whoever keeps it beside the file. Its SHA-256 is in the sealed log as well."""
    return {
        "format": FORMAT,
        "export": export.ref,
        "file": export.file_name,
        "file_format": export.form,
        "asked_by": export.by.get_username(),
        "asked_at": timestamp(export.asked_at),
        "filter": export.wanted,
        "scopes": export.scopes,
        "rows": export.rows,
        "bytes": export.size,
        "sha256": export.sha256,
        "finished_at": timestamp(export.finished_at) if export.finished_at else None,
        "expires_at": timestamp(export.expires_at) if export.expires_at else None,
        "checkpoint": export.checkpoint or None,
    }
