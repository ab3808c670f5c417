"""A small chart of one number per day, drawn here: bars without a script, and the same in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from babel.dates import format_date
from babel.numbers import format_decimal
from django.utils.translation import get_language, gettext, to_locale

HEIGHT = 24
STEP = 5  # from one bar to the next
BAR = 4


@dataclass(frozen=True, slots=True)
class Bar:
    x: int
    y: int
    height: int
    is_some: bool


@dataclass(frozen=True, slots=True)
class Sparkline:
    bars: Sequence[Bar]
    width: int
    height: int
    words: str


def arrivals_chart(numbers: Sequence[int], *, last_day: date) -> Sparkline:
    """Bars of arrivals, the highest as high as the chart; a day without any has a line of one unit."""
    most = max(numbers, default=0)
    bars = []
    for position, number in enumerate(numbers):
        height = max(2, round(number * HEIGHT / most)) if number else 1
        bars.append(Bar(position * STEP, HEIGHT - height, height, bool(number)))
    return Sparkline(bars, len(numbers) * STEP - (STEP - BAR), HEIGHT, _words(numbers, most, last_day))


def _words(numbers: Sequence[int], most: int, last_day: date) -> str:
    if not most:
        return gettext("None arrived in the last {days} days.").format(days=len(numbers))
    first_day = last_day - timedelta(days=len(numbers) - 1)
    peak = first_day + timedelta(days=numbers.index(most))
    locale = to_locale(get_language() or "en")
    total, today, top = (format_decimal(number, locale=locale) for number in (sum(numbers), numbers[-1], most))
    return gettext("{total} arrived in the last {days} days, {today} today; most on {day}: {most}.").format(
        total=total, days=len(numbers), today=today, day=_day(peak, locale), most=top
    )


def _day(day: date, locale: str) -> str:
    """`6 Mar`, or `6. März` where a point belongs to it."""
    return format_date(day, "d. MMM" if locale.startswith("de") else "d MMM", locale=locale)
