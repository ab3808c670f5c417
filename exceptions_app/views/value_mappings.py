"""Value mappings: the list, and one mapping with what holds, what held before and what is proposed."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from audit.queries import timeline
from exceptions_app.mapping_states import LONGEST_VALUE
from exceptions_app.models import ValueMapping
from exceptions_app.queries import value_mappings as reads
from exceptions_app.queries.case_page import full_names
from exceptions_app.queries.mapping_standing import mapping_standing, may_propose
from exceptions_app.states import Verb
from exceptions_app.views.addresses import address
from exceptions_app.views.audit_words import in_words
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.listing import page_of, unknown_names
from exceptions_app.views.scope import person, reach_for
from exceptions_app.views.value_mapping_forms import MappingFilterForm

MOST_EVENTS = 30
_REPLACED = "replaced"


@require_safe
@never_cache
@signed_in
def value_mappings(request: HttpRequest) -> HttpResponse:
    """Mappings that the person may see, newest first."""
    reach = reach_for(request)
    form = MappingFilterForm(request.GET, connections=reads.connections_with_mappings(reach))
    notices = unknown_names(request, form.fields)
    asked = form.cleaned_data if form.is_valid() else {}
    page = page_of(
        request,
        lambda cursor, direction: reads.mapping_page(
            reach,
            search=asked.get("contains", "").strip(),
            kind=asked.get("kind", ""),
            connection=asked.get("connection", ""),
            cursor=cursor,
            direction=direction,
        ),
        notices,
    )
    context = {
        "form": form,
        "rows": reads.lines_of(page.rows),
        "is_narrowed": any(asked.values()),
        "may_propose": reach.has(Verb.PROPOSE),
        "notices": notices,
        "next_url": address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }
    return render(request, "exceptions/value_mappings.html", context)


def visible_mapping(request: HttpRequest, ref: str) -> ValueMapping:
    """The mapping, when the person may see it; 404 otherwise, as if it were not there."""
    found = reads.find_mapping(person(request), ref)
    if found is None:
        raise Http404
    return found


@require_safe
@never_cache
@signed_in
def value_mapping(request: HttpRequest, ref: str) -> HttpResponse:
    mapping = visible_mapping(request, ref)
    replaced = request.GET.get("show") == _REPLACED
    search = request.GET.get("contains", "").strip()[:LONGEST_VALUE]
    notices = unknown_names(request, {"show": "", "contains": ""})
    page = page_of(
        request,
        lambda cursor, direction: reads.entry_page(
            mapping, search=search, replaced=replaced, cursor=cursor, direction=direction
        ),
        notices,
    )
    context = {
        "mapping": mapping,
        "entries": page.rows,
        "search": search,
        "shows_replaced": replaced,
        "tabs": _tabs(request, mapping, replaced=replaced),
        "proposals": reads.proposals_for(mapping),
        "may_propose": may_propose(mapping, mapping_standing(mapping, person(request))),
        "propose_url": f"{reverse('exceptions:value_mapping_new')}?mapping={mapping.ref}",
        "import_url": f"{reverse('exceptions:value_mapping_import')}?mapping={mapping.ref}",
        "events": events_of(mapping),
        "trail": [{"label": gettext("Value mappings"), "url": reverse("exceptions:value_mappings")}],
        "notices": notices,
        "at": now(),
        "next_url": address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }
    return render(request, "exceptions/value_mapping.html", context)


def _tabs(request: HttpRequest, mapping: ValueMapping, *, replaced: bool) -> list[dict[str, Any]]:
    holding, before = reads.count_entries(mapping)
    return [
        {"label": gettext("Holds"), "url": address(request, show=""), "current": not replaced, "count": holding},
        {
            "label": gettext("Replaced or ended"),
            "url": address(request, show=_REPLACED),
            "current": replaced,
            "count": before,
        },
    ]


def events_of(mapping: ValueMapping) -> list[dict[str, Any]]:
    """The newest first."""
    events = list(timeline(mapping.subject))[::-1][:MOST_EVENTS]
    names = full_names({event.actor for event in events})
    return [
        {
            "at": event.at,
            "actor": names.get(event.actor, event.actor),
            "words": in_words(event.action),
            "summary": event.summary,
            "because": event.because,
        }
        for event in events
    ]
