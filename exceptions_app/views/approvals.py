"""Proposals that wait for a second person."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from exceptions_app.queries.approvals import (
    DEFAULT_SORT,
    SORTS,
    money_of,
    prepared,
    prepared_by,
    to_decide,
    waiting_of,
)
from exceptions_app.queries.batch_standing import waiting_for_batch_decision_of
from exceptions_app.queries.counters import count_each, waiting_for_decision_of
from exceptions_app.queries.mapping_standing import waiting_for_mapping_decision_of
from exceptions_app.queries.replay_batches import batches_prepared_by, batches_to_decide
from exceptions_app.queries.value_mappings import mappings_prepared_by, mappings_to_decide
from exceptions_app.states import Verb
from exceptions_app.views.addresses import address
from exceptions_app.views.delegation_forms import delegations_context
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.listing import page_of, sort_of, unknown_names
from exceptions_app.views.scope import person, reach_for

PREPARED = "prepared"


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def approvals(request: HttpRequest) -> HttpResponse:
    """What I may decide on, and apart from it what I prepared and someone else must decide on."""
    return show_approvals(request, None)


def show_approvals(request: HttpRequest, more: Mapping[str, Any] | None, *, status: int = 200) -> HttpResponse:
    """The page with `more`, such as a form that was refused; without it, as it is asked for."""
    user, reach = person(request), reach_for(request)
    notices = unknown_names(request, {"show": ""})
    mine = _shows_prepared(request, decides=reach.has(Verb.APPROVE))
    sort = sort_of(request, SORTS, DEFAULT_SORT, notices)
    read = prepared_by if mine else to_decide
    page = page_of(
        request, lambda cursor, direction: read(user, reach, sort=sort, cursor=cursor, direction=direction), notices
    )
    context = {
        "at": now(),
        "waiting": waiting_of(page.rows, user, reach),
        "money": money_of(prepared(user, reach) if mine else waiting_for_decision_of(user, reach)),
        "tabs": _tabs(request, mine=mine, decides=reach.has(Verb.APPROVE)),
        "mine": mine,
        "batches": batches_prepared_by(user) if mine else batches_to_decide(user, reach),
        "mappings": mappings_prepared_by(user) if mine else mappings_to_decide(user, reach),
        "sort": sort.name,
        "sort_urls": {name: address(request, sort=name) for name in SORTS},
        "notices": notices,
        "next_url": address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }
    fragment = request.htmx and not request.htmx.boosted  # type: ignore[attr-defined]
    if fragment:
        return render(request, "exceptions/_approvals_table.html", context, status=status)
    beside = delegations_context(request) if more is None else more
    return render(request, "exceptions/approvals.html", {**context, **beside}, status=status)


def _shows_prepared(request: HttpRequest, *, decides: bool) -> bool:
    """Whoever decides nowhere has only their own proposals to look at."""
    return request.GET.get("show") == PREPARED or not decides


def _tabs(request: HttpRequest, *, mine: bool, decides: bool) -> list[dict[str, Any]]:
    user, reach = person(request), reach_for(request)
    rows: dict[str, QuerySet[Any]] = {
        "decide": waiting_for_decision_of(user, reach),
        "prepared": prepared(user, reach),
        "batches": waiting_for_batch_decision_of(user, reach),
        "mappings": waiting_for_mapping_decision_of(user, reach),
    }
    counts = count_each(user, rows)
    to_decide_in_all = counts["decide"] + counts["batches"] + counts["mappings"]
    tabs = [
        {
            "label": gettext("To decide"),
            "url": address(request, show=""),
            "current": not mine,
            "count": to_decide_in_all,
        },
        {
            "label": gettext("Prepared by me"),
            "url": address(request, show=PREPARED),
            "current": mine,
            "count": counts["prepared"],
        },
    ]
    return tabs if decides else tabs[1:]
