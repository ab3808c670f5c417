"""Taking in exchange rates: a whole file or nothing of it, with one event that says what came."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import connection as database
from django.db import transaction

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.scoring import reckon_again
from exceptions_app.models import ExchangeRate
from exceptions_app.models.exchange_rate import RATES_SUBJECT
from exceptions_app.rate_csv import RatesNotUnderstood, read_rates

_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Imported:
    new: int
    known: int


@transaction.atomic
def import_rates(content: bytes, *, by: AbstractUser, at: datetime, because: str) -> Imported:
    """Keep the rates of a file in the ECB's layout; those that are known already are passed over.

    A reference rate does not change once it is published. A file in which one is another than here is refused whole:
    either it is not that file, or the one before was not. Raises Invalid. Whose rates these are, the caller has asked.
    """
    try:
        read = {(rate.day, rate.currency): rate.rate for rate in read_rates(content)}
    except RatesNotUnderstood as error:
        raise Invalid("file", str(error)) from error
    with database.cursor() as cursor:  # two imports at once: the second one sees what the first one kept
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [RATES_SUBJECT])
    days = [day for day, _ in read]
    rows = ExchangeRate.objects.filter(day__range=(min(days), max(days))).values_list("day", "currency", "rate")
    known = {(day, currency): rate for day, currency, rate in rows}
    for key, rate in read.items():
        if known.get(key, rate) != rate:
            day, currency = key
            raise Invalid("file", f"{currency} on {day} is {rate} in the file and {known[key]} here. Nothing was kept.")
    new = [key for key in read if key not in known]
    if not new:
        return Imported(new=0, known=len(read))
    ExchangeRate.objects.bulk_create(
        [ExchangeRate(day=day, currency=currency, rate=read[day, currency]) for day, currency in new],
        batch_size=_AT_ONCE,
    )
    log.record(
        "exchange_rates.imported", subject=RATES_SUBJECT, scope=SCOPE, actor=by.get_username(), at=at, because=because,
        summary=f"{by} imported {len(new):,} exchange rates from {min(new)[0]} to {max(new)[0]}.",
        data={"rates": len(new), "from": min(new)[0], "to": max(new)[0], "sha256": hashlib.sha256(content).hexdigest()},
    )  # fmt: skip
    reckon_again(sorted({currency for _, currency in new}))
    return Imported(new=len(new), known=len(read) - len(new))
