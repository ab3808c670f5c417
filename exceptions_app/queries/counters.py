"""Counts that stay cheap: none looks at more rows than it would show."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import Exists, IntegerField, OuterRef, Q, QuerySet, Subquery

from exceptions_app.batch_states import LIVE
from exceptions_app.mapping_states import MappingState
from exceptions_app.models import ExceptionCase, Proposal, Queue, Route
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.queries.batch_standing import waiting_for_batch_decision_of
from exceptions_app.queries.composed import composed_once
from exceptions_app.queries.mapping_standing import waiting_for_mapping_decision_of
from exceptions_app.queries.notifications import unread_of
from exceptions_app.queries.pull_sources import gaps_to_do
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.states import DECIDED_IN, OPEN_STATES, State, Verb
from integrations.models import Connection, ConnectionGroupGrant, ConnectionUserGrant, FolderProblem, InboxMessage

CAP = 1_000
MOST_SUMMED = 10_000  # rows whose money is added up for a page


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows; of more than CAP, only that there are more."""

    value: int

    @property
    def is_capped(self) -> bool:
        return self.value > CAP

    def __str__(self) -> str:
        return f"{CAP:,}+" if self.is_capped else f"{self.value:,}"

    def __bool__(self) -> bool:
        return self.value > 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.value + other.value)


class _CappedCount(Subquery):
    template = "(SELECT COUNT(*) FROM (%(subquery)s) capped)"
    output_field = IntegerField()
    empty_result_set_value = 0  # of a list of places that is empty, the database is not even asked


def _capped(rows: QuerySet[Any]) -> _CappedCount:
    return _CappedCount(rows.order_by().values("pk")[: CAP + 1])


def count_each(user: AbstractUser, rows: Mapping[str, QuerySet[Any]]) -> dict[str, Count]:
    """Several counts in one query. It starts from the person: someone who is gone counts nothing."""
    if not rows:
        return {}
    subqueries = [_capped(counted) for counted in rows.values()]
    found = get_user_model()._default_manager.filter(pk=user.pk).values_list(*subqueries).first()
    values = found or [0] * len(rows)
    return {name: Count(value) for name, value in zip(rows, values, strict=True)}


@dataclass(frozen=True, slots=True)
class NavigationCounts:
    mine: Count
    open: Count
    to_decide: Count
    unknown: Count
    intake_failures: Count
    notifications: Count


def navigation_counts(user: AbstractUser, reach: Reach) -> NavigationCounts:
    """What stands beside the entries of the navigation, in one query."""
    counts = {name: Count(value) for name, value in composed_once(user, reach, waiting_around, _capped).items()}
    return NavigationCounts(
        mine=counts["mine"],
        open=counts["open"],
        to_decide=counts["to_decide"] + counts["batches"] + counts["mappings"],
        unknown=counts["unknown"],
        intake_failures=counts["messages"] + counts["files"] + counts["gaps"],
        notifications=counts["notifications"],
    )


def waiting_around(user: AbstractUser, reach: Reach) -> dict[str, QuerySet[Any]]:
    """The rows that the navigation counts."""
    visible = cases_within(reach).open().awake()
    return {
        "mine": visible.filter(assignee=user.pk),
        "open": visible,
        "to_decide": waiting_for_decision_of(user, reach),
        "unknown": visible.filter(state=State.OUTCOME_UNKNOWN),
        "batches": waiting_for_batch_decision_of(user, reach),
        "mappings": waiting_for_mapping_decision_of(user, reach),
        "messages": intake_failures_for(user, reach),
        "files": files_in_quarantine_for(user, reach),
        "gaps": gaps_to_do(_cared_for(user, reach)),
        "notifications": unread_of(user, reach),
    }


def waiting_for_decision_of(user: AbstractUser, reach: Reach) -> QuerySet[Proposal]:
    """Open proposals that the person could decide on: granted, and without a hand in them.

    Those that are decided on with others are not among them.
    """
    deciding = cases_within(reach, Verb.APPROVE)
    opened = Proposal.objects.filter(state=Proposal.State.OPEN, case__state__in=sorted(DECIDED_IN), case__in=deciding)
    return (
        by_themselves(opened)
        .exclude(proposer=user.pk)
        .exclude(contributors__person=user.pk)
        .exclude(first_approval__decider=user.pk)
    )


def by_themselves(proposals: QuerySet[Proposal]) -> QuerySet[Proposal]:
    """Without those in a batch that is not over, or prepared for a mapping that will be decided on with them."""
    return proposals.exclude(batch_item__batch__state__in=sorted(LIVE)).exclude(
        mend_outcome__item__proposal__state=MappingState.PREPARING
    )


def intake_failures_for(user: AbstractUser, reach: Reach) -> QuerySet[InboxMessage]:
    """Messages that could not be read, of connections that the person cares for; a part of another query."""
    return InboxMessage.objects.filter(connection__in=_cared_for(user, reach), status=InboxMessage.Status.FAILED)


def files_in_quarantine_for(user: AbstractUser, reach: Reach) -> QuerySet[FolderProblem]:
    """Files that could not be taken in and were not set aside, of connections that the person cares for."""
    return FolderProblem.objects.filter(connection__in=_cared_for(user, reach), set_aside_at__isnull=True)


def _cared_for(user: AbstractUser, reach: Reach) -> QuerySet[Connection]:
    """As `ConnectionReach.cared_for`: they lead to where the person may correct, or are granted to them themselves."""
    worked = Route.objects.filter(
        Q(connection=OuterRef("pk")) | Q(connection__isnull=True),
        queue__in=reach.queues(Verb.CORRECT),
        entity__in=reach.entities(Verb.CORRECT),
    )
    direct = ConnectionUserGrant.objects.filter(user=user).values("content_object")
    by_group = ConnectionGroupGrant.objects.filter(group__user=user).values("content_object")
    return Connection.objects.filter(Exists(worked) | Q(pk__in=direct) | Q(pk__in=by_group))


def open_by_queue(user: AbstractUser, reach: Reach) -> list[tuple[Queue, Count]]:
    """The queues that the person sees, by name, each with its open exceptions. Two queries."""
    queues = list(Queue.objects.filter(pk__in=reach.queues(Verb.SEE)).order_by("name"))
    counts = count_each(user, {queue.slug: cases_within(reach).open().awake().filter(queue=queue) for queue in queues})
    return [(queue, counts[queue.slug]) for queue in queues]


@dataclass(frozen=True, slots=True)
class StateCounts:
    """Of some open exceptions: how many in each state, how many at all, how many over their due time, how many snoozed.

    Those that are snoozed are counted there and nowhere else, unless the list shows them among the others.
    """

    by_state: dict[State, Count]
    open: Count
    overdue: Count
    snoozed: Count


def open_by_state(
    user: AbstractUser, cases: ExceptionCaseQuerySet, *, at: datetime, with_snoozed: bool = False
) -> StateCounts:
    """One query for all of them."""
    states = [state for state in State if state in OPEN_STATES]
    counted = cases if with_snoozed else cases.awake()
    wanted: dict[str, QuerySet[Any]] = {state.value: counted.filter(state=state) for state in states}
    wanted |= {"all": counted, "overdue": counted.filter(due_at__lt=at), "snoozed": cases.snoozed()}
    counts = count_each(user, wanted)
    by_state = {state: counts[state.value] for state in states}
    return StateCounts(by_state, counts["all"], counts["overdue"], counts["snoozed"])


@dataclass(frozen=True, slots=True)
class Totals:
    """How many exceptions, and their money per currency. `money` is None where there are too many to add up."""

    count: Count
    money: dict[str, Decimal] | None


def totals_of(cases: QuerySet[ExceptionCase]) -> Totals:
    """One query for at most MOST_SUMMED rows; sums of different currencies are never added."""
    rows = list(cases.order_by().values_list("currency", "amount")[: MOST_SUMMED + 1])
    if len(rows) > MOST_SUMMED:
        return Totals(Count(len(rows)), None)
    money: defaultdict[str, Decimal] = defaultdict(Decimal)
    for currency, amount in rows:
        if amount is not None:
            money[currency] += amount
    return Totals(Count(len(rows)), dict(sorted(money.items())))
