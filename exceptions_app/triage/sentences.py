"""The sentences of a score: kept in English as they were made, and read back for whoever reads another language.

`made` makes one of them of its data. `read_back` finds in a kept text of which it was made, also in one of years ago.
"""

import re
from functools import lru_cache
from typing import Any, Final

from django.utils.translation import gettext_noop

from exceptions_app.states import CLOCK_WORDS
from exceptions_app.wording import Said, say

CLOCK_PASSED: Final = gettext_noop("{clock} takes it until {day}; that has passed.")
CLOCK_RUNS: Final = gettext_noop("{clock} takes it until {day}; {left}.")
WAS_DUE: Final = gettext_noop("It was due on {day}.")
IS_DUE: Final = gettext_noop("It is due on {day}: {left}.")
DISCOUNT_ENDS: Final = gettext_noop("Its cash discount ends on {day}: {left}.")
NO_RATE: Final = gettext_noop(
    "No rate between {currency} and {group} of the last {number} days is known, so its amount does not count."
)
AT_STAKE: Final = gettext_noop("{amount} {currency} are at stake.")
AT_STAKE_BY_RATE: Final = gettext_noop("{amount} {currency} are at stake, by the rate of {day}.")
ONE_WAITS: Final = gettext_noop("1 transaction waits for it to be delivered.")
SOME_WAIT: Final = gettext_noop("{number} transactions wait for it to be delivered.")
OPEN_ONE_DAY: Final = gettext_noop("It has been open for 1 business day.")
OPEN_FOR_DAYS: Final = gettext_noop("It has been open for {number} business days.")

CLOCK_TOO_LATE_SHORT: Final = gettext_noop("{clock} too late")
CLOCK_SHORT: Final = gettext_noop("{clock}: {days}")
PAST_DUE_SHORT: Final = gettext_noop("past due")
DUE_SHORT: Final = gettext_noop("due: {days}")
DISCOUNT_SHORT: Final = gettext_noop("discount: {days}")
NO_RATE_SHORT: Final = gettext_noop("no rate for {currency}")
AMOUNT_SHORT: Final = gettext_noop("amount")
WAITING_SHORT: Final = gettext_noop("{number} waiting")
OPEN_ONE_DAY_SHORT: Final = gettext_noop("open 1 day")
OPEN_FOR_DAYS_SHORT: Final = gettext_noop("open {number} days")

LAST_DAY: Final = gettext_noop("the last day")
ONE_DAY_LEFT: Final = gettext_noop("1 day left")
DAYS_LEFT: Final = gettext_noop("{number} days left")
ONE_BUSINESS_DAY_LEFT: Final = gettext_noop("1 business day left")
BUSINESS_DAYS_LEFT: Final = gettext_noop("{number} business days left")
LAST_DAY_SHORT: Final = gettext_noop("last day")
ONE_DAY: Final = gettext_noop("1 day")
DAYS: Final = gettext_noop("{number} days")
DAY: Final = gettext_noop("{number} {month} {year}")

_WHOLE: Final = (
    CLOCK_PASSED, CLOCK_RUNS, WAS_DUE, IS_DUE, DISCOUNT_ENDS, NO_RATE, AT_STAKE, AT_STAKE_BY_RATE, ONE_WAITS, SOME_WAIT,
    OPEN_ONE_DAY, OPEN_FOR_DAYS, CLOCK_TOO_LATE_SHORT, CLOCK_SHORT, PAST_DUE_SHORT, DUE_SHORT, DISCOUNT_SHORT,
    NO_RATE_SHORT, AMOUNT_SHORT, WAITING_SHORT, OPEN_ONE_DAY_SHORT, OPEN_FOR_DAYS_SHORT,
)  # fmt: skip
_WITHIN: Final[dict[str, tuple[str, ...]]] = {
    "left": (LAST_DAY, ONE_DAY_LEFT, DAYS_LEFT, ONE_BUSINESS_DAY_LEFT, BUSINESS_DAYS_LEFT),
    "days": (LAST_DAY_SHORT, ONE_DAY, DAYS),
    "day": (DAY,),
}
"""What stands in the place of a name is a sentence of these itself."""
_SHAPES: Final = {
    "clock": "|".join(sorted(map(re.escape, CLOCK_WORDS.values()))),
    "day": r"\d{1,2} [A-Z][a-z]+ \d{4}",
    "left": r"[a-z0-9 ]+",
    "days": r"[a-z0-9 ]+",
    "number": r"[\d,]+",
    "amount": r"[\d,]+\.\d+",
    "currency": "[A-Z]{3}",
    "group": "[A-Z]{3}",
    "month": "[A-Z][a-z]+",
    "year": r"\d{4}",
}
_NAME: Final = re.compile(r"\\{(\w+)\\}")
_MOST_KEPT: Final = 4096  # texts that are read once in a process: a list has few of them, over and over


def made(sentence: str, **values: object) -> Said:
    """The sentence with its data."""
    return say(sentence, **values)


@lru_cache(maxsize=_MOST_KEPT)
def read_back(text: str) -> str:
    """Of which sentence and of which data the text was made; a text that is none of ours as it is."""
    return _among(_WHOLE, text) or text


def _among(sentences: tuple[str, ...], text: str) -> Said | None:
    for sentence in sentences:
        found = _pattern(sentence).fullmatch(text)
        if found is not None:
            return made(sentence, **{name: _value(name, value) for name, value in found.groupdict().items()})
    return None


@lru_cache(maxsize=len(_WHOLE) + sum(map(len, _WITHIN.values())))
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(_NAME.sub(lambda name: f"(?P<{name[1]}>{_SHAPES[name[1]]})", re.escape(template)))


def _value(name: str, value: str) -> Any:
    if name in _WITHIN:
        return _among(_WITHIN[name], value) or value
    if name == "month":
        return Said(value)  # which every language of Django has
    return value.replace(",", "") if name == "amount" else value
