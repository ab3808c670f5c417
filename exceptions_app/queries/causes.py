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
from django.db.models.functions import TruncDate
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
    """One cause. `closed` and `arrived` count those of the period that `course` covers."""

    cause: Cause
    open: int
    money: Mapping[str, Decimal]  # of the open ones, by currency
    course: Course
    first_seen_at: datetime
    last_seen_at: datetime
    state: CauseState

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
) -> CausePage:
    """Causes with an open exception, or with one that arrived or was closed in the period. Four queries.

    Raises keyset.InvalidCursor for a place that is not in the list any more.
    """
    found = lines_of(cases_within(reach), at=at, named=_named(search))
    by_state = Counter(line.state for line in found)
    lines = sorted((line for line in found if state in ("", line.state)), key=SORTS[sort])
    first = _place(lines, cursor, direction)
    shown = lines[first : first + PAGE_SIZE]
    return CausePage(
        shown,
        total=len(lines),
        by_state=by_state,
        next_cursor=str(shown[-1].cause.pk) if first + PAGE_SIZE < len(lines) else "",
        previous_cursor=str(shown[0].cause.pk) if first and shown else "",
    )


def _named(search: str) -> Q:
    words = Q()
    for word in search.split():
        words &= (
            Q(code__icontains=word) | Q(title__icontains=word) | Q(field__icontains=word) | Q(connector__icontains=word)
        )
    return words


def _place(lines: Sequence[CauseLine], cursor: str, direction: Direction) -> int:
    if not cursor:
        return 0
    places = {str(line.cause.pk): position for position, line in enumerate(lines)}
    if cursor not in places:
        raise InvalidCursor(f"There is no cause {cursor} in this list.")
    return places[cursor] + 1 if direction == "after" else max(0, places[cursor] - PAGE_SIZE)


@dataclass(slots=True)
class _Open:
    number: int = 0
    money: dict[str, Decimal] = field(default_factory=dict)


def lines_of(
    cases: ExceptionCaseQuerySet, *, at: datetime, named: Q | None = None, only: Cause | None = None
) -> list[CauseLine]:
    """Those of the given exceptions, in no order. Four queries, whatever the number of causes and exceptions.

    `only` asks for one cause, however long ago it was seen; the exceptions given are of it alone.
    """
    today = timezone.localtime(at).date()
    since = _midnight(today - timedelta(days=PERIOD - 1))
    standing = _open(cases)
    arrived = _per_day(cases.filter(opened_at__gte=since), "opened_at")
    # Nothing is closed later than it was changed last, and there is an index by that.
    closed = _per_day(cases.filter(state__in=_CLOSED, changed_at__gte=since, closed_at__gte=since), "closed_at")
    wanted = Q(pk=only.pk) if only is not None else Q(pk__in={*standing, *arrived, *closed})
    return [
        _line(cause, standing.get(cause.pk, _Open()), arrived[cause.pk], closed[cause.pk], today=today)
        for cause in _with_times(Cause.objects.filter(wanted & (named or Q())), cases)
    ]


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
    ).filter(seen_first__isnull=False)


def _line(
    cause: Cause, standing: _Open, arrived: Mapping[date, int], closed: Mapping[date, int], *, today: date
) -> CauseLine:
    days = [today - timedelta(days=back) for back in reversed(range(PERIOD))]
    course = Course(
        last_day=today, arrived=[arrived.get(day, 0) for day in days], closed=[closed.get(day, 0) for day in days]
    )
    first: datetime = cause.seen_first  # type: ignore[attr-defined]  # annotated
    last: datetime = cause.seen_last  # type: ignore[attr-defined]
    return CauseLine(
        cause=cause,
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
    """Who has to mend each of them now, without those whose owner is nobody. One query."""
    newest = CauseOwner.objects.filter(cause__in=causes).order_by("cause", "-pk").distinct("cause")
    return {owner.cause_id: owner for owner in newest.select_related("person") if str(owner)}
