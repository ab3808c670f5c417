"""Where open exceptions would be if a routing rule had counted when they came, as far as the reader sees them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models import Q

from exceptions_app.models import ExceptionCase, RoutingRule
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.triage.routing import priority_of
from exceptions_app.triage.rules import first_that_fits, may_fit, rules_in_force

MOST_READ: Final = 10_000
SHOWN: Final = 3
"""Exceptions by which each way is shown."""
OF_ITS_ROUTE: Final = ""
_COLUMNS = (
    "amount", "category", "connection", "currency", "document_number", "entity__time_zone", "object_type", "opened_at",
    "payable_on", "priority", "queue__name", "sub", "cause__code",
    "cause__counterparty_class", "cause__head",
)  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """From where to where. Empty is what its route says, which is known of an arrival alone."""

    from_queue: str
    to_queue: str
    from_priority: int
    to_priority: int | str


@dataclass(slots=True)
class Led:
    """What would have gone this way: how many, their money in each currency, and some of them."""

    way: Way
    number: int = 0
    money: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    shown: list[ExceptionCase] = field(default_factory=list)

    def add(self, case: ExceptionCase) -> None:
        self.number += 1
        if case.amount is not None:
            self.money[case.currency] += case.amount
        if len(self.shown) < SHOWN:
            self.shown.append(case)


@dataclass(frozen=True, slots=True)
class Preview:
    """Each way, most taken first. `is_partial`: only the newest MOST_READ that may fit were looked at."""

    ways: list[Led]
    is_partial: bool

    @property
    def number(self) -> int:
        return sum(led.number for led in self.ways)


def preview_of(rule: RoutingRule | None, replaces: int | None, reach: Reach) -> Preview:
    """What the list would change with `rule` in the place of the one of that number. Two queries.

    Without `rule` it is the end of that one, without a number one rule more. The exceptions count as they stand now,
    which a correction may have changed since they came.
    """
    now = list(rules_in_force())
    then = [one for one in now if one.pk != replaces]
    if rule is not None:
        then = sorted([*then, rule], key=lambda one: one.place)
    changed = [one for one in now if one.pk == replaces] + ([rule] if rule is not None else [])
    asked = reduce(or_, map(may_fit, changed), Q(pk=None))
    cases = cases_within(reach).open().filter(asked).select_related("queue", "entity", "cause").only(*_COLUMNS)
    found = list(cases.order_by("-id")[: MOST_READ + 1])
    ways: dict[Way, Led] = {}
    for case in found[:MOST_READ]:
        way = _way(case, now, then)
        if way is not None:
            ways.setdefault(way, Led(way)).add(case)
    ordered = sorted(ways.values(), key=lambda led: (-led.number, str(led.way)))
    return Preview(ordered, len(found) > MOST_READ)


def _way(case: ExceptionCase, now: Sequence[RoutingRule], then: Sequence[RoutingRule]) -> Way | None:
    """Where it would be instead; None where nothing would be other than it is."""
    was, will = first_that_fits(now, case), first_that_fits(then, case)
    if was is will:
        return None
    # What is in another queue than the rule's came before the rule, so that it is where its route led it.
    was_led = was is not None and was.queue_id in (None, case.queue_id)
    if will is None and not was_led:
        return None
    if will is not None and will.queue is not None:
        queue = will.queue.name
    else:
        queue = OF_ITS_ROUTE if was is not None and was.queue_id == case.queue_id else case.queue.name
    priority: int | str = OF_ITS_ROUTE
    if will is not None:
        today = case.opened_at.astimezone(ZoneInfo(case.entity.time_zone)).date()
        priority = priority_of(case, base=will.priority, today=today)
    way = Way(case.queue.name, queue, case.priority, priority)
    return None if (way.to_queue, way.to_priority) == (way.from_queue, way.from_priority) else way
