"""Exports of the audit trail that are made in the background: the list, how one stands, and its file."""

import json
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.timezone import localdate, now
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRefresh

from audit.formats import MEDIA_TYPES
from exceptions_app.actions import export_start
from exceptions_app.actions.audit_export import MISSING_EXPORT
from exceptions_app.actions.export_download import NoFile, download_export
from exceptions_app.actions.mover import Invalid
from exceptions_app.export_states import BEING_MADE, ExportMoveNotAllowed
from exceptions_app.models import AuditExport
from exceptions_app.policies import NotPermitted
from exceptions_app.queries import audit_exports as reads
from exceptions_app.queries.audit_page import readable_scopes
from exceptions_app.views.addresses import address
from exceptions_app.views.audit import PERMISSION, timeline
from exceptions_app.views.audit_filter import AuditFileForm
from exceptions_app.views.errors import changed_meanwhile, not_permitted
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.listing import page_of
from exceptions_app.views.polling import STATE_SEEN, stops_when_refused
from exceptions_app.views.posted import posted_from
from exceptions_app.views.replies import is_htmx
from exceptions_app.views.scope import person
from exceptions_app.wording import NOTHING_WAS_DONE, say, shown, told_by

POLL_EVERY = 2  # seconds, while it is made


@require_safe
@never_cache
@signed_in
def audit_exports(request: HttpRequest) -> HttpResponse:
    """Those whose events I may read, newest first."""
    scopes, notices = readable_scopes(person(request)), list[str]()
    if not scopes:
        return not_permitted(request, MISSING_EXPORT, permission=PERMISSION)
    page = page_of(
        request, lambda cursor, direction: reads.export_page(scopes, cursor=cursor, direction=direction), notices
    )
    context = {
        "rows": page.rows,
        "notices": notices,
        "at": now(),
        "next_url": address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }
    return render(request, "exceptions/audit_exports.html", context)


def _audit_page(request: HttpRequest, ref: str) -> str:  # noqa: ARG001 - of `posted_from`
    return reverse("exceptions:audit")


@posted_from(_audit_page)
def start(request: HttpRequest, ref: str) -> HttpResponse:  # noqa: ARG001 - of `posted_from`
    scopes = readable_scopes(person(request))
    if not scopes:
        return not_permitted(request, MISSING_EXPORT, permission=PERMISSION)
    form = AuditFileForm(request.POST, today=localdate(), reader=person(request), scopes=scopes)
    if not form.is_valid():
        return timeline(request, form, scopes)
    asked = form.cleaned_data
    try:
        export = export_start.start_export(
            form.asked(scopes), asked["format"], by=person(request), at=now(), key=asked["key"], batch=form.batch
        )
    except Invalid as error:
        form.add_error(None, shown(error.problem))  # the page with the error has no form for the file
        return timeline(request, form, scopes)
    return HttpResponseRedirect(_url_of(export))


def _seen(request: HttpRequest, ref: str) -> AuditExport:
    found = reads.find_export(person(request), ref)
    if found is None:
        raise Http404
    return found


def _url_of(export: AuditExport) -> str:
    return reverse("exceptions:audit_made", args=[export.ref])


def _page_of_export(request: HttpRequest, ref: str) -> str:
    return _url_of(_seen(request, ref))


@require_safe
@never_cache
@vary_on_headers("HX-Request")
@signed_in
@stops_when_refused()
def audit_made(request: HttpRequest, ref: str) -> HttpResponse:
    """How one stands; fetched anew while it is made."""
    export = _seen(request, ref)
    context: dict[str, Any] = {
        "export": export,
        "is_fragment": is_htmx(request),
        "poll_every": POLL_EVERY if export.state in BEING_MADE else 0,
        "poll_url": address(request, **{STATE_SEEN: export.state}),
    }
    if not is_htmx(request):
        context |= {"moves": reads.moves_of_export(export, person(request)), "wanted": reads.asked_of(export)}
        return render(request, "exceptions/audit_made.html", context)
    if request.GET.get(STATE_SEEN, export.state) != export.state:
        return HttpResponseClientRefresh()  # what may be done with it is another matter now
    return render(request, "exceptions/_audit_made_progress.html", context)


@require_GET
@never_cache
@login_required
def download(request: HttpRequest, ref: str) -> HttpResponseBase:
    """The file, byte for byte what its manifest says. That it was taken is an event."""
    export = _seen(request, ref)
    try:
        chunks = download_export(export, by=person(request), at=now())
    except NotPermitted:  # the right went while the page was being asked for
        raise Http404 from None
    except NoFile as error:
        return changed_meanwhile(request, told_by(error), back_url=_url_of(export))
    return file_answer(export, chunks)


def file_answer(export: AuditExport, chunks: Any) -> StreamingHttpResponse:
    """The bytes of an export as a download."""
    response = StreamingHttpResponse(chunks, content_type=MEDIA_TYPES[export.form])
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=export.file_name)
    response["Content-Length"] = str(export.size)
    response["X-Content-SHA256"] = export.sha256
    return response


@require_GET
@never_cache
@login_required
def manifest(request: HttpRequest, ref: str) -> HttpResponse:
    """What was asked for by whom and when, the number of rows and the digest of the file, as JSON."""
    export = _seen(request, ref)
    content = json.dumps(reads.manifest_of(export), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    response = HttpResponse(content, content_type="application/json")
    name = f"{export.ref}-manifest.json"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response


def _moving(move: Callable[..., AuditExport], done: str) -> Callable[[HttpRequest, str], HttpResponse]:
    @posted_from(_page_of_export)
    def view(request: HttpRequest, ref: str) -> HttpResponse:
        export = _seen(request, ref)
        try:
            export = move(export.pk, by=person(request), at=now())
        except NotPermitted as error:
            return not_permitted(request, error.reason)
        except ExportMoveNotAllowed as error:
            return changed_meanwhile(request, told_by(error, NOTHING_WAS_DONE), back_url=_url_of(export))
        messages.success(request, shown(say(done, ref=export.ref)))
        return HttpResponseRedirect(_url_of(export))

    return view


pause = _moving(export_start.pause_export, gettext_noop("{ref} is paused. What was written is kept."))
resume = _moving(export_start.resume_export, gettext_noop("{ref} goes on where it was."))
cancel = _moving(export_start.cancel_export, gettext_noop("{ref} is cancelled, and what was written of it is removed."))
