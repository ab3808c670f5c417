"""The editor of a field map: preview on a payload, save as a version, put a version to use."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from exceptions_app.actions.field_maps import (
    MapChangedMeanwhile,
    MapInvalid,
    may_not_map,
    save_version,
    use_version,
)
from exceptions_app.actions.mover import Invalid
from exceptions_app.field_map_preview import Preview, preview_of
from exceptions_app.policies import NotPermitted
from exceptions_app.queries import field_maps as reads
from exceptions_app.queries.connection_reach import ConnectionReach
from exceptions_app.queries.field_maps import MOST_MESSAGES, MapKey, MapState
from exceptions_app.queries.held_by_maps import held_by_maps
from exceptions_app.veiling import speaks_of_document
from exceptions_app.views.errors import changed_meanwhile
from exceptions_app.views.field_map_documents import documents_of, ways_of, with_maps
from exceptions_app.views.field_map_forms import MapForm, UseForm
from exceptions_app.views.field_maps import changes_between, connection_for, key_of, page_of, title_of, trail_of
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.scope import person
from exceptions_app.wording import NOTHING_WAS_DONE, say, shown, told_by
from integrations.fieldmaps.active import context_of
from integrations.fieldmaps.declaration import MapNotUnderstood, read_text
from integrations.fieldmaps.fit import require_fit
from integrations.fieldmaps.lines import line_of
from integrations.fieldmaps.starter import starter_for
from integrations.models import Connection

_ONLY_PREVIEW = say(
    "You may read and preview field maps here. To save one or put it to use, you need configure_connection on this "
    "connection; an administrator can grant it."
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Whose map, of which connection, and how it stands."""

    connection: Connection
    reach: ConnectionReach
    key: MapKey
    state: MapState

    @property
    def may_configure(self) -> bool:
        return self.connection.pk in self.reach.configured

    @property
    def may_see_stored(self) -> bool:
        return self.connection.pk in self.reach.worked

    @property
    def page(self) -> str:
        return page_of(self.connection, self.key)


def _place(request: HttpRequest, slug: str, ref: str) -> _Place:
    found, reach = connection_for(request, slug)
    key = key_of(ref)
    return _Place(found, reach, key, reads.map_state(found, key))


@require_safe
@never_cache
@signed_in
def field_map(request: HttpRequest, slug: str, ref: str) -> HttpResponse:
    place = _place(request, slug, ref)
    typed = dict(interrupted_at(request, request.path).typed)
    number, declared = _to_begin_with(request, place)
    form = _form(request, place, initial={"base": place.state.number, "declared": declared, **typed})
    return _page(request, place, form, begins_with=None if typed else number)


def _to_begin_with(request: HttpRequest, place: _Place) -> tuple[int | None, str]:
    """The version that is asked for, else the newest, else what such a map must write at least; with its number."""
    asked = request.GET.get("from", "")
    if asked.isascii() and asked.isdigit() and len(asked) < 10:
        version = reads.find_version(place.connection, place.key, int(asked))
        if version is not None:
            return version.number, version.declared
    if place.state.latest is not None:
        return place.state.number, place.state.latest.declared
    return None, starter_for(place.key.direction, place.key.object_type)


def _form(request: HttpRequest, place: _Place, **given: Any) -> MapForm:
    stored = reads.messages_to_try(place.connection, person(request), place.reach)[:MOST_MESSAGES]
    return MapForm(**given, stored=stored if place.may_see_stored else (), may_see_stored=place.may_see_stored)


def _page(
    request: HttpRequest,
    place: _Place,
    form: MapForm,
    *,
    preview: Preview | None = None,
    meanwhile: dict[str, Any] | None = None,
    use: UseForm | None = None,
    begins_with: int | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "connection": place.connection,
        "key": place.key,
        "title": title_of(place.key),
        "state": place.state,
        "versions": reads.versions_of(place.connection, place.key),
        "form": form,
        "begins_with": begins_with,
        "held": held_by_maps(place.connection, person(request)),
        "use": use or UseForm(initial={"revision": place.state.revision}, auto_id="use_%s"),
        "preview": preview,
        "documents": documents_of(preview) if preview else (),
        "ways": ways_of(preview) if preview else (),
        "with_maps": with_maps(preview) if preview else "",
        "meanwhile": meanwhile,
        "may_configure": place.may_configure,
        "may_preview": place.may_configure or place.may_see_stored,
        "may_see_stored": place.may_see_stored,
        "why_not": may_not_map(place.connection),
        "only_preview": _ONLY_PREVIEW,
        "trail": trail_of(place.connection, place.key)[:-1],
    }
    return render(request, "exceptions/field_map.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def field_map_edit(request: HttpRequest, slug: str, ref: str) -> HttpResponse:
    """One form, two buttons: preview saves nothing, save makes a version that translates nothing yet."""
    place = _place(request, slug, ref)
    if request.method != "POST":
        return HttpResponseRedirect(place.page)
    form = _form(request, place, data=request.POST)
    saves = request.POST.get("do") == "save"
    if not (place.may_configure or (place.may_see_stored and not saves)):
        raise NotPermitted(may_not_map(place.connection))
    if not form.is_valid():
        return _page(request, place, form, status=422)
    return _save(request, place, form) if saves else _preview(request, place, form)


def _save(request: HttpRequest, place: _Place, form: MapForm) -> HttpResponse:
    typed = form.cleaned_data
    try:
        saved = save_version(
            place.connection.pk, direction=place.key.direction, object_type=place.key.object_type,
            declared=typed["declared"], note=typed["note"], base=typed["base"], by=person(request), at=now(),
        )  # fmt: skip
    except MapInvalid as error:
        form.add_error("declared", in_its_line(typed["declared"], error.place, shown(error.problem)))
        return _page(request, place, form, status=422)
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        return _page(request, place, form, status=422)
    except MapChangedMeanwhile:
        return _someone_was_faster(request, place, typed["base"])
    forget(request, place.page)
    messages.success(
        request,
        shown(say("Version {number} is saved. It translates nothing until it is put to use.", number=saved.number)),
    )
    return HttpResponseRedirect(reverse("exceptions:field_map_version", args=[*_ref(place), saved.number]))


def _ref(place: _Place) -> tuple[str, str]:
    return place.connection.slug, place.key.name


def _someone_was_faster(request: HttpRequest, place: _Place, base: int) -> HttpResponse:
    """What the colleague changed is shown, what was typed stays; to save now is to save after having seen both."""
    fresh = _place(request, *_ref(place))
    latest = fresh.state.latest
    before = reads.find_version(fresh.connection, fresh.key, base)
    was = before.declared if before else starter_for(fresh.key.direction, fresh.key.object_type)
    shown = {"latest": latest, "base": base, **(changes_between(was, latest.declared) if latest else {})}
    again = request.POST.copy()
    again["base"] = str(fresh.state.number)
    return _page(request, fresh, _form(request, fresh, data=again), meanwhile=shown, status=409)


def _preview(request: HttpRequest, place: _Place, form: MapForm) -> HttpResponse:
    typed = form.cleaned_data
    try:
        require_fit(
            read_text(typed["declared"].replace("\r\n", "\n")),
            direction=place.key.direction,
            object_type=place.key.object_type,
        )
    except MapNotUnderstood as error:
        form.add_error("declared", in_its_line(typed["declared"], error.place, told_by(error)))
        return _page(request, place, form, status=422)
    chosen = typed.get("message")
    if chosen:
        message = reads.messages_to_try(place.connection, person(request), place.reach).get(pk=chosen)
        payload, media_type = reads.payload_of(message)
        context = context_of(message)
    elif typed["pasted"].strip():
        payload, media_type, context = typed["pasted"].encode(), typed["media_type"] or "application/json", None
    else:
        form.add_error("pasted", gettext_lazy("Choose a message or paste a payload to see what the map makes of it."))
        return _page(request, place, form, status=422)
    shown = preview_of(place.connection, place.key, typed["declared"], payload, media_type, context=context, at=now())
    if chosen:  # what was pasted the person has in front of them
        for document in (payload, shown.translation.canonical, shown.translation.payload):
            speaks_of_document(request, document)
    return _page(request, place, form, preview=shown)


def in_its_line(declared: str, place: str, problem: str) -> str:
    """ "Line 14, /rules/3/to: …" """
    line = line_of(declared.replace("\r\n", "\n"), place) if place else None
    if not line:
        return problem
    return shown(say("Line {line}, {place}: {problem}", line=line, place=place, problem=problem))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def field_map_use(request: HttpRequest, slug: str, ref: str) -> HttpResponse:
    place = _place(request, slug, ref)
    if request.method != "POST":
        return HttpResponseRedirect(place.page)
    form = UseForm(request.POST, auto_id="use_%s")
    if not place.may_configure:
        raise NotPermitted(may_not_map(place.connection))
    if not form.is_valid():
        begins_with, declared = _to_begin_with(request, place)
        editor = _form(request, place, initial={"base": place.state.number, "declared": declared})
        return _page(request, place, editor, use=form, begins_with=begins_with, status=422)
    number = form.cleaned_data["number"]
    try:
        use_version(
            place.connection.pk, direction=place.key.direction, object_type=place.key.object_type, number=number,
            revision=form.cleaned_data["revision"], because=form.cleaned_data["because"], by=person(request), at=now(),
        )  # fmt: skip
    except MapChangedMeanwhile as error:
        return changed_meanwhile(request, told_by(error, NOTHING_WAS_DONE), back_url=place.page)
    except Invalid as error:
        return changed_meanwhile(request, shown(error.problem), back_url=place.page)
    forget(request, place.page)
    done = (
        shown(say("Version {number} translates from now on.", number=number))
        if number
        else gettext("The map is switched off. Payloads pass it as is.")
    )
    messages.success(request, done)
    return HttpResponseRedirect(place.page)
