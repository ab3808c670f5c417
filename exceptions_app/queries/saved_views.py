"""Which saved views a person has before them, and how many exceptions each shows now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import django_filters
from django.contrib.auth.models import AbstractUser
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.http import QueryDict

from exceptions_app.filters import AWAKE, OPEN, CaseFilter, known_by
from exceptions_app.models import Cause, PinnedView, SavedView
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.queries.counters import Count, count_each
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.states import Verb

MOST_LISTED = 200
MOST_COUNTED = 50  # views of one list; those after them are shown without a number


def views_for(user: AbstractUser, reach: Reach) -> QuerySet[SavedView]:
    """Their own, those for a queue that they see, and those for everyone."""
    sharing = SavedView.Sharing
    return SavedView.objects.filter(
        Q(owner=user.pk) | Q(sharing=sharing.QUEUE, queue__in=reach.queues(Verb.SEE)) | Q(sharing=sharing.EVERYONE)
    ).select_related("owner", "queue")


def listed_views(user: AbstractUser, reach: Reach) -> list[SavedView]:
    """Those of the page of views: their own first, then by name. One query."""
    own_first = Case(When(owner=user.pk, then=Value(0)), default=Value(1))
    return list(views_for(user, reach).order_by(own_first, "name", "pk")[:MOST_LISTED])


def pins_within(user: AbstractUser, reach: Reach) -> QuerySet[PinnedView]:
    """What the person pinned and may still see. The pin of one that is shared no longer counts nowhere."""
    return PinnedView.objects.filter(person=user.pk, view__in=views_for(user, reach).values("pk"))


def pins_of(user: AbstractUser, reach: Reach) -> dict[int, int]:
    """View → position, of what the person pinned and may still see. One query."""
    return dict(pins_within(user, reach).values_list("view", "position"))


def pinned_views(user: AbstractUser, reach: Reach) -> list[SavedView]:
    """What the person pinned and may still see, in their order. One query."""
    return list(
        views_for(user, reach)
        .filter(pins__person=user.pk)
        .annotate(position=F("pins__position"))
        .order_by("position", "pk")
    )


@dataclass(frozen=True, slots=True)
class _Asking:
    """What a filter set wants to know of a request."""

    user: AbstractUser


class _CountedFilter(CaseFilter):
    """The same filters, asked without looking up whether what they name is there: many are counted in one query."""

    default_state = OPEN
    default_snoozed = AWAKE

    queue = django_filters.CharFilter(field_name="queue__slug")
    entity = django_filters.CharFilter(field_name="entity__code")
    cause = django_filters.NumberFilter(
        method="filter_number_of_cause", min_value=0, max_value=2**63 - 1, decimal_places=0
    )
    connection = django_filters.CharFilter(field_name="connection__slug")
    assignee = django_filters.CharFilter(method="filter_assignee")

    def offer(self, reach: Reach) -> None:
        """Nothing is chosen from a list here."""

    def filter_number_of_cause(self, cases: ExceptionCaseQuerySet, _name: str, value: Decimal) -> ExceptionCaseQuerySet:
        """As the lists: with all that are one with it."""
        return cases.filter(cause__in=Cause.objects.one_with_number(int(value)).values("pk"))

    def known_by(self, text: str, **labels: Any) -> Any:
        return known_by(text, **labels)


def counts_of(views: Iterable[SavedView], user: AbstractUser, reach: Reach) -> dict[int, Count]:
    """How many exceptions each view shows the person, capped as every count. One query; none without views.

    A filter that names what the person may not see, such as another's queue, counts nothing.
    """
    rows = {str(view.pk): _cases_of(view, user, reach) for view in views}
    return {int(number): count for number, count in count_each(user, rows).items()}


def _cases_of(view: SavedView, user: AbstractUser, reach: Reach) -> QuerySet[Any]:
    found: QuerySet[Any] = _CountedFilter(
        QueryDict(view.query), cases_within(reach), request=_Asking(user), reach=reach
    ).qs
    return found


@dataclass(frozen=True, slots=True)
class PinnedCount:
    view: SavedView
    count: Count


def pinned_counts(user: AbstractUser, reach: Reach) -> Sequence[PinnedCount]:
    """The pinned views with their counts: one query without any, two with them."""
    views = pinned_views(user, reach)
    counts = counts_of(views, user, reach)
    return [PinnedCount(view, counts[view.pk]) for view in views]


def queues_to_share_with(reach: Reach) -> list[int]:
    """Queues for which the person may share a view: those in which they work or decide."""
    return sorted({*reach.queues(Verb.CORRECT), *reach.queues(Verb.APPROVE)} & {*reach.queues(Verb.SEE)})


def may_share_with_everyone(reach: Reach) -> bool:
    """Whoever decides anywhere, as controllers do."""
    return reach.has(Verb.APPROVE)
