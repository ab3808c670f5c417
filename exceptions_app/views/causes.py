"""Causes: what many exceptions have in common, one line each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.cause_states import RULES, CauseState
from exceptions_app.models import CauseOwner
from exceptions_app.queries.causes import DEFAULT_SORT, SORTS, CauseLine, CausePage, cause_page, owners_of
from exceptions_app.queries.keyset import Direction, InvalidCursor
from exceptions_app.views.addresses import address
from exceptions_app.views.cause_forms import CauseFilterForm
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.listing import unknown_names
from exceptions_app.views.scope import reach_for
from exceptions_app.views.sparklines import Sparkline, arrivals_chart


@dataclass(frozen=True, slots=True)
class CauseRow:
    """A line with what only a page needs of it."""

    line: CauseLine
    owner: CauseOwner | None
    chart: Sparkline


@require_safe
@never_cache
@signed_in
def causes(request: HttpRequest) -> HttpResponse:
    """Those of which something is open, or came or was closed lately, as far as the person sees their exceptions."""
    form = CauseFilterForm(request.GET)
    notices = unknown_names(request, form.fields)
    asked = form.cleaned_data if form.is_valid() else {}
    sort = request.GET.get("sort", "")
    if sort and sort not in SORTS:
        notices.append(gettext("There is no such order; the list is in its usual order."))
    chosen = {
        "search": asked.get("contains", "").strip(),
        "state": asked.get("state", ""),
        "sort": sort if sort in SORTS else DEFAULT_SORT,
    }
    page = _page(request, chosen, notices)
    owners = owners_of([line.cause for line in page.rows])
    context = {
        "form": form,
        "rows": [row_of(line, owners.get(line.cause.pk)) for line in page.rows],
        "total": page.total,
        "tabs": _tabs(request, page, chosen["state"]),
        "rules": [(state.value, words) for state, words in RULES.items()],
        "is_narrowed": any(asked.values()),
        "sort": chosen["sort"],
        "sort_urls": {name: address(request, sort=name) for name in SORTS},
        "notices": notices,
        "at": now(),
        "next_url": address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }
    return render(request, "exceptions/causes.html", context)


def row_of(line: CauseLine, owner: CauseOwner | None) -> CauseRow:
    return CauseRow(line, owner, arrivals_chart(line.course.arrived, last_day=line.course.last_day))


def _page(request: HttpRequest, chosen: Mapping[str, Any], notices: list[str]) -> CausePage:
    """The page that the address names, or the first when its place is not in the list any more."""
    direction: Direction = "before" if request.GET.get("before") else "after"
    reach, at = reach_for(request), now()
    try:
        return cause_page(reach, at=at, cursor=request.GET.get(direction, ""), direction=direction, **chosen)
    except InvalidCursor:
        notices.append(gettext("That place in the list is not known any more; this is the first page."))
        return cause_page(reach, at=at, **chosen)


def _tabs(request: HttpRequest, page: CausePage, chosen: str) -> Sequence[dict[str, Any]]:
    tabs = [("", "All", sum(page.by_state.values()))]
    tabs += [(state.value, state.value.capitalize(), page.by_state.get(state, 0)) for state in CauseState]
    return [
        {"label": label, "url": address(request, state=value), "current": value == chosen, "count": f"{count:,}"}
        for value, label, count in tabs
        if count or value in ("", chosen)
    ]
