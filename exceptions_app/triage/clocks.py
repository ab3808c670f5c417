"""Statutory clocks: until when what an authority rejected has to be there again."""

from datetime import date, timedelta

from exceptions_app.states import Clock
from exceptions_app.triage.calendar import next_business_day

_SDI_DAYS = 5


def deadline_of(clock: Clock, opened_on: date, country: str) -> date:
    """The last day on which it is in time."""
    if clock is Clock.KSEF:
        return next_business_day(opened_on, country)
    return opened_on + timedelta(days=_SDI_DAYS)
