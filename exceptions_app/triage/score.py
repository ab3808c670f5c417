"""How important an exception is, as a number with the reasons that it is made of. Nothing here asks a database.

Each reason has its points, a sentence and a few words for a list. What is not known is a reason of no points that says
so: no rate, no guess.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from exceptions_app.states import CLOCK_WORDS, Clock
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
        return [asdict(reason) for reason in self.reasons]


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
    left, name = (last - facts.today).days, CLOCK_WORDS[facts.clock]
    text = f"{name} takes it until {_day(last)}; " + ("that has passed." if left < 0 else f"{_left(left, 'day')}.")
    short = f"{name} too late" if left < 0 else f"{name}: {_short(left)}"
    yield Reason(About.STATUTORY, _step(left, weights.STATUTORY), text, short)


def _due(facts: Facts) -> Iterator[Reason]:
    if facts.due_on is None:
        return
    left = business_days_between(facts.today, facts.due_on, facts.country)
    points = _step(left, weights.DUE)
    if not points:
        return
    if facts.due_on < facts.today:
        yield Reason(About.DUE, points, f"It was due on {_day(facts.due_on)}.", "past due")
        return
    yield Reason(About.DUE, points, f"It is due on {_day(facts.due_on)}: {_left(left)}.", f"due: {_short(left)}")


def _discount(facts: Facts) -> Iterator[Reason]:
    if facts.discount_until is None or facts.discount_until < facts.today:
        return  # what is lost makes nothing urgent
    left = business_days_between(facts.today, facts.discount_until, facts.country)
    points = _step(left, weights.DISCOUNT)
    if points:
        text = f"Its cash discount ends on {_day(facts.discount_until)}: {_left(left)}."
        yield Reason(About.DISCOUNT, points, text, f"discount: {_short(left)}")


def _money(facts: Facts, rates: Rates) -> Iterator[Reason]:
    if facts.amount is None or not facts.currency:
        return
    ours = rates.in_group(abs(facts.amount), facts.currency)
    if ours is None:
        text = (
            f"No rate between {facts.currency} and {rates.group_currency} of the last {weights.RATE_HOLDS} days is "
            "known, so its amount does not count."
        )
        yield Reason(About.MONEY, 0, text, f"no rate for {facts.currency}")
        return
    amount, day = ours
    points = next((points for least, points in weights.MONEY if amount >= least), 0)
    if points:
        by_rate = f", by the rate of {_day(day)}" if day is not None else ""
        text = f"{amount:,.2f} {rates.group_currency} are at stake{by_rate}."
        yield Reason(About.MONEY, points, text, "amount")  # which stands in the same row


def _waiting(facts: Facts) -> Iterator[Reason]:
    if facts.waiting:
        points = min(facts.waiting * weights.WAITING, weights.MOST_WAITING)
        words = "1 transaction waits" if facts.waiting == 1 else f"{facts.waiting:,} transactions wait"
        yield Reason(About.WAITING, points, f"{words} for it to be delivered.", f"{facts.waiting:,} waiting")


def _age(facts: Facts) -> Iterator[Reason]:
    days = business_days_between(facts.opened_on, facts.today, facts.country)
    if days:
        points = min(days * weights.AGE, weights.MOST_AGE)
        words = _count(days, "business day")
        yield Reason(About.AGE, points, f"It has been open for {words}.", f"open {_count(days, 'day')}")


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _left(days: int, unit: str = "business day") -> str:
    return f"{_count(days, unit)} left" if days else "the last day"


def _short(days: int) -> str:
    return _count(days, "day") if days else "last day"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
