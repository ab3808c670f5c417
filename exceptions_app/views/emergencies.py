"""Emergency access: what there is and was, taking it, ending it, and its review."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions import emergencies as actions
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import Emergency
from exceptions_app.policies import NotPermitted
from exceptions_app.queries import emergencies as reads
from exceptions_app.queries.keyset import Key, Sort, page
from exceptions_app.refusing import note_refused_move
from exceptions_app.states import Verb
from exceptions_app.views.addresses import address
from exceptions_app.views.audit_words import in_words
from exceptions_app.views.emergency_forms import EmergencyForm, ReviewForm
from exceptions_app.views.interrupted import begin_again, forget, signed_in
from exceptions_app.views.listing import page_of
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import say, shown

PAGE_SIZE = 50
NEWEST = Sort("newest", (Key("id", "integer", descending=True),))


@require_safe
@never_cache
@signed_in
def emergencies(request: HttpRequest) -> HttpResponse:
    return _list(request)


def _list(request: HttpRequest, form: EmergencyForm | None = None, *, status: int = 200) -> HttpResponse:
    user, reach = person(request), reach_for(request)
    notices: list[str] = []
    visible = reads.emergencies_of(user, reach)
    found = page_of(
        request,
        lambda cursor, way: page(
            visible.exclude(reviewed_at=None), NEWEST, size=PAGE_SIZE, cursor=cursor, direction=way
        ),
        notices,
    )
    unreviewed = list(visible.filter(reviewed_at=None).order_by("-pk")[: PAGE_SIZE + 1])
    if len(unreviewed) > PAGE_SIZE:
        notices.append(shown(say("More wait for their review; the newest {count} are shown.", count=PAGE_SIZE)))
    own = next((one for one in unreviewed if one.person_id == user.pk), None)
    if form is None and own is None and reach.has(Verb.EMERGENCY):
        form = EmergencyForm(None, reach=reach)
        begin_again(request, form, _list_url(request, None), sent_to="take")
    context = {
        "unreviewed": unreviewed[:PAGE_SIZE],
        "reviewed": found.rows,
        "own": own,
        "now": now(),
        "form": form,
        "notices": notices,
        "next_url": address(request, after=found.next_cursor) if found.next_cursor else "",
        "previous_url": address(request, before=found.previous_cursor) if found.previous_cursor else "",
    }
    return render(request, "exceptions/emergencies.html", context, status=status)


def _list_url(_request: HttpRequest, _ref: object) -> str:
    return reverse("exceptions:emergencies")


@posted_from(_list_url)
def emergency_take(request: HttpRequest, ref: str) -> HttpResponse:
    form = EmergencyForm(request.POST, reach=reach_for(request))
    if form.is_valid():
        try:
            taken = actions.take_emergency(**form.cleaned_data, by=person(request), at=now())
        except Invalid as error:
            form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        except NotPermitted as error:
            note_refused_move(request, error)
            form.add_error(None, shown(error.reason))
        else:
            forget(request, _list_url(request, ref))
            messages.success(
                request,
                shown(
                    say(
                        "{taken} began. {told} others are told, and one of them reviews it.",
                        taken=taken,
                        told=taken.told,
                    )
                ),
            )
            return HttpResponseRedirect(reverse("exceptions:emergency", args=[taken.ref]))
    return _list(request, form, status=422)


@require_safe
@never_cache
@signed_in
def emergency(request: HttpRequest, ref: str) -> HttpResponse:
    return _page(request, _emergency(request, ref))


def _emergency(request: HttpRequest, ref: str) -> Emergency:
    """For who took it, who may review it, and administrators; else 404, as if it were not there."""
    visible = reads.emergencies_of(person(request), reach_for(request))
    found = visible.filter(pk__in=Emergency.objects.with_ref(ref).values("pk")).first()
    if found is None:
        raise Http404
    return found


def _page(request: HttpRequest, taken: Emergency, form: ReviewForm | None = None, *, status: int = 200) -> HttpResponse:
    user, reach = person(request), reach_for(request)
    notices: list[str] = []
    try:
        done = reads.done_in(taken, user, reach, cursor=request.GET.get("after", ""))
    except ValueError:
        notices.append(gettext("That place in the list is not known any more; this is the first page."))
        done = reads.done_in(taken, user, reach)
    lasts = taken.ended_at is None and taken.ends_at > now()
    form = form or ReviewForm()
    begin_again(request, form, reverse("exceptions:emergency", args=[taken.ref]), sent_to="review")
    context: dict[str, Any] = {
        "emergency": taken,
        "lasts": lasts,
        "may_end": lasts and reads.may_end(taken, user, reach, at=now()),
        "done": [(row, in_words(row.action)) for row in done.rows],
        "why_not": reads.why_no_review(taken, user, reach, at=now()),
        "form": form,
        "notices": notices,
        "trail": [{"label": gettext("Emergency access"), "url": reverse("exceptions:emergencies")}],
        "next_url": address(request, after=done.next_cursor) if done.next_cursor else "",
    }
    return render(request, "exceptions/emergency.html", context, status=status)


def _page_url(request: HttpRequest, ref: str) -> str:
    return reverse("exceptions:emergency", args=[_emergency(request, ref).ref])


@posted_from(_page_url)
def emergency_end(request: HttpRequest, ref: str) -> HttpResponse:
    taken = actions.end_emergency(_emergency(request, ref).pk, by=person(request), at=now())
    messages.success(request, shown(say("{taken} is over.", taken=taken)))
    return HttpResponseRedirect(reverse("exceptions:emergency", args=[taken.ref]))


@posted_from(_page_url)
def emergency_review(request: HttpRequest, ref: str) -> HttpResponse:
    taken, form = _emergency(request, ref), ReviewForm(request.POST)
    reason = reads.why_no_review(taken, person(request), reach_for(request), at=now())
    if reason:
        raise NotPermitted(reason)
    if form.is_valid():
        try:
            actions.review_emergency(taken.pk, **form.cleaned_data, by=person(request), at=now())
        except Invalid as error:
            form.add_error(error.field, shown(error.problem))
        else:
            forget(request, reverse("exceptions:emergency", args=[taken.ref]))
            messages.success(request, shown(say("{taken} is reviewed.", taken=taken)))
            return HttpResponseRedirect(reverse("exceptions:emergency", args=[taken.ref]))
    return _page(request, taken, form, status=422)
