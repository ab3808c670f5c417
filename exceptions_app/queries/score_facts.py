"""What a score needs to know beside the exception itself: rates, and what waits for it. A few queries for many."""

from collections import Counter
from collections.abc import Collection
from datetime import date, timedelta

from exceptions_app.handover_states import TransactionState
from exceptions_app.models import ExchangeRate, Occurrence, Predecessor


def newest_rates(currencies: Collection[str], *, on: date, at_most: timedelta) -> dict[str, ExchangeRate]:
    """Currency → its newest rate up to a day, unless that is too old. One query; none without a currency."""
    if not currencies:
        return {}
    usable = ExchangeRate.objects.filter(currency__in=sorted(currencies), day__gt=on - at_most, day__lte=on)
    newest = usable.order_by("currency", "-day").distinct("currency")
    return {rate.currency: rate for rate in newest}


def waiting_for(cases: Collection[int]) -> Counter[int]:
    """Exception → how many transactions wait until it is delivered, as their senders named it. At most two queries."""
    arrivals = Occurrence.objects.filter(case__in=cases).values_list(
        "inbox_message__connection", "inbox_message__external_id", "case"
    )
    names = {(connection, external_id): case for connection, external_id, case in arrivals}
    return _named(names)


def waiting_for_message(connection: int, external_id: str, case: int) -> int:
    """The same for an exception that came in with this message and no other. One query."""
    return _named({(connection, external_id): case})[case]


def _named(names: dict[tuple[int, str], int]) -> Counter[int]:
    found: Counter[int] = Counter()
    if not names:
        return found
    waiting = Predecessor.objects.filter(
        transaction__state=TransactionState.WAITING,
        connection__in={connection for connection, _ in names},
        external_id__in={external_id for _, external_id in names},
    )
    named = waiting.values_list("connection", "external_id", "transaction").distinct()
    pairs = {(names[connection, name], follower) for connection, name, follower in named if (connection, name) in names}
    found.update(case for case, _ in pairs)
    return found
