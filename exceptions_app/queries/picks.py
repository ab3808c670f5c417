"""What a person has ticked in the lists, counted and added up."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Q, Sum

from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.states import Verb


@dataclass(frozen=True, slots=True)
class Picked:
    """How many exceptions, their money per currency, and which of those that a page shows."""

    count: int = 0
    money: dict[str, Decimal] = field(default_factory=dict)
    here: frozenset[int] = frozenset()


def picked_cases(user: AbstractUser, reach: Reach) -> ExceptionCaseQuerySet:
    """Those that the person has ticked and may still see."""
    found: ExceptionCaseQuerySet = cases_within(reach).filter(picks__person=user.pk)
    return found


def picked(user: AbstractUser, reach: Reach, *, shown: Collection[int] = ()) -> Picked:
    """One query, however many there are."""
    rows = (
        picked_cases(user, reach)
        .order_by()
        .values("currency")
        .annotate(
            number=Count("pk"), sum=Sum("amount"), here=ArrayAgg("pk", filter=Q(pk__in=[0, *shown]), default=None)
        )
    )
    found = list(rows)
    money = {row["currency"]: row["sum"] for row in found if row["sum"] is not None}
    here = frozenset(number for row in found for number in row["here"] or ())
    return Picked(sum(row["number"] for row in found), dict(sorted(money.items())), here)


def may_act_on_many(reach: Reach) -> bool:
    """Whether there is anything that the person could do with several exceptions at once."""
    return any(reach.has(verb) for verb in (Verb.CORRECT, Verb.PROPOSE, Verb.COMMENT))


def places_of(cases: ExceptionCaseQuerySet) -> tuple[Sequence[int], Sequence[int]]:
    """The queues and the legal entities of some exceptions. One query."""
    places = set(cases.order_by().values_list("queue_id", "entity_id").distinct())
    return sorted({queue for queue, _ in places}), sorted({entity for _, entity in places})
