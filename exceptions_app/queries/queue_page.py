"""The lists of exceptions: one page of rows with what each row shows, and what surrounds it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from django.contrib.auth.models import AbstractUser
from django.db.models import DecimalField, F, Func, IntegerField, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce

from exceptions_app import policies
from exceptions_app.models import ExceptionCase, Occurrence
from exceptions_app.models.case import AMOUNT_OR_SMALLEST, DUE_OR_NEVER, ExceptionCaseQuerySet
from exceptions_app.queries import keyset
from exceptions_app.queries.keyset import Direction, Key, Page, Sort
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.states import Action, State, Verb

PAGE_SIZE = 50
NEXT_TO_CLAIM = 10

_LARGEST = Decimal(10**18)
_LAST = Key("id", "integer")

SORTS = MappingProxyType(
    {
        sort.name: sort
        for sort in (
            Sort("urgency", (Key("priority", "integer"), Key("due", "time"), _LAST)),
            Sort("score", (Key("score", "integer", descending=True), _LAST)),
            Sort("due", (Key("due", "time"), _LAST)),
            Sort("oldest", (Key("opened_at", "time"), _LAST)),
            Sort("newest", (Key("opened_at", "time", descending=True), Key("id", "integer", descending=True))),
            Sort("largest", (Key("amount_or_smallest", "decimal", descending=True), _LAST)),
            Sort("smallest", (Key("amount_or_largest", "decimal"), _LAST)),
        )
    }
)
DEFAULT_SORT = SORTS["urgency"]


@dataclass(frozen=True, slots=True)
class Row:
    """One exception in a list. `more_errors` are those beside the one that its cause names."""

    case: ExceptionCase
    more_errors: int
    may_claim: bool

    @property
    def due_at(self) -> datetime | None:
        """Nothing is due of what is closed."""
        return self.case.due_at if self.case.is_open else None


def sortable(cases: ExceptionCaseQuerySet) -> ExceptionCaseQuerySet:
    return cases.annotate(
        due=DUE_OR_NEVER,
        amount_or_smallest=AMOUNT_OR_SMALLEST,
        amount_or_largest=Coalesce(F("amount"), Value(_LARGEST), output_field=DecimalField()),
    )


def queue_page(
    cases: ExceptionCaseQuerySet, *, sort: Sort = DEFAULT_SORT, cursor: str = "", direction: Direction = "after"
) -> Page[ExceptionCase]:
    """One page of the given exceptions; the caller has limited them to those visible. Raises InvalidCursor."""
    return keyset.page(_with_row_facts(sortable(cases)), sort, size=PAGE_SIZE, cursor=cursor, direction=direction)


def next_to_claim(reach: Reach) -> list[ExceptionCase]:
    """The most urgent exceptions that nobody has and that the person may work on."""
    workable = cases_within(reach, Verb.CORRECT) & cases_within(reach)
    free = sortable(workable.filter(_FREE))
    return list(_with_row_facts(free).order_by(*DEFAULT_SORT.order())[:NEXT_TO_CLAIM])


_FREE = Q(assignee__isnull=True, snoozed_by__isnull=True, state__in=[State.NEW, State.IN_PROGRESS])


def _with_row_facts(cases: ExceptionCaseQuerySet) -> ExceptionCaseQuerySet:
    latest = Occurrence.objects.filter(case=OuterRef("pk")).order_by("-id")
    errors = latest.values(length=Func("errors", function="jsonb_array_length", output_field=IntegerField()))[:1]
    return cases.select_related("queue", "entity", "cause", "assignee", "snoozed_by").annotate(
        errors_count=Subquery(errors)
    )


def rows_of(cases: Sequence[ExceptionCase], user: AbstractUser, reach: Reach) -> list[Row]:
    """What a list shows of each exception, and whether the person may claim it: decided by the policy, no query."""
    return [
        Row(
            case=case,
            more_errors=max(0, (getattr(case, "errors_count", None) or 1) - 1),
            may_claim=policies.may(Action.CLAIM, case, policies.Standing(user, reach.verbs_of(case))).allowed,
        )
        for case in cases
    ]
