"""Saved views: keep the list that is before you, open it again, share it, put it at the head of the lists."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions import saved_views as actions
from exceptions_app.actions.mover import Invalid
from exceptions_app.list_layout import canonical_query
from exceptions_app.models import SavedView
from exceptions_app.policies import NotPermitted
from exceptions_app.queries import saved_views as reads
from exceptions_app.queries.counters import Count
from exceptions_app.refusing import note_refused_move
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.posted import posted_from
from exceptions_app.views.saved_view_forms import NewViewForm, ViewForm, query_in_words, readers_of, sharing_of
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import say, shown


def list_url(query: str) -> str:
    """The list that a view stands for."""
    queue = reverse("exceptions:queue")
    return f"{queue}?{query}" if query else queue


@require_safe
@never_cache
@signed_in
def views(request: HttpRequest) -> HttpResponse:
    """The person's own views and those shared with them. Three queries beside those of the navigation."""
    user, reach = person(request), reach_for(request)
    found, pins = reads.listed_views(user, reach), reads.pins_of(user, reach)
    found.sort(key=lambda view: (pins.get(view.pk, actions.MOST_PINNED + 1), view.owner_id != user.pk))
    counts = reads.counts_of(found[: reads.MOST_COUNTED], user, reach)
    first = min(pins.values(), default=0)
    context = {
        "rows": [_row(view, counts.get(view.pk), pins, request) for view in found],
        "first": first,
        "queue_url": reverse("exceptions:queue"),
    }
    return render(request, "exceptions/saved_views.html", context)


def _row(view: SavedView, count: Count | None, pins: dict[int, int], request: HttpRequest) -> dict[str, Any]:
    return {
        "view": view,
        "url": list_url(view.query),
        "filters": query_in_words(view.query),
        "readers": readers_of(view),
        "is_mine": view.owner_id == person(request).pk,
        "count": count,
        "position": pins.get(view.pk),
    }


@require_safe
@never_cache
@signed_in
def view_new(request: HttpRequest) -> HttpResponse:
    """The list of this address, to be kept under a name."""
    typed = dict(interrupted_at(request, request.path).typed)
    query = canonical_query(QueryDict(typed.get("query", "")) if typed else request.GET)
    return _new_page(request, _new_form(request, initial={"pinned": True, **typed, "query": query}), query)


def _new_form(request: HttpRequest, *, initial: dict[str, Any] | None = None) -> NewViewForm:
    own = list(SavedView.objects.filter(owner=person(request).pk).order_by("name"))
    data = request.POST if request.method == "POST" else None
    return NewViewForm(data, initial=initial, own=own, reach=reach_for(request))


def _new_page(request: HttpRequest, form: NewViewForm, query: str, *, status: int = 200) -> HttpResponse:
    context = {"form": form, "filters": query_in_words(query), "url": list_url(query)}
    return render(request, "exceptions/saved_view_new.html", context, status=status)


def _page_of_new(request: HttpRequest, ref: str) -> str:  # noqa: ARG001 - as for the pages of one thing
    return reverse("exceptions:view_new")


@posted_from(_page_of_new)
def view_save(request: HttpRequest, ref: str) -> HttpResponse:
    """Keep it, and go back to the list."""
    form = _new_form(request)
    query = canonical_query(QueryDict(str(request.POST.get("query", ""))))
    if form.is_valid():
        try:
            view = _save(request, form, query)
        except Invalid as error:
            form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        except NotPermitted as error:
            note_refused_move(request, error)
            form.add_error("replaces" if form.cleaned_data.get("replaces") else "shared_with", shown(error.reason))
        else:
            return _done(
                request,
                _page_of_new(request, ref),
                list_url(view.query),
                shown(say("The view “{view}” is kept.", view=view)),
            )
    return _new_page(request, form, query, status=422)


def _save(request: HttpRequest, form: NewViewForm, query: str) -> SavedView:
    typed, by = form.cleaned_data, person(request)
    if typed.get("replaces"):
        return actions.change_view(int(typed["replaces"]), by=by, at=now(), query=query)
    shared_with = form.shared() or actions.ONLY_ME
    return actions.save_view(typed["name"], query, by=by, at=now(), shared_with=shared_with, pinned=typed["pinned"])


def visible_view(request: HttpRequest, ref: int) -> SavedView:
    """The view, when the person has it before them; 404 otherwise, as if it were not there."""
    found = reads.views_for(person(request), reach_for(request)).filter(pk=ref).first()
    if found is None:
        raise Http404
    return found


@require_safe
@never_cache
@signed_in
def view(request: HttpRequest, ref: int) -> HttpResponse:
    """One view: what it shows, who has it, and what its owner may change."""
    found = visible_view(request, ref)
    typed = dict(interrupted_at(request, request.path).typed)
    return _page(request, found, _form(request, found, typed) if found.owner_id == person(request).pk else None)


def _form(request: HttpRequest, found: SavedView, typed: dict[str, str] | None = None) -> ViewForm:
    initial = {"name": found.name, "shared_with": sharing_of(found), **(typed or {})}
    return ViewForm(request.POST if request.method == "POST" else None, initial=initial, reach=reach_for(request))


def _page(request: HttpRequest, found: SavedView, form: ViewForm | None, *, status: int = 200) -> HttpResponse:
    user, reach = person(request), reach_for(request)
    position = reads.pins_of(user, reach).get(found.pk)
    context = _row(found, reads.counts_of([found], user, reach)[found.pk], {}, request) | {
        "form": form,
        "is_pinned": position is not None,
        "link": request.build_absolute_uri(list_url(found.query)),
        "may_stop_sharing": found.is_shared and form is None and reads.may_share_with_everyone(reach),
    }
    return render(request, "exceptions/saved_view.html", context, status=status)


def _page_of(request: HttpRequest, ref: int) -> str:
    return reverse("exceptions:view", args=[visible_view(request, ref).pk])


@require_safe
@signed_in
def view_open(request: HttpRequest, ref: int) -> HttpResponse:
    """The list of a view, as the view is today: the address to hand on."""
    return HttpResponseRedirect(list_url(visible_view(request, ref).query))


@posted_from(_page_of)
def view_change(request: HttpRequest, ref: int) -> HttpResponse:
    found = visible_view(request, ref)
    form = _form(request, found)
    if form.is_valid():
        try:
            changed = actions.change_view(
                found.pk, by=person(request), at=now(), name=form.cleaned_data["name"], shared_with=form.shared()
            )
        except Invalid as error:
            form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        except NotPermitted as error:
            if found.owner_id != person(request).pk:
                raise
            note_refused_move(request, error)
            form.add_error("shared_with", shown(error.reason))
        except SavedView.DoesNotExist as error:
            raise Http404 from error  # deleted or shared no longer since it was looked up
        else:
            words = shown(say("“{view}” is changed.", view=changed))
            return _done(request, _page_of(request, ref), reverse("exceptions:views"), words)
    return _page(request, found, form, status=422)


def _deed(act: Callable[[HttpRequest, SavedView], str]) -> Callable[..., HttpResponse]:
    """An address that does one thing to a view and leads back to the views, saying what was done."""

    @posted_from(_page_of)
    def wrapped(request: HttpRequest, ref: int) -> HttpResponse:
        try:
            words = act(request, visible_view(request, ref))
        except Invalid as error:
            messages.warning(request, shown(error.problem))
            return HttpResponseRedirect(reverse("exceptions:views"))
        except SavedView.DoesNotExist as error:
            raise Http404 from error  # deleted or shared no longer since it was looked up
        return _done(request, "", reverse("exceptions:views"), words)

    return wrapped


def _delete(request: HttpRequest, found: SavedView) -> str:
    actions.delete_view(found.pk, by=person(request), at=now())
    return shown(say("The view “{found}” is deleted.", found=found))


def _stop_sharing(request: HttpRequest, found: SavedView) -> str:
    actions.stop_sharing(found.pk, by=person(request), at=now())
    return shown(say("Only {owner} has “{found}” now.", owner=found.owner, found=found))


def _pin(request: HttpRequest, found: SavedView) -> str:
    actions.pin(found.pk, by=person(request))
    return shown(say("“{found}” is at the head of your lists.", found=found))


def _unpin(request: HttpRequest, found: SavedView) -> str:
    actions.unpin(found.pk, by=person(request))
    return shown(say("“{found}” is no longer at the head of your lists.", found=found))


def _move_up(request: HttpRequest, found: SavedView) -> str:
    actions.move_up(found.pk, by=person(request))
    return shown(say("“{found}” comes earlier now.", found=found))


view_delete, view_stop_sharing = _deed(_delete), _deed(_stop_sharing)
view_pin, view_unpin, view_up = _deed(_pin), _deed(_unpin), _deed(_move_up)


def _done(request: HttpRequest, page: str, url: str, text: str) -> HttpResponseRedirect:
    forget(request, page)
    messages.success(request, text)
    return HttpResponseRedirect(url)
