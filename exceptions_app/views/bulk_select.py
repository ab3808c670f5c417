"""Ticking exceptions in the lists. What is ticked is kept on the server; without JavaScript a form keeps it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now

from exceptions_app.actions import picks
from exceptions_app.bulk_states import MOST_ITEMS
from exceptions_app.filters import ME
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.models.references import number_in
from exceptions_app.queries.picks import may_act_on_many, picked
from exceptions_app.queries.queue_page import PAGE_SIZE, SORTS, sortable
from exceptions_app.queries.reach import cases_within
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.listing import QueueFilter
from exceptions_app.views.posted import posted_from
from exceptions_app.views.replies import is_htmx
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import say

PAGES = ("queue", "my_queue")
NOTHING_TO_DO_THERE = say("You may do nothing with several exceptions at once.")
_MOST_SHOWN = 2 * PAGE_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What is ticked, below the list: `here` are those of this page, `total` how many the list has in all."""

    count: int
    money: dict[str, Decimal]
    here: frozenset[int]
    shown: Sequence[int]
    page: str
    query: str
    total: str
    most: int = MOST_ITEMS

    @property
    def shown_text(self) -> str:
        return ",".join(str(number) for number in self.shown)


def bar_of(request: HttpRequest, *, shown: Collection[int], total: object) -> Bar | None:
    """For a list page; None for those who may do nothing with several exceptions. One query."""
    reach = reach_for(request)
    page = request.resolver_match.url_name if request.resolver_match else ""
    if page not in PAGES or not may_act_on_many(reach):
        return None
    return _bar(request, shown=list(shown), page=page, query=request.GET.urlencode(), total=str(total))


def _bar(request: HttpRequest, *, shown: Sequence[int], page: str, query: str, total: str) -> Bar:
    found = picked(person(request), reach_for(request), shown=shown)
    return Bar(count=found.count, money=found.money, here=found.here, shown=shown, page=page, query=query, total=total)


def _page_of_runs(request: HttpRequest, ref: str) -> str:  # noqa: ARG001 - as for the pages of one thing
    return reverse("exceptions:bulk_runs")


@posted_from(_page_of_runs)
def bulk_selection(request: HttpRequest, ref: str) -> HttpResponse:  # noqa: ARG001 - as for the pages of one thing
    """Keep what is ticked on a page, tick all that the list has, or untick everything; then on with it, or back."""
    if not may_act_on_many(reach_for(request)):
        return not_permitted(request, NOTHING_TO_DO_THERE)
    page = request.POST.get("page", "")
    page = page if page in PAGES else PAGES[0]
    query, shown = request.POST.get("query", ""), _numbers(request.POST.get("shown", "").split(","))
    left_out = _keep(request, request.POST.get("do", ""), page=page, query=query, shown=shown)
    words = f"At most {MOST_ITEMS:,} exceptions can be chosen at once. {left_out:,} more match; do them afterwards."
    if is_htmx(request):
        bar = _bar(request, shown=shown, page=page, query=query, total=request.POST.get("total", "")[:20])
        context = {"bar": bar, "announced": True, "left_out": words if left_out else ""}
        return render(request, "exceptions/_bulk_bar.html", context)
    if left_out:
        messages.warning(request, words)
    if request.POST.get("do") == "go":
        return HttpResponseRedirect(reverse("exceptions:bulk_new"))
    address = reverse(f"exceptions:{page}")
    return HttpResponseRedirect(f"{address}?{QueryDict(query).urlencode()}" if query else address)


def _keep(request: HttpRequest, do: str, *, page: str, query: str, shown: Sequence[int]) -> int:
    """How many found no room."""
    by, visible = person(request), cases_within(reach_for(request))
    if do == "none":
        picks.unpick_all(by=by)
        return 0
    if do == "all":
        return picks.pick(_all_of_the_list(request, page, query), by=by, at=now())
    ticked = shown if do == "page" else _numbers(request.POST.getlist("case"))
    return picks.keep_picks(visible, shown=shown, ticked=ticked, by=by, at=now())


def _all_of_the_list(request: HttpRequest, page: str, query: str) -> ExceptionCaseQuerySet:
    """What the list shows on all of its pages, the most urgent first."""
    asked = QueryDict(query, mutable=True)
    if page == "my_queue":
        asked["assignee"] = ME
    reach = reach_for(request)
    chosen = QueueFilter(asked, cases_within(reach), request=request, reach=reach)
    found: ExceptionCaseQuerySet = sortable(chosen.qs).order_by(*SORTS["urgency"].order())
    return found


def _numbers(texts: Sequence[str]) -> list[int]:
    numbers = (number_in(text) for text in texts[:_MOST_SHOWN])
    return [number for number in numbers if number is not None]
