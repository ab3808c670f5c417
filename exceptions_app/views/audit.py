"""The audit trail: everything that was done within a person's scopes, how it is sealed, and its export."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.defaultfilters import floatformat
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.timezone import localdate, now
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe
from django.views.decorators.vary import vary_on_headers

from audit import verify_evidence
from audit.evidence import NothingSealed
from audit.formats import FORMATS
from audit.queries import EventFilter, LogEntry
from exceptions_app.actions.audit_export import CSV, EVIDENCE, JSON_LINES, MISSING_EXPORT, Export, export_events
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.queries.access_conflicts import held_together
from exceptions_app.queries.audit_page import (
    MOST_COUNTED,
    AuditPage,
    EventCount,
    chain_state,
    read_audit_page,
    readable_scopes,
)
from exceptions_app.queries.connections import case_number
from exceptions_app.views.audit_filter import ASKED, AuditExportForm, AuditFilterForm
from exceptions_app.views.audit_words import in_words
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.scope import person
from exceptions_app.wording import say, shown

_MEDIA_TYPES = {CSV: "text/csv; charset=utf-8", JSON_LINES: "application/jsonl", EVIDENCE: "application/zip"}
_ENDINGS = {EVIDENCE: "evidence.zip"}
MOST_HELD_TOGETHER = 20
PERMISSION = say("export on a queue and on a legal entity")


@require_safe
@never_cache
@vary_on_headers("HX-Request")
@signed_in
def audit(request: HttpRequest) -> HttpResponse:
    scopes = readable_scopes(person(request))
    if not scopes:
        return not_permitted(request, MISSING_EXPORT, permission=PERMISSION)
    form = AuditFilterForm(request.GET, today=localdate(), reader=person(request), scopes=scopes)
    return timeline(request, form, scopes)


@require_GET
@never_cache
@login_required
def audit_export(request: HttpRequest) -> HttpResponseBase:
    """The events of the filter in the address, streamed. That it was taken is an event itself."""
    scopes = readable_scopes(person(request))
    if not scopes:
        return not_permitted(request, MISSING_EXPORT, permission=PERMISSION)
    form = AuditExportForm(request.GET, today=localdate(), reader=person(request), scopes=scopes)
    if not form.is_valid():
        return timeline(request, form, scopes)
    at, wanted, kind = now(), form.events(scopes), form.cleaned_data["format"]
    try:
        found = export_events(wanted, kind, by=person(request), at=at)
    except NothingSealed as reason:
        form.add_error(None, shown(str(reason)))
        return timeline(request, form, scopes)
    return _download(found, kind, _file_name(wanted, kind, at=at))


@require_GET
@login_required
def evidence_verifier(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view
    """The program that checks an evidence pack without the workbench, as it is installed here."""
    program = Path(verify_evidence.__file__)
    response = HttpResponse(program.read_bytes(), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=program.name)
    return response


def _download(found: Export, kind: str, name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(found.chunks, content_type=_MEDIA_TYPES[kind])
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    response["X-Audit-Events"] = str(found.rows)
    if found.checkpoint is not None:
        response["X-Audit-Checkpoint"] = found.checkpoint.header
    return response


def _file_name(wanted: EventFilter, kind: str, *, at: datetime) -> str:
    since = localdate(wanted.since).isoformat() if wanted.since else "beginning"
    last = localdate(min(wanted.until - timedelta.resolution, at) if wanted.until else at)
    return f"audit-{since}-to-{last.isoformat()}.{_ENDINGS.get(kind, kind)}"


def timeline(request: HttpRequest, form: AuditFilterForm, scopes: Collection[str]) -> HttpResponse:
    """The page of the trail for this form, or what is wrong with it."""
    fragment = request.htmx and not request.htmx.boosted  # type: ignore[attr-defined]
    template = "exceptions/_audit_events.html" if fragment else "exceptions/audit.html"
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        context |= _events(form, scopes)
    if not fragment:
        context |= {"chain": chain_state(), **_held_together()}
    return render(request, template, context, status=200 if form.is_valid() else 422)


def _held_together() -> dict[str, Any]:
    """Who holds rights that no person may hold together: the first of them, and how many there are."""
    found = held_together()
    return {"held_together": found[:MOST_HELD_TOGETHER], "held_together_beyond": len(found[MOST_HELD_TOGETHER:])}


def _events(form: AuditFilterForm, scopes: Collection[str]) -> dict[str, Any]:
    page = read_audit_page(form.events(scopes), after=form.cleaned_data["after"])
    export = reverse("exceptions:audit_export")
    return {
        "rows": [_row(entry, page) for entry in page.entries],
        "count": page.count,
        "counted": _counted(page.count),
        "csv_url": export + form.address(format=CSV),
        "jsonl_url": export + form.address(format=JSON_LINES),
        "evidence_url": export + form.address(format=EVIDENCE),
        "file_form": _file_form(form),
        "newest_url": form.address() if form.cleaned_data["after"] else "",
        "next_url": form.address(after=str(page.next)) if page.next else "",
        "all_time_url": form.address(since="") if form.data.get("since") else "",
    }


def _counted(count: EventCount) -> str:
    number = floatformat(min(count.value, MOST_COUNTED), "0g")
    return gettext("more than %(number)s") % {"number": number} if count.value > MOST_COUNTED else number


def _file_form(form: AuditFilterForm) -> dict[str, Any]:
    """What the form for a file in the background sends on: the filter as it stands in the address."""
    asked = {name: str(form.data.get(name, "")) for name in ASKED}
    return {"asked": asked, "key": str(uuid4()), "formats": FORMATS}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event on the page. `case_ref` is set when it is about an exception."""

    entry: LogEntry
    words: str
    actor: str
    case_ref: str
    data: str
    checkpoint: int | None


def _row(entry: LogEntry, page: AuditPage) -> EventRow:
    number = case_number(entry.subject)
    return EventRow(
        entry=entry,
        words=in_words(entry.action),
        actor=page.names.get(entry.actor, entry.actor),
        case_ref=f"{REF_PREFIX}{number}" if number is not None else "",
        data=json.dumps(entry.data, indent=2, sort_keys=True, ensure_ascii=False) if entry.data else "",
        checkpoint=page.checkpoints.get(entry.sequence) if entry.sequence is not None else None,
    )
