"""Exchange rates as pages and the API list them: those in force, or all that ever came, the newest day first."""

from datetime import date, timedelta
from typing import Final

from django.db.models import QuerySet

from exceptions_app.models import ExchangeRate
from exceptions_app.queries import keyset
from exceptions_app.queries.keyset import Direction, Key, Page, Sort

PAGE_SIZE: Final = 50
NEWEST: Final = Sort("newest", (Key("day", "day", descending=True), Key("currency", "word")))


def all_rates(currency: str = "") -> QuerySet[ExchangeRate]:
    found = ExchangeRate.objects.all()
    return found.filter(currency=currency) if currency else found


def rates_in_force(currency: str = "", *, on: date, at_most: timedelta) -> QuerySet[ExchangeRate]:
    """Of each currency the newest up to a day, unless that is too old: what money is reckoned by on that day."""
    usable = all_rates(currency).filter(day__gt=on - at_most, day__lte=on)
    newest = usable.order_by("currency", "-day").distinct("currency")
    return ExchangeRate.objects.filter(pk__in=newest.values("pk"))


def rate_page(rates: QuerySet[ExchangeRate], *, cursor: str = "", direction: Direction = "after") -> Page[ExchangeRate]:
    """Raises keyset.InvalidCursor."""
    return keyset.page(rates, NEWEST, size=PAGE_SIZE, cursor=cursor, direction=direction)
