"""Messages that became no exception because they could not be read: why, what to do, and the original."""

import re
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from exceptions_app.actions import intake_failures as actions
from exceptions_app.queries import intake_failures as reads
from exceptions_app.queries.batches import batch_of_message, became_no_exception
from exceptions_app.queries.connection_reach import ConnectionReach, connection_reach_of
from exceptions_app.queries.keyset import Direction, InvalidCursor
from exceptions_app.queries.pull_sources import files_waiting
from exceptions_app.queries.transactions import transaction_of
from exceptions_app.veiling import speaks_of_document
from exceptions_app.views.addresses import address
from exceptions_app.views.errors import changed_meanwhile, not_permitted
from exceptions_app.views.excerpts import excerpt
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person
from exceptions_app.wording import say, shown, together
from integrations.inbox import MessageRefused
from integrations.models import Connection, InboxMessage

MISSING_CARE = say(
    "You may not see intake failures. They belong to no queue yet, so they are shown to whoever may correct in a "
    "queue and legal entity that a connection leads to, and to whoever configures a connection."
)
_PERMISSION = say("correct on a queue and on a legal entity, or configure_connection on a connection")
_TABS = {"": reads.TO_DO, "set-aside": reads.SET_ASIDE}
_SUFFIXES = {"application/xml": ".xml", "text/xml": ".xml", "application/json": ".json", "text/csv": ".csv"}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class SetAsideForm(forms.Form):
    use_required_attribute = False
    because = forms.CharField(
        label=gettext_lazy("Why nothing is to be done"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Colleagues and auditors read this."),
        error_messages={
            "required": gettext_lazy("Say why nothing is to be done, for example: sent again by the source as 4711-2.")
        },
    )


class FailureFilterForm(forms.Form):
    use_required_attribute = False
    connection = forms.ChoiceField(label=gettext_lazy("Connection"), required=False)
    contains = forms.CharField(label=gettext_lazy("Message id contains"), required=False, max_length=200)

    def __init__(self, *args: Any, connections: list[Connection], **more: Any) -> None:
        super().__init__(*args, **more)
        field = self.fields["connection"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", gettext_lazy("All")), *((found.slug, found.name) for found in connections)]


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def intake_failures(request: HttpRequest) -> HttpResponse:
    reach = connection_reach_of(person(request))
    if not reach.cared_for:
        return not_permitted(request, MISSING_CARE, permission=_PERMISSION)
    connections = reads.connections_by_name(reach.cared_for)
    form = FailureFilterForm(request.GET, connections=connections)
    try:
        context = _list(request, form, connections)
    except InvalidCursor:
        return redirect(address(request))
    fragment = request.htmx and not request.htmx.boosted  # type: ignore[attr-defined]
    template = "_intake_failure_list.html" if fragment else "intake_failures.html"
    return render(request, f"exceptions/{template}", context, status=200 if form.is_valid() else 422)


def _list(request: HttpRequest, form: FailureFilterForm, connections: list[Connection]) -> dict[str, Any]:
    valid = form.is_valid()
    chosen = form.cleaned_data.get("connection") if valid else ""
    status = _TABS.get(request.GET.get("show", ""), reads.TO_DO)
    filters = reads.FailureFilter(
        # What cannot be understood shows nothing rather than everything.
        connections=[found.pk for found in connections if valid and chosen in ("", found.slug)],
        status=status,
        contains=form.cleaned_data.get("contains", "").strip() if valid else "",
    )
    direction: Direction = "before" if request.GET.get("before") else "after"
    cursor = request.GET.get(direction, "")
    found = reads.read_failure_page(filters, user=person(request), cursor=cursor, direction=direction)
    return {
        "form": form,
        "rows": found.page.rows,
        "files": found.files,
        "more_files": found.more_files,
        "gaps": found.gaps,
        "waiting": files_waiting(filters.connections, at=now()) if status is reads.TO_DO else [],
        "set_aside": status is reads.SET_ASIDE,
        "is_narrowed": bool(chosen or filters.contains),
        "parts": found.parts,
        "has_others": bool(found.parts["files"] or found.parts["gaps"]),
        "tabs": _tabs(request, found, status),
        "next_url": address(request, after=found.page.next_cursor) if found.page.next_cursor else "",
        "previous_url": address(request, before=found.page.previous_cursor) if found.page.previous_cursor else "",
    }


def _tabs(request: HttpRequest, found: reads.FailurePage, status: InboxMessage.Status) -> list[dict[str, object]]:
    labels = {reads.TO_DO: say("To do"), reads.SET_ASIDE: say("Set aside")}
    return [
        {
            "label": labels[kind],
            "url": address(request, show=name),
            "current": kind is status,
            "count": found.counts[kind],
        }
        for name, kind in _TABS.items()
    ]


@require_safe
@never_cache
@signed_in
def intake_failure(request: HttpRequest, ref: int) -> HttpResponse:
    message, reach = _message(request, ref)
    return _detail(request, message, reach, SetAsideForm(initial=dict(interrupted_at(request, request.path).typed)))


def _message(request: HttpRequest, ref: int) -> tuple[InboxMessage, ConnectionReach]:
    """The failure, when its connection is in the person's care; 404 otherwise, as if it were not there."""
    reach = connection_reach_of(person(request))
    message = reads.find_failure(ref, reach.cared_for)
    if message is None:
        raise Http404
    return message, reach


def _page_of_message(request: HttpRequest, ref: int) -> str:
    return reverse("exceptions:intake_failure", args=[_message(request, ref)[0].pk])


def _detail(
    request: HttpRequest, message: InboxMessage, reach: ConnectionReach, form: SetAsideForm, *, status: int = 200
) -> HttpResponse:
    cases = reads.cases_of(message, person(request)) if message.status == InboxMessage.Status.PROCESSED else []
    batch = batch_of_message(message)
    if message.status == InboxMessage.Status.PROCESSED and not cases and not (batch and became_no_exception(message)):
        raise Http404  # it belongs to exceptions now, and to those who may see them
    readable = message.connection_id in reach.worked and message.status in reads.UNREAD
    may_act = message.connection_id in reach.tended
    context = {
        "message": message,
        "form": form,
        "cases": cases,
        "transaction": transaction_of(message),
        "batch": batch if message.status == InboxMessage.Status.PROCESSED else None,
        "is_failure": message.status == InboxMessage.Status.FAILED,
        "may_act": may_act,
        "why_not": "" if may_act else actions.may_not_tend(message.connection),
        "original": _shown(request, message) if readable else None,
        "trail": [{"label": gettext("Intake failures"), "url": reverse("exceptions:intake_failures")}],
    }
    return render(request, "exceptions/intake_failure.html", context, status=status)


def _shown(request: HttpRequest, message: InboxMessage) -> dict[str, object]:
    original = reads.read_original(message)
    parts = [part for part in (original.payload, original.refusal) if part is not None]
    for part in parts:
        speaks_of_document(request, part.head)
    titles = {"payload": gettext("The document as it came in"), "refusal": gettext("The refusal beside it")}
    return {
        "parts": [
            {
                "title": titles[part.name],
                "part": part,
                "excerpt": excerpt(part.head, size=part.size),
                "url": reverse("exceptions:intake_original", args=[message.pk, part.name]),
            }
            for part in parts
        ],
        "refusal_status": original.refusal_status,
        "context": [
            (str(name).replace("_", " ").capitalize(), str(value)) for name, value in sorted(original.context.items())
        ],
    }


@require_safe
@never_cache
@signed_in
def intake_original(request: HttpRequest, ref: int, part: str) -> HttpResponse:
    """The bytes as they came in, to be saved and never to be opened in the browser."""
    message, reach = _message(request, ref)
    if message.status not in reads.UNREAD or message.connection_id not in reach.worked:
        raise Http404
    content, media_type = reads.bytes_of(message, part)
    if not content:
        raise Http404
    response = HttpResponse(content, content_type="application/octet-stream")
    name = f"{_UNSAFE.sub('-', message.external_id)[:80].strip('.-') or message.pk}-{part}"
    suffix = _SUFFIXES.get(media_type.partition(";")[0].strip().lower(), ".bin")
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name + suffix)
    response["X-Content-Type-Options"] = "nosniff"
    return response


@posted_from(_page_of_message)
def read_again(request: HttpRequest, ref: int) -> HttpResponse:
    message, _ = _message(request, ref)
    try:
        actions.read_again(message.pk, by=person(request), at=now())
    except MessageRefused as refused:
        return _no_longer(request, message, refused)
    return _done(request, message, shown(say("Message {external_id} is read again.", external_id=message.external_id)))


@posted_from(_page_of_message)
def set_aside(request: HttpRequest, ref: int) -> HttpResponse:
    message, reach = _message(request, ref)
    form = SetAsideForm(request.POST)
    if not form.is_valid() and message.connection_id in reach.tended:
        return _detail(request, message, reach, form, status=422)
    try:
        actions.set_aside(message.pk, by=person(request), at=now(), because=form.cleaned_data.get("because", ""))
    except MessageRefused as refused:
        return _no_longer(request, message, refused)
    return _done(
        request,
        message,
        shown(say("Message {external_id} is set aside. Its original stays.", external_id=message.external_id)),
    )


def _done(request: HttpRequest, message: InboxMessage, text: str) -> HttpResponseRedirect:
    page = reverse("exceptions:intake_failure", args=[message.pk])
    forget(request, page)
    messages.success(request, text)
    return HttpResponseRedirect(page)


def _no_longer(request: HttpRequest, message: InboxMessage, refused: MessageRefused) -> HttpResponse:
    page = reverse("exceptions:intake_failure", args=[message.pk])
    return changed_meanwhile(request, shown(together(refused.problem, refused.remedy)), back_url=page)
