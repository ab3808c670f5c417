"""Business days of a legal entity: the working days of its country."""

from datetime import date, timedelta
from functools import lru_cache

from holidays import HolidayBase, country_holidays

_SATURDAY = 5
MOST_DAYS = 400
"""How far business days are counted; beyond it a number says nothing any more."""


@lru_cache(maxsize=300)
def _holidays_of(country: str) -> HolidayBase | None:
    try:
        return country_holidays(country)
    except NotImplementedError:  # a country of which nobody wrote down the holidays
        return None


def is_business_day(day: date, country: str) -> bool:
    """Of a country whose holidays are not known, from Monday to Friday."""
    known = _holidays_of(country)
    return known.is_working_day(day) if known is not None else day.weekday() < _SATURDAY


def next_business_day(day: date, country: str) -> date:
    found = day + timedelta(days=1)
    while not is_business_day(found, country):
        found += timedelta(days=1)
    return found


def business_days_between(start: date, end: date, country: str) -> int:
    """Business days after `start` up to and with `end`; 0 when there is none, also when `end` comes first."""
    days = min((end - start).days, MOST_DAYS)
    return sum(is_business_day(start + timedelta(days=number), country) for number in range(1, days + 1))
