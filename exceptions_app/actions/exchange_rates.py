"""Taking in exchange rates: a whole file or nothing of it, with one event that says what came."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import PurePath

from django.contrib.auth.models import AbstractUser
from django.db import connection as database
from django.db import transaction

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.scoring import reckon_again
from exceptions_app.models import ExchangeRate
from exceptions_app.models.exchange_rate import LONGEST_NAME, RATES_SUBJECT
from exceptions_app.policies import NotPermitted
from exceptions_app.rate_csv import RatesNotUnderstood, read_rates
from exceptions_app.wording import say

NOT_PERMITTED = say("You may not import exchange rates. An administrator may.")
STRIKING = 10
"""Per cent from which on a change is pointed out: a wrong file looks so, and a crash does too."""
_AT_ONCE = 5_000
_Key = tuple[date, str]


@dataclass(frozen=True, slots=True)
class Imported:
    new: int
    known: int


@dataclass(frozen=True, slots=True)
class CurrencyChange:
    """What a file brings for one currency: how many rates, and its newest beside the newest before that day here."""

    currency: str
    new: int
    day: date
    rate: Decimal
    before: ExchangeRate | None

    @property
    def percent(self) -> Decimal | None:
        """By how much the newest of the file differs from the one before it."""
        return None if self.before is None else (self.rate / self.before.rate - 1) * 100

    @property
    def is_striking(self) -> bool:
        return self.percent is not None and abs(self.percent) >= STRIKING


@dataclass(frozen=True, slots=True)
class Preview:
    new: int
    known: int
    first: date
    last: date
    changes: Sequence[CurrencyChange]
    """Of the currencies of which something is new."""


def may_import_rates(user: AbstractUser) -> bool:
    return bool(user.is_active and user.is_staff)


def preview_of_rates(content: bytes) -> Preview:
    """What an import of the file would change now. Raises Invalid as `import_rates` does. Two queries."""
    read, new = _compared(content)
    days = [day for day, _ in read]
    last: dict[str, date] = {}
    counts: dict[str, int] = {}
    for day, currency in new:
        last[currency] = max(day, last.get(currency, day))
        counts[currency] = counts.get(currency, 0) + 1
    before = _before(last)
    changes = [
        CurrencyChange(currency, counts[currency], day, read[day, currency], before.get(currency))
        for currency, day in sorted(last.items())
    ]
    return Preview(len(new), len(read) - len(new), min(days), max(days), changes)


@transaction.atomic
def import_rates(content: bytes, *, by: AbstractUser, at: datetime, because: str, source: str = "") -> Imported:
    """Keep the rates of a file in the ECB's layout; those that are known already are passed over.

    A reference rate does not change once it is published. A file in which one is another than here is refused whole:
    either it is not that file, or the one before was not. Raises NotPermitted, Invalid. `source`: name of the file.
    """
    if not may_import_rates(by):
        raise NotPermitted(NOT_PERMITTED)
    with database.cursor() as cursor:  # two imports at once: the second one sees what the first one kept
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [RATES_SUBJECT])
    read, new = _compared(content)
    if not new:
        return Imported(new=0, known=len(read))
    name = _plain(source)
    ExchangeRate.objects.bulk_create(
        [ExchangeRate(day=day, currency=currency, rate=read[day, currency], source=name) for day, currency in new],
        batch_size=_AT_ONCE,
    )
    days, came = (min(new)[0], max(new)[0]), f" in {name}" if name else ""
    log.record(
        "exchange_rates.imported", subject=RATES_SUBJECT, scope=SCOPE, actor=by.get_username(), at=at, because=because,
        summary=f"{by} imported {len(new):,} exchange rates from {days[0]} to {days[1]}{came}.",
        data={
            "rates": len(new), "from": days[0], "to": days[1], "source": name,
            "sha256": hashlib.sha256(content).hexdigest(),
        },
    )  # fmt: skip
    reckon_again(sorted({currency for _, currency in new}))
    return Imported(new=len(new), known=len(read) - len(new))


def _compared(content: bytes) -> tuple[Mapping[_Key, Decimal], Sequence[_Key]]:
    """All rates of the file, and which of them are new here. One query."""
    try:
        found = read_rates(content)
    except RatesNotUnderstood as error:
        raise Invalid("file", error.problem) from error
    read: dict[_Key, Decimal] = {}
    for rate in found:
        if read.setdefault((rate.day, rate.currency), rate.rate) != rate.rate:
            raise Invalid(
                "file",
                say("{currency} on {day} stands there twice, with two rates.", currency=rate.currency, day=rate.day),
            )
    days = [day for day, _ in read]
    rows = ExchangeRate.objects.filter(day__range=(min(days), max(days))).values_list("day", "currency", "rate")
    known = {(day, currency): rate for day, currency, rate in rows}
    for key, number in read.items():
        if known.get(key, number) != number:
            day, currency = key
            told = say(
                "{currency} on {day} is {rate} in the file and {key} here. Nothing was kept.",
                currency=currency, day=day, rate=number, key=known[key],
            )  # fmt: skip
            raise Invalid("file", told)
    return read, [key for key in read if key not in known]


def _before(days: Mapping[str, date]) -> dict[str, ExchangeRate]:
    """Currency → the newest rate here before the day. One query."""
    if not days:
        return {}
    found = ExchangeRate.objects.filter(currency__in=sorted(days), day__lt=max(days.values()))
    newest = found.order_by("currency", "-day").distinct("currency")
    return {rate.currency: rate for rate in newest if rate.day < days[rate.currency]}


def _plain(source: str) -> str:
    """The last part of a path, without what is no character of a name."""
    return "".join(filter(str.isprintable, PurePath(source).name))[:LONGEST_NAME]
