"""Keeping the score of open exceptions: at their arrival, with each version, and by the sweep when a day begins.

A score follows from facts that have their own events and can be reckoned again at any time, so that it changes alone
is no event, raises no revision and makes no page stale. The database lets these columns, and no other, change so.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from exceptions_app.models import ExceptionCase, LegalEntity
from exceptions_app.models.case import NEVER_SCORED, RECKONED
from exceptions_app.queries.score_facts import newest_rates, waiting_for
from exceptions_app.states import Clock
from exceptions_app.triage.score import Facts, Rate, Rates, score_of
from exceptions_app.triage.weights import RATE_HOLDS

MOST_AT_ONCE: Final = 500


def today_of(entity: LegalEntity, at: datetime) -> date:
    return at.astimezone(ZoneInfo(entity.time_zone)).date()


def scored(
    case: ExceptionCase, *, at: datetime, waiting: int, changed: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """The columns of its score; `changed` are facts of it that are written together with them."""
    today = today_of(case.entity, at)
    currency = str(changed.get("currency", case.currency))
    return _columns(case, changed, today, rates_for({currency}, today), waiting)


def due(*, at: datetime) -> Q | None:
    """Which open exceptions were not scored on the day that it is for their legal entity; None without an entity."""
    begun: Q | None = None
    for zone, entities in _entities_by_zone().items():
        older = Q(entity__in=entities, scored_on__lt=at.astimezone(ZoneInfo(zone)).date())
        begun = older if begun is None else begun | older
    return begun


def _entities_by_zone() -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for entity, zone in LegalEntity.objects.order_by("pk").values_list("pk", "time_zone"):
        found.setdefault(zone, []).append(entity)
    return found


def score_due(*, at: datetime) -> int:
    """Score some of those that are due anew; how many. What somebody works on in this moment has its turn later."""
    older = due(at=at)
    if older is None:
        return 0
    with transaction.atomic():
        rows = ExceptionCase.objects.open().filter(older).select_related("entity").order_by("scored_on", "pk")
        cases = list(rows.select_for_update(of=("self",), no_key=True, skip_locked=True)[:MOST_AT_ONCE])
        _score_all(cases, at=at)
    return len(cases)


def _score_all(cases: Sequence[ExceptionCase], *, at: datetime) -> None:
    if not cases:
        return
    waiting = waiting_for([case.pk for case in cases])
    rates: dict[date, Rates] = {}
    for case in cases:
        today = today_of(case.entity, at)
        if today not in rates:
            rates[today] = rates_for({case.currency for case in cases}, today)
        for name, value in _columns(case, {}, today, rates[today], waiting[case.pk]).items():
            setattr(case, name, value)
    ExceptionCase.objects.bulk_update(cases, RECKONED)


def reckon_again(currencies: Sequence[str]) -> None:
    """Open exceptions in these currencies are scored anew by the sweep: there are rates that were not there before."""
    cases = ExceptionCase.objects.open().exclude(currency__in=["", settings.GROUP_CURRENCY])
    if settings.GROUP_CURRENCY not in currencies:  # through which all others are reckoned
        cases = cases.filter(currency__in=currencies)
    cases.update(scored_on=NEVER_SCORED)


def rates_for(currencies: set[str], today: date) -> Rates:
    """What is needed to reckon these currencies in that of the group. At most one query."""
    group = settings.GROUP_CURRENCY
    needed = {currency for currency in currencies if currency and currency != group}
    wanted = (needed | {group}) - {"EUR"} if needed else set()
    found = newest_rates(wanted, on=today, at_most=timedelta(days=RATE_HOLDS))
    return Rates(group, {currency: Rate(rate.rate, rate.day) for currency, rate in found.items()})


def _columns(
    case: ExceptionCase, changed: Mapping[str, Any], today: date, rates: Rates, waiting: int
) -> dict[str, Any]:
    def fact(name: str) -> Any:
        return changed[name] if name in changed else getattr(case, name)

    facts = Facts(
        today=today,
        country=case.entity.country,
        opened_on=today_of(case.entity, case.opened_at),
        amount=fact("amount"),
        currency=fact("currency"),
        due_on=fact("payable_on"),
        discount_until=fact("discount_until"),
        clock=Clock(case.statutory_clock) if case.statutory_clock else None,
        waiting=waiting,
    )
    score = score_of(facts, rates)
    return {"score": score.points, "score_reasons": score.as_json(), "scored_on": today}
