"""What one person is told: the list of it, reading it, and saying about which exceptions they want to hear."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions import inbox
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import ExceptionCase, Notification, Subscription
from exceptions_app.models.references import number_in
from exceptions_app.queries import notifications as reads
from exceptions_app.queries.keyset import Page
from exceptions_app.views.addresses import address
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.listing import page_of
from exceptions_app.views.posted import posted_from
from exceptions_app.views.replies import case_url, page_of_case
from exceptions_app.views.scope import person, reach_for, visible_case
from exceptions_app.wording import say, shown

_SHOWN = {"": "Unread", "all": "All"}
_SAID = {
    Subscription.Wants.CHANGES: gettext_noop("You are told of every change of {ref}."),
    Subscription.Wants.USUAL: gettext_noop(
        "You are told of {ref} what is yours: that it is assigned to you, that you are mentioned "
        "and what is decided about what you prepared."
    ),
    Subscription.Wants.NOTHING: gettext_noop(
        "You are told nothing more of {ref}, but that it is assigned to you or mentions you."
    ),
}


@require_safe
@never_cache
@signed_in
def notifications(request: HttpRequest) -> HttpResponse:
    """Theirs, the newest first: what is unread, or all."""
    user, reach = person(request), reach_for(request)
    show = request.GET.get("show", "")
    found = reads.notifications_of(user, reach) if show == "all" else reads.unread_of(user, reach)
    notices: list[str] = []
    page: Page[Notification] = page_of(
        request, lambda cursor, direction: reads.notification_page(found, cursor=cursor, direction=direction), notices
    )
    context = {
        "rows": reads.told(page.rows, user),
        "notices": notices,
        "show": show,
        "newest": max((row.pk for row in page.rows), default=0),
        "tabs": [
            {"label": label, "url": address(request, show=value), "current": value == show}
            for value, label in _SHOWN.items()
        ],
        "next_url": address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }
    return render(request, "exceptions/notifications.html", context)


@require_safe
@never_cache
@signed_in
def notification(request: HttpRequest, ref: int) -> HttpResponse:
    """To what it is about. Who opens it has read it; nothing else changes."""
    found = _own(request, ref)
    if request.method == "GET":
        inbox.mark_read(found.pk, by=person(request), at=now())
    return HttpResponseRedirect(reads.page_about(found))


def _own(request: HttpRequest, ref: int) -> Notification:
    if ref >= 2**63:
        raise Http404
    return get_object_or_404(reads.notifications_of(person(request), reach_for(request)), pk=ref)


def _list_address(_request: HttpRequest, _ref: object) -> str:
    return reverse("exceptions:notifications")


def _back(request: HttpRequest) -> HttpResponse:
    show = request.POST.get("show", "")
    kept = f"?{urlencode({'show': show})}" if show in _SHOWN and show else ""
    return HttpResponseRedirect(f"{reverse('exceptions:notifications')}{kept}")


@posted_from(_list_address)
def mark_read(request: HttpRequest, ref: int) -> HttpResponse:
    inbox.mark_read(_own(request, ref).pk, by=person(request), at=now())
    return _back(request)


@posted_from(_list_address)
def mark_all_read(request: HttpRequest, ref: str) -> HttpResponse:  # noqa: ARG001 - the last part of the list's address
    """All that the page showed and what is older; what came meanwhile stays unread."""
    until = number_in(request.POST.get("until", ""))
    if until is not None:
        inbox.mark_all_read(by=person(request), at=now(), until=until)
    return _back(request)


@posted_from(page_of_case)
def subscription(request: HttpRequest, ref: str) -> HttpResponse:
    """Every change, what is theirs, or nothing; back to the page from which it was asked."""
    case = visible_case(request, ref)
    try:
        wish = inbox.subscribe(case, request.POST.get("wants", ""), by=person(request), at=now())
    except Invalid as error:
        messages.error(request, shown(error.problem))
    else:
        messages.success(request, shown(say(_SAID[Subscription.Wants(wish.wants)], ref=case.ref)))
    return HttpResponseRedirect(_page_asked(request, case))


def _page_asked(request: HttpRequest, case: ExceptionCase) -> str:
    places = {
        "notifications": reverse("exceptions:notifications"),
        "answer": reverse("exceptions:answer", kwargs={"ref": case.ref}),
    }
    return places.get(request.POST.get("from", ""), case_url(case))
