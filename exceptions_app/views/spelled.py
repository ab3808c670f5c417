"""Moments, spans, shares and lists of few, spelled as the reader's language has them, to be put into sentences."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_percent
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext, ngettext, to_locale


def _locale() -> str:
    return to_locale(get_language() or "en")


def span(length: timedelta) -> str:
    """“5 seconds”, “2 hours”."""
    return format_timedelta(length, threshold=2, locale=_locale())


def seconds(number: int) -> str:
    return ngettext("{number} second", "{number} seconds", number).format(number=number)


def moment(at: datetime) -> str:
    """“31 Mar 2026, 14:00” in the zone of the pages."""
    return format_datetime(localtime(at).replace(tzinfo=None), "dd MMM y, HH:mm", locale=_locale())


def share(part: float) -> str:
    return format_percent(part, locale=_locale())


def one_of(texts: Iterable[str]) -> str:
    """“a”, “a or b”, “a or b or c”; empty for none."""
    said = ""
    for text in texts:
        said = gettext("{first} or {second}").format(first=said, second=text) if said else text
    return said
