"""Which causes somebody said to be one, and what moves when that changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Exists, OuterRef, Q, Sum

from exceptions_app.models import Cause, CauseJoin
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.states import OPEN_STATES

MOST_OFFERED = 50
_OPEN = Q(state__in=sorted(OPEN_STATES))


def said() -> dict[int, int]:
    """Of each cause that is joined, with which one: what was said of it last. One query."""
    newest = CauseJoin.objects.order_by("cause", "-pk").distinct("cause").values_list("cause", "into")
    return {cause: into for cause, into in newest if into is not None}


def heads_of(joined: Mapping[int, int]) -> dict[int, int]:
    """The end of the way from each of them."""
    heads: dict[int, int] = {}
    for cause in joined:
        head = joined[cause]
        while head in joined:
            head = joined[head]
        heads[cause] = head
    return heads


def going_with(cause: Cause) -> list[int]:
    """It and all that were joined with it, and with those, and so on. One query."""
    joined = said()
    found = [cause.pk]
    for one in found:  # which grows meanwhile
        found += [member for member, into in joined.items() if into == one]
    return found


@dataclass(frozen=True, slots=True)
class Moving:
    """Exceptions that would fall under another cause, as far as the reader sees them. The money is of the open ones."""

    number: int
    open: int
    money: Mapping[str, Decimal]


def moving(cases: ExceptionCaseQuerySet) -> Moving:
    """One query."""
    rows = list(
        cases.order_by()
        .values("currency")
        .annotate(number=Count("pk"), open=Count("pk", filter=_OPEN), sum=Sum("amount", filter=_OPEN))
    )
    money = {row["currency"]: row["sum"] for row in rows if row["sum"] is not None}
    return Moving(sum(row["number"] for row in rows), sum(row["open"] for row in rows), dict(sorted(money.items())))


def others_like(cause: Cause, reach: Reach) -> Sequence[Cause]:
    """Causes of its kind of connection with an open exception that the reader sees. One query."""
    seen = cases_within(reach).open().filter(cause=OuterRef("pk"))
    family = Cause.objects.one_with(cause).values("pk")
    return list(
        Cause.objects.filter(Exists(seen), connector=cause.connector)
        .exclude(pk__in=family)
        .order_by("code", "pk")[:MOST_OFFERED]
    )
