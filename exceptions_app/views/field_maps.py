"""The pages of field maps: which a connection has, their versions, what differs, and what a version says."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions.field_maps import may_not_map
from exceptions_app.queries import field_maps as reads
from exceptions_app.queries.connection_reach import ConnectionReach, connection_reach_of
from exceptions_app.queries.field_maps import MapKey, MapState
from exceptions_app.views.field_map_forms import UseForm
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.scope import person
from exceptions_app.views.spelled import one_of
from exceptions_app.wording import say, shown
from integrations.fieldmaps.declaration import MapNotUnderstood, read_text
from integrations.fieldmaps.words import differences, readings
from integrations.models import Connection, Direction, FieldMap
from integrations.records.schemas import DESCRIPTIONS


def connection_for(request: HttpRequest, slug: str) -> tuple[Connection, ConnectionReach]:
    """The connection, when the person has to do with it; 404 otherwise, as if it were not there."""
    reach = connection_reach_of(person(request))
    found = Connection.objects.filter(slug=slug, pk__in=reach.seen).defer("target_token", "write_back_secret").first()
    if found is None:
        raise Http404
    return found, reach


def key_of(ref: str) -> MapKey:
    """ "inbound-invoice"; raises Http404 for what is no map."""
    direction, _, object_type = ref.partition("-")
    if direction not in Direction.values or object_type not in DESCRIPTIONS:
        raise Http404
    return MapKey(direction, object_type)


def title_of(key: MapKey) -> str:
    return shown(reads.title_of(key))


def page_of(found: Connection, key: MapKey) -> str:
    return reverse("exceptions:field_map", args=[found.slug, key.name])


def trail_of(found: Connection, key: MapKey | None = None) -> list[dict[str, str]]:
    trail = [
        {"label": gettext("Connections"), "url": reverse("exceptions:connections")},
        {"label": found.name, "url": reverse("exceptions:connection", args=[found.slug])},
    ]
    if key is not None:
        trail.append({"label": gettext("Field maps"), "url": reverse("exceptions:field_maps", args=[found.slug])})
        trail.append({"label": title_of(key), "url": page_of(found, key)})
    return trail


@require_safe
@never_cache
@signed_in
def field_maps(request: HttpRequest, slug: str) -> HttpResponse:
    found, reach = connection_for(request, slug)
    states = {state.key: state for state in reads.map_states(found)}
    keys = [MapKey(direction, object_type) for object_type in DESCRIPTIONS for direction in Direction.values]
    context = {
        "connection": found,
        "rows": [_row(found, states[key]) for key in keys if key in states],
        "others": [(title_of(key), page_of(found, key)) for key in keys if key not in states],
        "may_configure": found.pk in reach.configured,
        "why_not": may_not_map(found),
        "trail": trail_of(found),
    }
    return render(request, "exceptions/field_maps.html", context)


def _row(found: Connection, state: MapState) -> dict[str, Any]:
    return {"title": title_of(state.key), "url": page_of(found, state.key), "state": state}


@require_safe
@never_cache
@signed_in
def field_map_version(request: HttpRequest, slug: str, ref: str, number: int) -> HttpResponse:
    found, reach = connection_for(request, slug)
    key = key_of(ref)
    version = reads.find_version(found, key, number)
    if version is None:
        raise Http404
    state = reads.map_state(found, key)
    context = {
        "connection": found,
        "key": key,
        "title": title_of(key),
        "version": version,
        "state": state,
        "in_use": state.in_use is not None and state.in_use.pk == version.pk,
        "form": UseForm(initial={"number": version.number, "revision": state.revision}),
        "may_configure": found.pk in reach.configured,
        "why_not": may_not_map(found),
        **_read(version),
        "trail": trail_of(found, key),
    }
    return render(request, "exceptions/field_map_version.html", context)


def _read(version: FieldMap) -> dict[str, Any]:
    """The rules as a table; a version that can no longer be read is shown as text, with the reason."""
    try:
        declaration = read_text(version.declared)
    except MapNotUnderstood as error:
        return {"unreadable": f"{error.problem} {error.remedy}".strip()}
    when = declaration.when
    return {
        "readings": readings(declaration),
        "tables": declaration.tables,
        "when": when,
        "when_texts": one_of(f"“{text}”" for text in when.texts) if when else "",
    }


@require_safe
@never_cache
@signed_in
def field_map_compare(request: HttpRequest, slug: str, ref: str) -> HttpResponse:
    found, _ = connection_for(request, slug)
    key = key_of(ref)
    versions = reads.versions_of(found, key)
    if not versions:
        raise Http404
    numbers = [version.number for version in versions]
    after = _chosen(request.GET.get("to"), numbers, default=numbers[0])
    before = _chosen(request.GET.get("from"), numbers, default=max(1, after - 1))
    context = {
        "connection": found,
        "key": key,
        "title": title_of(key),
        "versions": versions,
        "before": before,
        "after": after,
        "before_text": shown(say("Version {number}", number=before)),
        "after_text": shown(say("Version {number}", number=after)),
        **_compared(found, key, before, after),
        "trail": trail_of(found, key),
    }
    return render(request, "exceptions/field_map_compare.html", context)


def _chosen(text: str | None, numbers: list[int], *, default: int) -> int:
    return next((number for number in numbers if str(number) == text), default)


def _compared(found: Connection, key: MapKey, before: int, after: int) -> dict[str, Any]:
    was, will = (reads.find_version(found, key, number) for number in (before, after))
    if was is None or will is None:
        raise Http404
    return changes_between(was.declared, will.declared)


def changes_between(was: str, will: str) -> dict[str, Any]:
    """Rows for the table of changes, or why the two cannot be compared by their rules."""
    try:
        return {"changes": differences(read_text(was), read_text(will))}
    except MapNotUnderstood as error:
        return {"unreadable": f"{error.problem} {error.remedy}".strip()}
