"""The work lists: my queue and all queues."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import push_url

from exceptions_app.filters import ME, OPEN, SNOOZED
from exceptions_app.list_layout import COLUMNS, LAYOUT_NAMES, canonical_query
from exceptions_app.navigation import first_page
from exceptions_app.queries.approvals import to_decide, waiting_of
from exceptions_app.queries.counters import Count, StateCounts, open_by_queue, open_by_state, totals_of
from exceptions_app.queries.queue_page import SORTS, next_to_claim, rows_of
from exceptions_app.queries.saved_views import pinned_counts
from exceptions_app.states import STATE_WORDS, State, Verb
from exceptions_app.views.addresses import PLACE, address
from exceptions_app.views.bulk_select import bar_of
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.listing import Listing, chips_of, listing_of
from exceptions_app.views.saved_views import list_url
from exceptions_app.views.scope import person, reach_for

FIRST_DECISIONS = 5
_SNOOZED_TAB = "snoozed"
MOST_SWITCHED = 5
_OF_THE_LIST = frozenset({"sort", *LAYOUT_NAMES, *PLACE})
# Those that unfold below the usual ones; they stay in sight while one of them is on or was not understood.
MORE_FILTERS = (
    "cause", "category", "kind", "connection", "amount_min", "amount_max", "currency", "opened_from", "opened_to",
    "age", "snoozed", "tag",
)  # fmt: skip


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def my_queue(request: HttpRequest) -> HttpResponse:
    """What I have, what I could take next and, for those who also decide, what waits for their decision.

    It is the first page of the site as well, so whoever has no queue of their own is led to where their work is.
    """
    user, reach = person(request), reach_for(request)
    first = first_page(user, reach)
    if first != "exceptions:my_queue":
        return redirect(first)
    listing = listing_of(request, assignee=ME)
    decisions = to_decide(user, reach).rows[:FIRST_DECISIONS]
    context = _list_context(request, listing) | {
        "next_rows": rows_of(next_to_claim(reach), user, reach),
        "decisions": waiting_of(decisions, user, reach),
        "sees_anything": bool(reach.on_queues and reach.on_entities),
        "pinned": _pinned(request),
    }
    return render(request, "exceptions/my_queue.html", context)


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def queue(request: HttpRequest) -> HttpResponse:
    """All exceptions that I may see, by the filters in the address."""
    listing = listing_of(request)
    context = _list_context(request, listing) | {
        "chips": chips_of(request, listing.filter),
        "batch_url": _batch_url(request),
    }
    if request.htmx and not request.htmx.boosted:  # type: ignore[attr-defined]
        return push_url(render(request, "exceptions/_queue_table.html", context), address(request))
    around = {
        "queue_switch": _queue_switch(request),
        "pinned": _pinned(request),
        "more_filters": [listing.filter.form[name] for name in MORE_FILTERS],
        "shows_more_filters": any(request.GET.get(name) for name in MORE_FILTERS),
    }
    return render(request, "exceptions/queue.html", context | around)


def _batch_url(request: HttpRequest) -> str:
    """Where this list becomes a batch, for those who may propose anywhere."""
    if not reach_for(request).has(Verb.PROPOSE):
        return ""
    kept = urlencode([(name, value) for name, value in request.GET.items() if value and name not in _OF_THE_LIST])
    return f"{reverse('exceptions:batch_new')}?{kept}" if kept else reverse("exceptions:batch_new")


def _list_context(request: HttpRequest, listing: Listing) -> dict[str, Any]:
    user, at = person(request), now()
    cases = listing.filter.qs
    chosen = listing.filter
    counts = open_by_state(user, chosen.snoozed_or_not.open(), at=at, with_snoozed=chosen.includes_snoozed)
    totals = totals_of(cases)
    return _layout(request, listing) | {
        "at": at,
        "bar": bar_of(request, shown=[case.pk for case in listing.page.rows], total=totals.count),
        "rows": rows_of(listing.page.rows, user, reach_for(request)),
        "filter": listing.filter,
        "notices": listing.notices,
        "totals": totals,
        "counts": counts,
        "tabs": _state_tabs(request, counts, _chosen_tab(listing)),
        "sort": listing.sort.name,
        "sort_urls": {name: address(request, sort=name) for name in SORTS},
        "overdue_url": address(request, state="", due="overdue"),
        "next_url": address(request, after=listing.page.next_cursor) if listing.page.next_cursor else "",
        "previous_url": address(request, before=listing.page.previous_cursor) if listing.page.previous_cursor else "",
    }


def _layout(request: HttpRequest, listing: Listing) -> dict[str, Any]:
    """Columns and density with the form that changes them, and what it takes to keep or hand on this very list."""
    query = request.GET.copy()
    if request.resolver_match and request.resolver_match.url_name == "my_queue":
        query["assignee"] = ME  # the same list among all queues
    kept = canonical_query(query)
    kept_params = QueryDict(kept)
    return {
        "columns": listing.columns,
        "shown_density": listing.density,
        "column_choices": [(column, column.name in listing.columns) for column in COLUMNS],
        "around_layout": [
            (name, value)
            for name, values in request.GET.lists()
            for value in values
            if value and name not in (*LAYOUT_NAMES, *PLACE)
        ],
        "kept_layout": [(name, kept_params[name]) for name in sorted(LAYOUT_NAMES) if name in kept_params],
        "view_query": kept,
        "list_link": request.build_absolute_uri(list_url(kept)),
    }


def _pinned(request: HttpRequest) -> list[dict[str, Any]]:
    """The person's pinned views with their counts, for the head of a list."""
    now_shown = canonical_query(request.GET)
    return [
        {
            "name": found.view.name,
            "url": list_url(found.view.query),
            "count": found.count,
            "current": request.path == reverse("exceptions:queue") and found.view.query == now_shown,
        }
        for found in pinned_counts(person(request), reach_for(request))
    ]


def _chosen_tab(listing: Listing) -> str:
    chosen = listing.filter.form.cleaned_data
    return _SNOOZED_TAB if chosen["snoozed"] == SNOOZED else str(chosen["state"])


def _state_tabs(request: HttpRequest, counts: StateCounts, chosen: str) -> list[dict[str, Any]]:
    """Open states that have exceptions, then the closed ones, which are not counted: there are ever more of them."""
    tabs: list[tuple[str, str, Count | None]] = [(OPEN, gettext("All open"), counts.open)]
    tabs += [(state, STATE_WORDS[state].capitalize(), count) for state, count in counts.by_state.items()]
    tabs += [(_SNOOZED_TAB, gettext("Snoozed"), counts.snoozed)]
    tabs += [(state, STATE_WORDS[state].capitalize(), None) for state in (State.RESOLVED, State.DISMISSED)]
    return [
        {"label": label, "url": address(request, **_of_tab(request, value)), "current": value == chosen, "count": count}
        for value, label, count in tabs
        if count is None or count or value in (OPEN, chosen)
    ]


def _of_tab(request: HttpRequest, value: str) -> dict[str, str]:
    if value == _SNOOZED_TAB:
        return {"state": "", "snoozed": SNOOZED}
    snoozed = request.GET.get("snoozed", "")
    return {"state": "" if value == OPEN else value, "snoozed": "" if snoozed == SNOOZED else snoozed}


def _queue_switch(request: HttpRequest) -> list[dict[str, Any]]:
    """The queues side by side while they fit; with more of them, the filter's list serves better."""
    queues = open_by_queue(person(request), reach_for(request))
    if not 1 < len(queues) <= MOST_SWITCHED:
        return []
    chosen = request.GET.get("queue", "")
    everything = [{"label": gettext("All"), "url": address(request, queue=""), "current": not chosen, "count": None}]
    return everything + [
        {
            "label": found.name,
            "url": address(request, queue=found.slug),
            "current": found.slug == chosen,
            "count": count,
        }
        for found, count in queues
    ]
