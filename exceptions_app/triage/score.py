"""How important an exception is, as a number with the reasons that it is made of. Nothing here asks a database.

Each reason has its points, a sentence and a few words for a list. What is not known is a reason of no points that says
so: no rate, no guess.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from exceptions_app.states import CLOCK_WORDS, Clock
from exceptions_app.triage import sentences as said
from exceptions_app.triage import weights
from exceptions_app.triage.calendar import business_days_between
from exceptions_app.triage.clocks import deadline_of


class About(StrEnum):
    STATUTORY = "statutory"
    DUE = "due"
    DISCOUNT = "discount"
    MONEY = "money"
    WAITING = "waiting"
    AGE = "age"


@dataclass(frozen=True, slots=True)
class Reason:
    """`short` stands in a list, `text` on the page of the exception."""

    about: str
    points: int
    text: str
    short: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a score is made of. Dates are those of the legal entity's own calendar."""

    today: date
    country: str
    opened_on: date
    amount: Decimal | None
    currency: str
    due_on: date | None
    discount_until: date | None
    clock: Clock | None
    waiting: int  # transactions that are delivered after this one


@dataclass(frozen=True, slots=True)
class Rate:
    """Units of a currency for one euro, and the day of which that is."""

    value: Decimal
    day: date


@dataclass(frozen=True, slots=True)
class Rates:
    """The newest rates that may still be used, and the currency in which the group reckons."""

    group_currency: str
    known: Mapping[str, Rate]

    def in_group(self, amount: Decimal, currency: str) -> tuple[Decimal, date | None] | None:
        """The amount in the currency of the group, and of which day the rate is; None when a rate is missing."""
        if currency == self.group_currency:
            return amount, None
        needed = [code for code in (currency, self.group_currency) if code != "EUR"]
        if any(code not in self.known for code in needed):
            return None
        euros = amount if currency == "EUR" else amount / self.known[currency].value
        ours = euros if self.group_currency == "EUR" else euros * self.known[self.group_currency].value
        return ours.quantize(Decimal("0.01")), min(self.known[code].day for code in needed)


@dataclass(frozen=True, slots=True)
class Score:
    points: int
    reasons: tuple[Reason, ...]

    def as_json(self) -> list[dict[str, object]]:
        return [
            {"about": reason.about, "points": reason.points, "text": str(reason.text), "short": str(reason.short)}
            for reason in self.reasons
        ]


def score_of(facts: Facts, rates: Rates) -> Score:
    """The heaviest reason first; of equal ones in the order of `About`."""
    reasons = sorted(_reasons(facts, rates), key=lambda reason: -reason.points)
    return Score(sum(reason.points for reason in reasons), tuple(reasons))


def _reasons(facts: Facts, rates: Rates) -> Iterator[Reason]:
    yield from _statutory(facts)
    yield from _due(facts)
    yield from _discount(facts)
    yield from _money(facts, rates)
    yield from _waiting(facts)
    yield from _age(facts)


def _step(left: int, steps: Sequence[tuple[int, int]]) -> int:
    """The points of the first step that is not passed yet."""
    return next((points for most, points in steps if left <= most), 0)


def _statutory(facts: Facts) -> Iterator[Reason]:
    if facts.clock is None:
        return
    last = deadline_of(facts.clock, facts.opened_on, facts.country)
    left, clock = (last - facts.today).days, CLOCK_WORDS[facts.clock]
    points = _step(left, weights.STATUTORY)
    if left < 0:
        text = said.made(said.CLOCK_PASSED, clock=clock, day=_day(last))
        yield Reason(About.STATUTORY, points, text, said.made(said.CLOCK_TOO_LATE_SHORT, clock=clock))
        return
    text = said.made(said.CLOCK_RUNS, clock=clock, day=_day(last), left=_days_left(left))
    yield Reason(About.STATUTORY, points, text, said.made(said.CLOCK_SHORT, clock=clock, days=_days(left)))


def _due(facts: Facts) -> Iterator[Reason]:
    if facts.due_on is None:
        return
    left = business_days_between(facts.today, facts.due_on, facts.country)
    points = _step(left, weights.DUE)
    if not points:
        return
    day = _day(facts.due_on)
    if facts.due_on < facts.today:
        yield Reason(About.DUE, points, said.made(said.WAS_DUE, day=day), said.PAST_DUE_SHORT)
        return
    text = said.made(said.IS_DUE, day=day, left=_business_days_left(left))
    yield Reason(About.DUE, points, text, said.made(said.DUE_SHORT, days=_days(left)))


def _discount(facts: Facts) -> Iterator[Reason]:
    if facts.discount_until is None or facts.discount_until < facts.today:
        return  # what is lost makes nothing urgent
    left = business_days_between(facts.today, facts.discount_until, facts.country)
    points = _step(left, weights.DISCOUNT)
    if points:
        day = _day(facts.discount_until)
        text = said.made(said.DISCOUNT_ENDS, day=day, left=_business_days_left(left))
        yield Reason(About.DISCOUNT, points, text, said.made(said.DISCOUNT_SHORT, days=_days(left)))


def _money(facts: Facts, rates: Rates) -> Iterator[Reason]:
    if facts.amount is None or not facts.currency:
        return
    ours = rates.in_group(abs(facts.amount), facts.currency)
    if ours is None:
        text = said.made(said.NO_RATE, currency=facts.currency, group=rates.group_currency, number=weights.RATE_HOLDS)
        yield Reason(About.MONEY, 0, text, said.made(said.NO_RATE_SHORT, currency=facts.currency))
        return
    amount, day = ours
    points = next((points for least, points in weights.MONEY if amount >= least), 0)
    if points:
        stake = {"amount": f"{amount:,.2f}", "currency": rates.group_currency}
        text = said.made(said.AT_STAKE, **stake)
        if day is not None:
            text = said.made(said.AT_STAKE_BY_RATE, **stake, day=_day(day))
        yield Reason(About.MONEY, points, text, said.AMOUNT_SHORT)  # which stands in the same row


def _waiting(facts: Facts) -> Iterator[Reason]:
    if facts.waiting:
        points = min(facts.waiting * weights.WAITING, weights.MOST_WAITING)
        number = f"{facts.waiting:,}"
        text = said.ONE_WAITS if facts.waiting == 1 else said.made(said.SOME_WAIT, number=number)
        yield Reason(About.WAITING, points, text, said.made(said.WAITING_SHORT, number=number))


def _age(facts: Facts) -> Iterator[Reason]:
    days = business_days_between(facts.opened_on, facts.today, facts.country)
    if days:
        points = min(days * weights.AGE, weights.MOST_AGE)
        text = said.OPEN_ONE_DAY if days == 1 else said.made(said.OPEN_FOR_DAYS, number=days)
        short = said.OPEN_ONE_DAY_SHORT if days == 1 else said.made(said.OPEN_FOR_DAYS_SHORT, number=days)
        yield Reason(About.AGE, points, text, short)


def _day(day: date) -> str:
    return said.made(said.DAY, number=day.day, month=f"{day:%B}", year=day.year)


def _business_days_left(days: int) -> str:
    if not days:
        return said.LAST_DAY
    return said.ONE_BUSINESS_DAY_LEFT if days == 1 else said.made(said.BUSINESS_DAYS_LEFT, number=days)


def _days_left(days: int) -> str:
    if not days:
        return said.LAST_DAY
    return said.ONE_DAY_LEFT if days == 1 else said.made(said.DAYS_LEFT, number=days)


def _days(days: int) -> str:
    if not days:
        return said.LAST_DAY_SHORT
    return said.ONE_DAY if days == 1 else said.made(said.DAYS, number=days)
