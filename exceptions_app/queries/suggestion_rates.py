"""How often people took the values that were suggested to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q

from exceptions_app.models import Suggestion
from exceptions_app.queries.reach import Reach
from exceptions_app.states import Verb

MOST_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One field of one kind of document on one connection."""

    connection: str
    connection_slug: str
    object_type: str
    label: str
    accepted: int
    declined: int
    last_at: datetime

    @property
    def count(self) -> int:
        return self.accepted + self.declined

    @property
    def percent(self) -> int:
        return round(100 * self.accepted / self.count)


def rates_of(reach: Reach) -> Sequence[Rate]:
    """Those decided on most first. One query."""
    decided = Suggestion.objects.filter(
        case__queue_id__in=reach.queues(Verb.SEE), case__entity_id__in=reach.entities(Verb.SEE)
    )
    rows = (
        decided.values_list("case__connection__name", "case__connection__slug", "case__object_type", "label")
        .annotate(
            taken=Count("pk", filter=Q(accepted=True)),
            declined=Count("pk", filter=Q(accepted=False)),
            last_at=Max("recorded_at"),
        )
        .order_by("-last_at")[:MOST_SHOWN]
    )
    rates = [
        Rate(
            connection=connection,
            connection_slug=slug,
            object_type=object_type,
            label=label,
            accepted=taken,
            declined=declined,
            last_at=last_at,
        )
        for connection, slug, object_type, label, taken, declined, last_at in rows
    ]
    return sorted(rates, key=lambda rate: (-rate.count, rate.connection, rate.label))
