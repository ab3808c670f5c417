"""What every page has around its content: where one can go, with what waits there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from exceptions_app.demo_people import demonstration_accounts
from exceptions_app.queries.counters import Count, navigation_counts
from exceptions_app.queries.reach import Reach
from exceptions_app.states import Verb
from exceptions_app.views.reach import reach_for
from exceptions_app.views.scope import person


@dataclass(frozen=True, slots=True)
class Reader:
    is_staff: bool
    reach: Reach


def _with_any_grant(reader: Reader) -> bool:
    return bool(reader.reach.on_queues) or reader.is_staff


def _deciding_or_proposing(reader: Reader) -> bool:
    return reader.reach.has(Verb.APPROVE) or reader.reach.has(Verb.PROPOSE)


def _caring_for_messages(reader: Reader) -> bool:
    return reader.reach.has(Verb.CORRECT) or reader.is_staff


def _exporting(reader: Reader) -> bool:
    return reader.reach.has(Verb.EXPORT)


def _administrating(reader: Reader) -> bool:
    return reader.is_staff


@dataclass(frozen=True, slots=True)
class Entry:
    """One place to go, offered to everybody or to those it is of use to; what they see there, the page decides.

    It is current on its own page and on those whose URL names are listed. `count` names a navigation count.
    """

    label: str
    icon: str
    url_name: str
    offered_to: Callable[[Reader], bool] | None = None
    also_on: tuple[str, ...] = ()
    count: str = ""


ENTRIES = (
    Entry("My queue", "my-queue", "exceptions:my_queue", count="mine"),
    Entry(
        "All queues", "queue", "exceptions:queue", also_on=("exceptions:case", "exceptions:raw", "exceptions:correct"),
        count="open",
    ),
    Entry("Approvals", "approvals", "exceptions:approvals", _deciding_or_proposing, count="to_decide"),
    Entry("Search", "search", "exceptions:search"),
    Entry(
        "Intake failures", "intake", "exceptions:intake_failures", _caring_for_messages,
        also_on=("exceptions:intake_failure", "exceptions:quarantined_file"), count="intake_failures",
    ),
    Entry(
        "Connections", "connections", "exceptions:connections", _with_any_grant, also_on=("exceptions:connection",)
    ),
    Entry("Audit", "audit", "exceptions:audit", _exporting),
    Entry("API", "api", "api-docs"),
    Entry("Administration", "settings", "admin:index", _administrating),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    label: str
    icon: str
    url: str
    current: bool
    count: Count | None


def surroundings(request: HttpRequest) -> dict[str, Any]:
    """Context of every page: read only when a page shows it, so that fragments cost nothing."""
    return {
        "navigation": SimpleLazyObject(lambda: _items(request)),
        "demonstration_accounts": SimpleLazyObject(demonstration_accounts),
        "environment_name": "Demonstration" if settings.SIMULATOR_URL else "",
        "request_id": request.META.get("REQUEST_ID", ""),
    }


def _items(request: HttpRequest) -> list[Item]:
    if not request.user.is_authenticated:
        return []
    user = person(request)
    reader, counts = Reader(user.is_staff, reach_for(request)), navigation_counts(user, reach_for(request))
    here = request.resolver_match.view_name if request.resolver_match else ""
    return [
        Item(
            label=entry.label,
            icon=entry.icon,
            url=reverse(entry.url_name),
            current=here in (entry.url_name, *entry.also_on),
            count=_shown(getattr(counts, entry.count)) if entry.count else None,
        )
        for entry in ENTRIES
        if entry.offered_to is None or entry.offered_to(reader)
    ]


def _shown(count: Count) -> Count | None:
    """A nought beside an entry says nothing."""
    return count or None
