"""Causes as one line each, as far as the reader sees their exceptions: how many, how much, since when, how it goes.

Every number is of the exceptions within the reader's reach, so two people may see the same cause in different states.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone

from exceptions_app.cause_states import COMPARED, PERIOD, CauseState, Course, state_of
from exceptions_app.models import Cause, CauseOwner
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.queries.keyset import Direction, InvalidCursor
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.states import State

PAGE_SIZE = 50
_CLOSED = (State.RESOLVED, State.DISMISSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseLine:
    """One cause. `closed` and `arrived` count those of the period that `course` covers.

    `joined` are the others that are one with it, of which the reader sees an exception. `listed_as` is the number by
    which the lists know it for the reader.
    """

    cause: Cause
    open: int
    money: Mapping[str, Decimal]  # of the open ones, by currency
    course: Course
    first_seen_at: datetime
    last_seen_at: datetime
    state: CauseState
    joined: Sequence[Cause]
    listed_as: int

    @property
    def arrived(self) -> int:
        return sum(self.course.arrived)

    @property
    def lately(self) -> int:
        return sum(self.course.arrived[-COMPARED:])

    @property
    def closed(self) -> int:
        return sum(self.course.closed)


@dataclass(frozen=True, slots=True)
class CausePage:
    """Some causes, with the cursors of their neighbours; and how many there are in each state, on all pages."""

    rows: Sequence[CauseLine]
    total: int
    by_state: Mapping[CauseState, int]
    next_cursor: str = ""
    previous_cursor: str = ""


# The number of the cause last, so that no two share a place.
SORTS: Mapping[str, Callable[[CauseLine], tuple[float, ...]]] = MappingProxyType(
    {
        "open": lambda line: (-line.open, -line.lately, line.cause.pk),
        "rising": lambda line: (-line.lately, -line.open, line.cause.pk),
        "latest": lambda line: (-line.last_seen_at.timestamp(), line.cause.pk),
    }
)
DEFAULT_SORT = "open"


def cause_page(
    reach: Reach,
    *,
    at: datetime,
    search: str = "",
    state: str = "",
    sort: str = DEFAULT_SORT,
    cursor: str = "",
    direction: Direction = "after",
    size: int = PAGE_SIZE,
) -> CausePage:
    """Causes with an open exception, or with one that arrived or was closed in the period. Four queries.

    Raises keyset.InvalidCursor for a place that is not in the list any more.
    """
    found = lines_of(cases_within(reach), at=at, named=_named(search))
    by_state = Counter(line.state for line in found)
    lines = sorted((line for line in found if state in ("", line.state)), key=SORTS[sort])
    first = _place(lines, cursor, direction, size)
    end = first + size
    if direction == "before" and cursor:
        end = min(end, _place(lines, cursor, "after", size) - 1) or size
    shown = lines[first:end]
    return CausePage(
        shown,
        total=len(lines),
        by_state=by_state,
        next_cursor=str(shown[-1].cause.pk) if end < len(lines) else "",
        previous_cursor=str(shown[0].cause.pk) if first and shown else "",
    )


def _named(search: str) -> Q:
    words = Q()
    for word in search.split():
        words &= (
            Q(code__icontains=word) | Q(title__icontains=word) | Q(field__icontains=word) | Q(connector__icontains=word)
        )
    return words


def _place(lines: Sequence[CauseLine], cursor: str, direction: Direction, size: int) -> int:
    if not cursor:
        return 0
    places = {str(line.cause.pk): position for position, line in enumerate(lines)}
    if cursor not in places:
        raise InvalidCursor(f"There is no cause {cursor} in this list.")
    return places[cursor] + 1 if direction == "after" else max(0, places[cursor] - size)


@dataclass(slots=True)
class _Open:
    number: int = 0
    money: dict[str, Decimal] = field(default_factory=dict)


def lines_of(
    cases: ExceptionCaseQuerySet, *, at: datetime, named: Q | None = None, only: Cause | None = None
) -> list[CauseLine]:
    """Those of the given exceptions, in no order. Four queries, whatever the number of causes and exceptions.

    Causes that are joined are one line, of the one that they are joined with. `only` asks for one such, however long
    ago it was seen; the exceptions given are of it and of those joined with it alone.
    """
    today = timezone.localtime(at).date()
    since = _midnight(today - timedelta(days=PERIOD - 1))
    standing = _open(cases)
    arrived = _per_day(cases.filter(opened_at__gte=since), "opened_at")
    # Nothing is closed later than it was changed last, and there is an index by that.
    closed = _per_day(cases.filter(state__in=_CLOSED, changed_at__gte=since, closed_at__gte=since), "closed_at")
    wanted: QuerySet[Cause]
    if only is not None:
        wanted = Cause.objects.one_with(only)
    else:
        wanted = _families(Q(pk__in={*standing, *arrived, *closed}), named)
    one: defaultdict[int, list[Cause]] = defaultdict(list)
    for cause in _with_times(wanted, cases):
        one[cause.head_number].append(cause)
    facts = _Facts(today, standing, arrived, closed)
    return [_line(family, facts) for family in one.values() if any(map(_seen, family))]


def _families(seen: Q, named: Q | None) -> QuerySet[Cause]:
    """All that are one with a cause that was asked for. What one of them is called finds all."""
    causes = Cause.objects.annotate(one=_ONE)
    found = causes.filter(one__in=causes.filter(seen).values("one"))
    return found.filter(one__in=causes.filter(named).values("one")) if named else found


_ONE = Coalesce("head_id", "pk")


def _seen(cause: Cause) -> bool:
    """Whether the reader sees one of its own exceptions."""
    return getattr(cause, "seen_first", None) is not None


@dataclass(frozen=True, slots=True)
class _Facts:
    today: date
    standing: Mapping[int, _Open]
    arrived: Mapping[int, Mapping[date, int]]
    closed: Mapping[int, Mapping[date, int]]

    def open_of(self, causes: Sequence[Cause]) -> _Open:
        total = _Open()
        for found in (self.standing[cause.pk] for cause in causes if cause.pk in self.standing):
            total.number += found.number
            for currency, amount in found.money.items():
                total.money[currency] = total.money.get(currency, Decimal()) + amount
        return total


def _on(days: Sequence[date], counted: Mapping[int, Mapping[date, int]], causes: Sequence[Cause]) -> list[int]:
    return [sum(counted.get(cause.pk, {}).get(day, 0) for cause in causes) for day in days]


def _open(cases: ExceptionCaseQuerySet) -> dict[int, _Open]:
    found: defaultdict[int, _Open] = defaultdict(_Open)
    rows = cases.open().order_by().values_list("cause_id", "currency")
    for cause, currency, number, money in rows.annotate(number=Count("*"), money=Sum("amount")):
        found[cause].number += number
        if money is not None:
            found[cause].money[currency] = money
    return found


def _per_day(cases: ExceptionCaseQuerySet, moment: str) -> defaultdict[int, dict[date, int]]:
    found: defaultdict[int, dict[date, int]] = defaultdict(dict)
    rows = cases.order_by().annotate(day=TruncDate(moment)).values_list("cause_id", "day")
    for cause, day, number in rows.annotate(number=Count("*")):
        found[cause][day] = number
    return found


def _with_times(causes: QuerySet[Cause], cases: ExceptionCaseQuerySet) -> QuerySet[Cause]:
    """With when the first and the last of its exceptions arrived."""
    times = cases.filter(cause=OuterRef("pk")).values("opened_at")
    return causes.annotate(
        seen_first=Subquery(times.order_by("opened_at")[:1]), seen_last=Subquery(times.order_by("-opened_at")[:1])
    ).order_by("pk")


def _line(family: Sequence[Cause], facts: _Facts) -> CauseLine:
    """Of the causes that are one, with at least one that the reader sees."""
    days = [facts.today - timedelta(days=back) for back in reversed(range(PERIOD))]
    course = Course(
        last_day=facts.today, arrived=_on(days, facts.arrived, family), closed=_on(days, facts.closed, family)
    )
    standing, seen = facts.open_of(family), [cause for cause in family if _seen(cause)]
    first: datetime = min(cause.seen_first for cause in seen)  # type: ignore[attr-defined]  # annotated
    last: datetime = max(cause.seen_last for cause in seen)  # type: ignore[attr-defined]
    head = next(cause for cause in family if cause.pk == cause.head_number)
    return CauseLine(
        cause=head,
        joined=[cause for cause in seen if cause is not head],
        listed_as=head.pk if _seen(head) else seen[0].pk,
        open=standing.number,
        money=dict(sorted(standing.money.items())),
        course=course,
        first_seen_at=first,
        last_seen_at=last,
        state=state_of(course, open_now=standing.number, first_seen=timezone.localtime(first).date()),
    )


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))


def owners_of(causes: Sequence[Cause]) -> dict[int, CauseOwner]:
    """Who has to mend each of them now, without those whose owner is nobody. One query.

    Of causes that are one, what was said last of any of them holds.
    """
    said = CauseOwner.objects.annotate(one=Coalesce("cause__head_id", "cause_id"))
    newest = said.filter(one__in=[cause.pk for cause in causes]).order_by("one", "-pk").distinct("one")
    return {owner.one: owner for owner in newest.select_related("person") if str(owner)}
