"""The archive: where evidence of closed exceptions is delivered to, what lies there, and what waits."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_lazy, gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions import archives as actions
from exceptions_app.actions.mover import Invalid
from exceptions_app.forms import REASON_LENGTH
from exceptions_app.models import ArchiveDelivery
from exceptions_app.policies import NotPermitted
from exceptions_app.queries import archives as reads
from exceptions_app.views.addresses import address
from exceptions_app.views.errors import changed_meanwhile, not_permitted
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.listing import page_of
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person
from exceptions_app.wording import say, shown

MISSING = say("Only administrators, and whoever may read the audit trail somewhere, see the archive.")
NOT_PERMITTED = say("Only administrators do this.")
PERMISSION = say("export on a queue and on a legal entity")
_MOVES = {"pause": actions.pause_archive, "resume": actions.resume_archive, "try": actions.try_now}
_DONE = {
    "pause": gettext_noop("{archive} is paused. Nothing is delivered until it is resumed."),
    "resume": gettext_noop("{archive} goes on. What waits is tried within a minute."),
    "try": gettext_noop("{archive} is tried within a minute."),
}


class ReasonForm(forms.Form):
    use_required_attribute = False
    because = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": gettext_lazy("Say why; the auditor reads it.")},
    )


class ArchiveMoveForm(ReasonForm):
    archive = forms.SlugField(widget=forms.HiddenInput)
    move = forms.ChoiceField(choices=[(name, name) for name in _MOVES], widget=forms.HiddenInput)


@require_safe
@never_cache
@signed_in
def archives(request: HttpRequest) -> HttpResponse:
    return _list(request, ReasonForm(initial=dict(interrupted_at(request, request.path).typed)))


def _list(request: HttpRequest, form: forms.Form, *, status: int = 200) -> HttpResponse:
    sight, notices = reads.sight_of(person(request)), list[str]()
    if not sight.is_any:
        return not_permitted(request, MISSING, permission=PERMISSION)
    page = page_of(
        request, lambda cursor, direction: reads.delivery_page(sight, cursor=cursor, direction=direction), notices
    )
    found = list(reads.all_archives())
    archive = next((one for one in found if one.in_use), None)
    context: dict[str, Any] = {
        "archive": archive,
        "where": reads.where(archive) if archive else "",
        "others": [one for one in found if not one.in_use],
        "standing": reads.standing(sight, archive),
        "rows": page.rows,
        "form": form,
        "administers": person(request).is_staff,
        "notices": notices,
        "at": now(),
        "next_url": address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }
    return render(request, "exceptions/archives.html", context, status=status)


def _page(_request: HttpRequest, _ref: object) -> str:
    return reverse("exceptions:archives")


@posted_from(_page)
def archive_move(request: HttpRequest, ref: str) -> HttpResponse:
    _require_administrator(request)
    form = ArchiveMoveForm(request.POST)
    if not form.is_valid():
        return _list(request, form, status=422)
    typed = form.cleaned_data
    archive = reads.all_archives().filter(slug=typed["archive"]).first()
    if archive is None:
        raise Http404
    try:
        _MOVES[typed["move"]](archive.pk, by=person(request), at=now(), because=typed["because"])
    except Invalid as refused:
        return changed_meanwhile(request, shown(refused.problem), back_url=_page(request, ref))
    return _back(request, _page(request, ref), shown(say(_DONE[typed["move"]], archive=archive)))


@require_safe
@never_cache
@signed_in
def archive_delivery(request: HttpRequest, ref: str) -> HttpResponse:
    delivery = _seen(request, ref)
    return _detail(request, delivery, ReasonForm(initial=dict(interrupted_at(request, request.path).typed)))


def _seen(request: HttpRequest, ref: str) -> ArchiveDelivery:
    """404 for who may not see it, as if it were not there."""
    found = reads.find_delivery(reads.sight_of(person(request)), ref)
    if found is None:
        raise Http404
    return found


def _page_of_delivery(request: HttpRequest, ref: str) -> str:
    return reverse("exceptions:archive_delivery", args=[_seen(request, ref).ref])


def _detail(request: HttpRequest, delivery: ArchiveDelivery, form: forms.Form, *, status: int = 200) -> HttpResponse:
    context = {
        "delivery": delivery,
        "form": form,
        "administers": person(request).is_staff,
        "trail": [{"label": gettext("Archive"), "url": reverse("exceptions:archives")}],
    }
    return render(request, "exceptions/archive_delivery.html", context, status=status)


@posted_from(_page_of_delivery)
def deliver_again(request: HttpRequest, ref: str) -> HttpResponse:
    delivery = _seen(request, ref)
    _require_administrator(request)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _detail(request, delivery, form, status=422)
    page = _page_of_delivery(request, ref)
    try:
        actions.deliver_again(delivery.pk, by=person(request), at=now(), because=form.cleaned_data["because"])
    except Invalid as refused:
        return changed_meanwhile(request, shown(refused.problem), back_url=page)
    return _back(request, page, shown(say("{ref} is delivered again.", ref=delivery.ref)))


def _require_administrator(request: HttpRequest) -> None:
    if not person(request).is_staff:
        raise NotPermitted(NOT_PERMITTED)


def _back(request: HttpRequest, page: str, done: str) -> HttpResponse:
    forget(request, page)
    messages.success(request, done)
    return HttpResponseRedirect(page)
