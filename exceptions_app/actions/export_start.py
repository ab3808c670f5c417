"""Asking for an export of the audit trail that is made in the background; pausing, resuming and cancelling it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction

from audit.formats import EVIDENCE, FORMATS
from audit.queries import EventFilter, matching
from exceptions_app.actions import export_log
from exceptions_app.actions.audit_export import MISSING_EXPORT
from exceptions_app.actions.mover import Invalid
from exceptions_app.export_states import (
    EXPORT_MOVES,
    MOST_AT_ONCE,
    UNFINISHED,
    ExportAction,
    ExportState,
    export_destination,
)
from exceptions_app.machines import ARCHIVE, machine
from exceptions_app.models import ArchiveDelivery, AuditExport, AuditExportPart, ReplayBatch
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.audit_exports import kept_filter
from exceptions_app.queries.audit_page import readable_scopes
from exceptions_app.queries.pack_lists import batch_subjects, delivery_subjects
from exceptions_app.wording import say


@transaction.atomic
def start_export(
    filters: EventFilter, form: str, *, by: AbstractUser, at: datetime, key: UUID, batch: ReplayBatch | None = None
) -> AuditExport:
    """The events that the filter lets through and the person may read, as a file that is made in the background.

    Of what was written before `at`; with a `batch` of its own events and those of its exceptions. The same `key` again
    is the same export. Raises NotPermitted and Invalid.
    """
    if form not in FORMATS:
        raise Invalid("format", say("“{form}” is not a format. Use {list}.", form=form, list=", ".join(FORMATS)))
    readable = readable_scopes(by)
    if not readable:
        raise NotPermitted(MISSING_EXPORT)
    # One after the other, so that two requests at once do not both find room, nor miss that they have one key.
    get_user_model().objects.select_for_update(no_key=True).get(pk=by.pk)
    known = AuditExport.objects.filter(key=key, by_id=by.pk).first()
    if known is not None:
        return known
    if AuditExport.objects.filter(by_id=by.pk, state__in=UNFINISHED).count() >= MOST_AT_ONCE:
        raise Invalid(
            "format",
            say(
                "You have {most_at_once} exports that are not finished. Wait for one, or cancel it first.",
                most_at_once=MOST_AT_ONCE,
            ),
        )
    scopes = readable if filters.scopes is None else readable.intersection(filters.scopes)
    bounded = replace(filters, scopes=scopes, until=min(filters.until, at) if filters.until else at)
    wanted = kept_filter(bounded)
    if batch is not None:
        bounded = replace(bounded, subjects=batch_subjects(batch))
        wanted |= {"batch": batch.ref}
    try:
        with transaction.atomic():
            return _begun(bounded, form, wanted, by=by, at=at, key=key)
    except IntegrityError as error:  # the key of somebody else's form
        raise Invalid("format", say("This form was used already. Reload the page and ask again.")) from error


@transaction.atomic
def start_pack_for(delivery: ArchiveDelivery, *, at: datetime) -> AuditExport:
    """The evidence pack of what a delivery to the archive lists: all events of it, wherever it was at the time."""
    subjects = delivery_subjects(delivery)
    scopes = frozenset(matching(EventFilter(scopes=None, subjects=subjects)).values_list("scope", flat=True).distinct())
    filters = EventFilter(scopes=scopes, until=at, subjects=subjects)
    wanted = kept_filter(replace(filters, subjects=())) | {"delivery": delivery.ref}
    return _begun(filters, EVIDENCE, wanted, by=machine(ARCHIVE), at=at, key=uuid4())


def _begun(
    bounded: EventFilter, form: str, wanted: Mapping[str, Any], *, by: AbstractUser, at: datetime, key: UUID
) -> AuditExport:
    expected = matching(bounded).count()
    export = AuditExport.objects.create(
        key=key, form=form, wanted=wanted, scopes=sorted(bounded.scopes or ()), expected=expected,
        by_id=by.pk, asked_at=at, changed_at=at,
    )  # fmt: skip
    told = {"filter": export.wanted, "scopes": export.scopes, "expected": expected}
    export_log.record(export, "audit.export_started", by=by, at=at, words=f"{by} asked for", data=told)
    return export


def pause_export(export_id: int, *, by: AbstractUser, at: datetime) -> AuditExport:
    """Write no further part until it is resumed."""
    return _move(export_id, ExportAction.PAUSE, by=by, at=at, words="paused")


def resume_export(export_id: int, *, by: AbstractUser, at: datetime) -> AuditExport:
    """Go on after the last part that was written, also where it failed."""
    return _move(export_id, ExportAction.RESUME, by=by, at=at, words="resumed")


def cancel_export(export_id: int, *, by: AbstractUser, at: datetime) -> AuditExport:
    """Write nothing more, and remove what was written."""
    return _move(export_id, ExportAction.CANCEL, by=by, at=at, words="cancelled")


@transaction.atomic
def _move(export_id: int, action: ExportAction, *, by: AbstractUser, at: datetime, words: str) -> AuditExport:
    """Raises NotPermitted for anybody but who asked for it, and ExportMoveNotAllowed."""
    rows = AuditExport.objects.select_for_update(of=("self",), no_key=True)
    export = rows.select_related("by").get(pk=export_id)
    if export.by_id != by.pk:
        raise NotPermitted(say("Only the person who asked for it may do this."))
    state = export_destination(action, state=ExportState(export.state))
    told = {"rows": export.rows}
    export_log.change(export, state, EXPORT_MOVES[action].past, by=by, at=at, words=f"{by} {words}", data=told)
    if state is ExportState.QUEUED:
        export_log.set_to(export, failures=0, problem="")
    if state is ExportState.CANCELLED:
        AuditExportPart.objects.filter(export=export).delete()
    return export
