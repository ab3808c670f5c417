"""What every page has around its content: where one can go, with what waits there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.timezone import now

from exceptions_app.demo_people import demonstration_accounts
from exceptions_app.emergency_marks import emergency_of
from exceptions_app.queries.batch_standing import waiting_for_batch_decision_of
from exceptions_app.queries.connection_reach import connection_reach_of
from exceptions_app.queries.counters import Count, navigation_counts, waiting_for_decision_of
from exceptions_app.queries.mapping_standing import waiting_for_mapping_decision_of
from exceptions_app.queries.picks import may_act_on_many
from exceptions_app.queries.reach import Reach
from exceptions_app.states import Verb
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import shown
from integrations.delivery import stop_in_force


@dataclass(frozen=True, slots=True)
class Reader:
    is_staff: bool
    reach: Reach


def _with_any_grant(reader: Reader) -> bool:
    return bool(reader.reach.on_queues) or reader.is_staff


def _seeing(reader: Reader) -> bool:
    return reader.reach.has(Verb.SEE)


def _working(reader: Reader) -> bool:
    """Who may not correct anywhere can have no exception of their own."""
    return reader.reach.has(Verb.CORRECT)


def _deciding_or_proposing(reader: Reader) -> bool:
    return reader.reach.has(Verb.APPROVE) or reader.reach.has(Verb.PROPOSE)


def _caring_for_messages(reader: Reader) -> bool:
    return reader.reach.has(Verb.CORRECT) or reader.is_staff


def _exporting(reader: Reader) -> bool:
    return reader.reach.has(Verb.EXPORT)


def _auditing_access(reader: Reader) -> bool:
    return reader.is_staff or reader.reach.has(Verb.EXPORT)


def _in_emergencies(reader: Reader) -> bool:
    """Who may take emergency access, and who hears of it."""
    return reader.is_staff or any(reader.reach.has(verb) for verb in (Verb.EMERGENCY, Verb.APPROVE, Verb.EXPORT))


def _told_of_something(reader: Reader) -> bool:
    return reader.is_staff or reader.reach.has(Verb.SEE)


def _answering_for_replay(reader: Reader) -> bool:
    return reader.reach.has(Verb.APPROVE) or reader.reach.has(Verb.EXPORT)


def _acting_on_many(reader: Reader) -> bool:
    return may_act_on_many(reader.reach)


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
    key: str = ""  # after that of `shortcuts.GO_TO`


_WORK = (
    Entry("My queue", "my-queue", "exceptions:my_queue", _working, count="mine", key="m"),
    Entry(
        "All queues", "queue", "exceptions:queue",
        also_on=(
            "exceptions:case", "exceptions:raw", "exceptions:correct", "exceptions:answer", "exceptions:case_print",
            "exceptions:case_playbook",
            "exceptions:views", "exceptions:view", "exceptions:view_new",
        ),
        count="open", key="q",
    ),
    Entry("Approvals", "approvals", "exceptions:approvals", _deciding_or_proposing, count="to_decide", key="a"),
    Entry("Outcome unknown", "outcome-unknown", "exceptions:unknown", _with_any_grant, count="unknown", key="u"),
    Entry("Notifications", "comment", "exceptions:notifications", _told_of_something, count="notifications", key="n"),
    Entry("Search", "search", "exceptions:search", key="s"),
)  # fmt: skip
_MANY_AT_ONCE = (
    Entry(
        "Causes", "filter", "exceptions:causes", _seeing, also_on=("exceptions:cause", "exceptions:playbook"),
        key="w",
    ),
    Entry(
        "Value mappings", "link", "exceptions:value_mappings", _seeing,
        also_on=(
            "exceptions:value_mapping", "exceptions:value_mapping_new", "exceptions:value_mapping_propose",
            "exceptions:mapping_proposal", "exceptions:mapping_mends",
            "exceptions:value_mapping_import", "exceptions:value_mapping_import_propose", "exceptions:suggestions",
        ),
        key="v",
    ),
    Entry("Playbooks", "document", "exceptions:playbooks", _seeing, key="p"),
    Entry(
        "Batches", "replaying", "exceptions:batches", _seeing,
        also_on=("exceptions:batch", "exceptions:batch_new", "exceptions:batch_propose"), key="b",
    ),
    Entry(
        "Bulk runs", "compact", "exceptions:bulk_runs", _acting_on_many,
        also_on=(
            "exceptions:bulk_run", "exceptions:bulk_new", "exceptions:bulk_preview", "exceptions:bulk_start",
        ),
        key="x",
    ),
)  # fmt: skip
_SYSTEMS = (
    Entry(
        "Intake failures", "intake", "exceptions:intake_failures", _caring_for_messages,
        also_on=("exceptions:intake_failure", "exceptions:quarantined_file", "exceptions:sequence_gap"),
        count="intake_failures", key="i",
    ),
    Entry(
        "Transactions", "arrow-right", "exceptions:transactions", _with_any_grant, also_on=("exceptions:transaction",),
        key="t",
    ),
    Entry("Effects", "check", "exceptions:effects", _seeing, key="e"),
    Entry(
        "Connections", "connections", "exceptions:connections", _with_any_grant,
        also_on=(
            "exceptions:connection", "exceptions:approval_rules", "exceptions:approval_rule_propose",
            "exceptions:approval_rule_move", "exceptions:routing_rules", "exceptions:routing_rule_propose",
            "exceptions:routing_rule_move", "exceptions:field_rules", "exceptions:field_rule_propose",
            "exceptions:field_rule_move", "exceptions:retention", "exceptions:retention_propose",
            "exceptions:retention_move", "exceptions:hold_place", "exceptions:hold_lift", "exceptions:erasures",
            "exceptions:erasure_propose", "exceptions:erasure_move", "exceptions:exchange_rates",
            "exceptions:exchange_rates_import", "exceptions:archives", "exceptions:archive_delivery",
        ),
        key="c",
    ),
)  # fmt: skip
_CONTROL = (
    Entry(
        "Audit", "audit", "exceptions:audit", _exporting, also_on=("exceptions:audit_exports", "exceptions:audit_made"),
        key="h",
    ),
    Entry(
        "Access", "users", "exceptions:access", _auditing_access,
        also_on=("exceptions:access_reviews", "exceptions:access_review"),
    ),
    Entry(
        "Emergency access", "warning", "exceptions:emergencies", _in_emergencies, also_on=("exceptions:emergency",),
    ),
    Entry("Rehearsals", "check", "exceptions:rehearsals", _answering_for_replay),
)  # fmt: skip
_SET_UP = (
    Entry("API", "api", "api-docs", also_on=("api-try", "api-problems")),
    Entry("Administration", "settings", "admin:index", _administrating),
)  # fmt: skip
GROUPS: Mapping[str, tuple[Entry, ...]] = MappingProxyType(
    {
        "Work": _WORK,
        "Many at once": _MANY_AT_ONCE,
        "Systems": _SYSTEMS,
        "Control": _CONTROL,
        "Set-up": _SET_UP,
    }
)
"""Under what heading a place stands: what waits, what mends many, where it comes from and goes to, and the proof."""
ENTRIES = tuple(entry for entries in GROUPS.values() for entry in entries)


def first_page(user: AbstractUser, reach: Reach) -> str:
    """The name of the page where a person's work begins, by what is granted to them.

    Whoever decides begins with what waits for them, and with the queues when nothing does.
    """
    if reach.has(Verb.CORRECT):
        return "exceptions:my_queue"
    if reach.has(Verb.APPROVE) and _waits_for(user, reach):
        return "exceptions:approvals"
    if reach.has(Verb.EXPORT) and not reach.has(Verb.APPROVE):
        return "exceptions:audit"
    if reach.has(Verb.SEE):
        return "exceptions:queue"
    if connection_reach_of(user).seen:
        return "exceptions:connections"
    return "exceptions:my_queue"  # which says that nothing is granted, and who grants it


def _waits_for(user: AbstractUser, reach: Reach) -> bool:
    waiting = (
        waiting_for_decision_of(user, reach),
        waiting_for_batch_decision_of(user, reach),
        waiting_for_mapping_decision_of(user, reach),
    )
    return any(found.exists() for found in waiting)


@dataclass(frozen=True, slots=True)
class Item:
    """An entry as a page shows it. `counts` names what is counted beside it; a nought is not shown."""

    group: str
    label: str
    icon: str
    url: str
    current: bool
    counts: str
    count: Count | None
    key: str


def surroundings(request: HttpRequest) -> dict[str, Any]:
    """Context of every page: read only when a page shows it, so that fragments cost nothing."""
    return {
        "navigation": SimpleLazyObject(lambda: _items(request)),
        "sending_stop": SimpleLazyObject(lambda: stop_in_force() if request.user.is_authenticated else None),
        "demonstration_accounts": SimpleLazyObject(demonstration_accounts),
        "emergency_lasts": SimpleLazyObject(lambda: bool(emergency_of(request.user, at=now()))),
        "environment_name": "Demonstration" if settings.SIMULATOR_URL else "",
        "request_id": request.META.get("REQUEST_ID", ""),
    }


def add_fresh_counts(request: HttpRequest, response: HttpResponse) -> None:
    """Let a fragment bring what waits now: the navigation around it stays as it was drawn with the whole page.

    Three queries, of which two are those of `reach_for`.
    """
    response.write(render_to_string("parts/_navigation_counts.html", {"navigation": _items(request)}))


def _items(request: HttpRequest) -> list[Item]:
    if not request.user.is_authenticated:
        return []
    user = person(request)
    reader, counts = Reader(user.is_staff, reach_for(request)), navigation_counts(user, reach_for(request))
    here = request.resolver_match.view_name if request.resolver_match else ""
    return [
        Item(
            group=shown(group),
            label=shown(entry.label),
            icon=entry.icon,
            url=reverse(entry.url_name),
            current=here in (entry.url_name, *entry.also_on),
            counts=entry.count,
            count=_shown(getattr(counts, entry.count)) if entry.count else None,
            key=entry.key,
        )
        for group, entries in GROUPS.items()
        for entry in entries
        if entry.offered_to is None or entry.offered_to(reader)
    ]


def _shown(count: Count) -> Count | None:
    """A nought beside an entry says nothing."""
    return count or None
