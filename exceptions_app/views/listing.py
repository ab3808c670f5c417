"""What the address of a list asks for, read with patience: what is not understood is said and left out."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext

from exceptions_app.filters import AWAKE, OPEN, CaseFilter
from exceptions_app.list_layout import LAYOUT_NAMES, columns_of, density_of, unknown_layout
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.keyset import Direction, InvalidCursor, Page, Sort
from exceptions_app.queries.queue_page import DEFAULT_SORT, SORTS, queue_page
from exceptions_app.queries.reach import cases_within
from exceptions_app.states import OPEN_STATES
from exceptions_app.views.addresses import PLACE, address
from exceptions_app.views.scope import reach_for
from exceptions_app.wording import say, shown

_SHORT = 60  # characters of a value that are repeated in a notice


class QueueFilter(CaseFilter):
    """A work list shows what is open and nobody snoozed, unless something else is asked for."""

    default_state = OPEN
    default_snoozed = AWAKE


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter that is on: what it says, and the list without it."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of exceptions and the filter that chose it. `notices` say what of the address was left out.

    `density` is empty when the address leaves it to the reader.
    """

    filter: QueueFilter
    sort: Sort
    page: Page[ExceptionCase]
    notices: list[str] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    density: str = ""


def listing_of(request: HttpRequest, **fixed: str) -> Listing:
    """The exceptions that the address asks for; `fixed` filters go before those of the address."""
    asked = request.GET.copy()
    for name, value in fixed.items():
        asked[name] = value
    reach = reach_for(request)
    chosen = QueueFilter(asked, cases_within(reach), request=request, reach=reach)
    known = {*chosen.base_filters, *LAYOUT_NAMES}
    notices = [*unknown_names(request, known), *_errors(chosen), *unknown_layout(asked)]
    sort = sort_of(request, SORTS, _usual_order(chosen), notices)
    page = page_of(
        request, lambda cursor, direction: queue_page(chosen.qs, sort=sort, cursor=cursor, direction=direction), notices
    )
    return Listing(chosen, sort, page, notices, columns_of(asked), density_of(asked))


def _usual_order(chosen: QueueFilter) -> Sort:
    """The most urgent first; where closed ones are asked for, the newest."""
    asked = chosen.form.cleaned_data.get("state") or OPEN
    return DEFAULT_SORT if asked in (OPEN, *OPEN_STATES) else SORTS["newest"]


def unknown_names(request: HttpRequest, known: Container[str]) -> list[str]:
    names = [name for name in request.GET if name not in known and name not in ("sort", *PLACE)]
    return [shown(say("There is no filter “{name}”; it was left out.", name=name[:_SHORT])) for name in names]


def _errors(chosen: QueueFilter) -> list[str]:
    return [
        shown(
            say("The filter “{name}” was left out: {why}", name=chosen.form.fields[name].label, why=" ".join(problems))
        )
        for name, problems in chosen.errors.items()
    ]


def sort_of(request: HttpRequest, sorts: Mapping[str, Sort], default: Sort, notices: list[str]) -> Sort:
    name = request.GET.get("sort", "")
    if name and name not in sorts:
        unknown = say("There is no order “{name}”; the list is in its usual order.", name=name[:_SHORT])
        notices.append(shown(unknown))
    return sorts.get(name, default)


def page_of(request: HttpRequest, read: Callable[[str, Direction], Page[Any]], notices: list[str]) -> Page[Any]:
    """The page at the place that the address names, or the first when that place cannot be used."""
    direction: Direction = "before" if request.GET.get("before") else "after"
    try:
        return read(request.GET.get(direction, ""), direction)
    except InvalidCursor:
        notices.append(gettext("That place in the list is not known any more; this is the first page."))
        return read("", "after")


def chips_of(request: HttpRequest, chosen: QueueFilter) -> list[Chip]:
    """The filters that are on, except the state, which has its own switch."""
    cleaned = chosen.form.cleaned_data
    names = [name for name in chosen.base_filters if name != "state" and cleaned.get(name) not in (None, "")]
    return [
        Chip(f"{chosen.form.fields[name].label}: {_shown(chosen, name, cleaned[name])}", address(request, **{name: ""}))
        for name in names
    ]


def _shown(chosen: QueueFilter, name: str, value: object) -> str:
    choices = dict(getattr(chosen.form.fields[name], "choices", ())) if isinstance(value, str) else {}
    return str(choices.get(value, value))
