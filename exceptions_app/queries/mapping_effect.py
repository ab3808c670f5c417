"""What rows of a value mapping would do: which open exceptions they mend, and what they had done to closed ones."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol

from django.contrib.auth.models import AbstractUser
from django.utils.timezone import now

from exceptions_app import policies
from exceptions_app.mapping_states import MOST_MENDS
from exceptions_app.models import ExceptionCase, Occurrence, PayloadVersion, UnmappedValue
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.releases import NotReleased, Releases, fields_at, releases_of
from exceptions_app.states import CLOSED_WITHOUT_SENDING, Action, Kind, Outcome, State, Verb
from integrations.connectors.base import CorrectionError, Operation
from integrations.connectors.registry import get_connector
from integrations.models import Connection
from integrations.refusals import MessageNotUnderstood

MOST_BACKTESTED = 500
MOST_JUDGED = 100
"""Exceptions that a page looks through; of the others it says that they are looked at when their turn comes."""
_RELATED = ("queue", "entity", "connection", "assignee", "cause")
_ENDED_OTHERWISE = frozenset({*CLOSED_WITHOUT_SENDING, Outcome.DECLINED, Outcome.REVERSED})


class Holding(Protocol):
    """A row as proposed, or an entry as it holds."""

    @property
    def source_value(self) -> str: ...

    @property
    def target_value(self) -> str: ...

    def holds_on(self, day: date) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of one kind for one target and legal entity (None for all)."""

    kind: str
    connection: Connection
    entity_id: int | None
    rows: Sequence[Holding]

    def target_of(self, found: UnmappedValue, case: ExceptionCase) -> str | None:
        """What the value becomes on the day of the document; None when no row answers for it."""
        day = found.on or case.document_date or case.opened_at.date()
        answers = (row for row in self._of_source.get(found.value, ()) if row.holds_on(day))
        return next((row.target_value for row in answers), None) if found.kind == self.kind else None

    @cached_property
    def _of_source(self) -> Mapping[str, Sequence[Holding]]:
        found: defaultdict[str, list[Holding]] = defaultdict(list)
        for row in self.rows:
            found[row.source_value].append(row)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """An open exception with such a value. `refusal` says why it cannot go with the mapping; empty when it can."""

    case: ExceptionCase
    latest: PayloadVersion
    operations: Sequence[Operation] = ()
    refusal: str = ""

    @property
    def version(self) -> int:
        return self.latest.number


def mendable(rows: Rows, reach: Reach) -> ExceptionCaseQuerySet:
    """Every open exception that the person may see and that has one of the values, in the order in which they came."""
    return _cases(rows, cases_within(reach).open()).order_by("pk")


def mends_of(
    rows: Rows, *, by: AbstractUser, reach: Reach, among: Iterable[int] | None = None, most: int = MOST_JUDGED
) -> list[Mend]:
    """What the rows would do to the first of those that are `mendable`, or to `among` these.

    Six queries; each that can go is corrected and checked in memory.
    """
    found = mendable(rows, reach).select_related(*_RELATED)
    cases = list(found[:most] if among is None else found.filter(pk__in=list(among)))
    released = releases_of(None, at=now())
    mends = (_mend(rows, case, known, by=by, reach=reach, released=released) for case, known in _known(cases))
    return [mend for mend in mends if mend is not None]


@dataclass(frozen=True, slots=True)
class Unjudged:
    """An open exception with such a value that was not looked at yet."""

    number: int
    revision: int
    amount: Decimal | None
    currency: str


def unjudged(rows: Rows, reach: Reach, *, after: int) -> list[Unjudged]:
    """Those that are `mendable` beyond the first so many; at most one more than go with one proposal. One query."""
    found = mendable(rows, reach).values_list("pk", "revision", "amount", "currency")
    return [Unjudged(*values) for values in found[after : MOST_MENDS + 1]]


def _cases(rows: Rows, cases: ExceptionCaseQuerySet) -> ExceptionCaseQuerySet:
    values = {row.source_value for row in rows.rows}
    found = UnmappedValue.objects.filter(kind=rows.kind, value__in=values, case__connection=rows.connection)
    wanted: ExceptionCaseQuerySet = cases.filter(pk__in=found.values("case"))
    return wanted if rows.entity_id is None else wanted.filter(entity=rows.entity_id)


@dataclass(slots=True)
class _Known:
    """What is known of one exception."""

    latest: PayloadVersion
    unmapped: list[UnmappedValue] = field(default_factory=list)
    errors: Sequence[Mapping[str, Any]] = ()
    by_hand: set[str] = field(default_factory=set)


def _known(cases: Sequence[ExceptionCase]) -> Iterable[tuple[ExceptionCase, _Known]]:
    """Four queries."""
    latest = PayloadVersion.objects.filter(case__in=cases).order_by("case", "-number").distinct("case")
    known = {version.case_id: _Known(version) for version in latest.defer("operations")}
    for found in UnmappedValue.objects.filter(case__in=cases).order_by("pk"):
        known[found.case_id].unmapped.append(found)
    for arrival in Occurrence.objects.filter(case__in=cases).order_by("case", "-pk").distinct("case"):
        known[arrival.case_id].errors = arrival.errors
    corrected = PayloadVersion.objects.filter(case__in=cases, number__gt=1).values_list("case", "changes")
    for case, changes in corrected:
        known[case].by_hand |= {str(change["path"]) for change in changes}
    return [(case, known[case.pk]) for case in cases]


def _mend(
    rows: Rows, case: ExceptionCase, known: _Known, *, by: AbstractUser, reach: Reach, released: Releases
) -> Mend | None:
    targets = {found: rows.target_of(found, case) for found in known.unmapped}
    answered = {found: target for found, target in targets.items() if target is not None}
    if not answered:
        return None
    latest = known.latest
    refusal = _refusal(case, known, answered, standing=policies.Standing(by, reach.verbs_of(case)))
    if refusal:
        return Mend(case=case, latest=latest, refusal=refusal)
    changes = {found.path: target for found, target in answered.items()}
    if not all(changes.values()):  # the target value is not typed yet
        return Mend(case=case, latest=latest)
    connector, content = get_connector(case.connection.connector), bytes(latest.content)
    try:
        released.require(case, fields_at(connector.read(content), changes) if released.rules else ())
        operations = connector.operations_for(content, changes)
        report = connector.check(connector.correct(content, operations))
    except (CorrectionError, MessageNotUnderstood, NotReleased) as error:
        return Mend(case=case, latest=latest, refusal=str(error))
    refusal = "" if report.passed else f"It would not pass the {report.check}: {report.errors[0].plain}"
    return Mend(case=case, latest=latest, operations=operations, refusal=refusal)


def _refusal(
    case: ExceptionCase, known: _Known, answered: Mapping[UnmappedValue, str], *, standing: policies.Standing
) -> str:
    if case.kind == Kind.HELD:
        return "It is held. What is held is released one by one, since somebody must look at each."
    if case.state == State.AWAITING_APPROVAL:
        return "Something is proposed for it already."
    ruling = policies.may(Action.CORRECT, case, standing)
    if not ruling.allowed:
        return ruling.reason
    if Verb.PROPOSE not in standing.verbs:
        return f"You may not propose in {case.queue.name} for {case.entity.name}."
    if any(not found.path for found in answered):
        return "It is translated again once the mapping holds."
    if any(found.path in known.by_hand for found in answered):
        return "This value was corrected by hand already."
    left = _left(case, known, answered)
    return f"It has more against it: {' '.join(left[:2])}" if left else ""


def _left(case: ExceptionCase, known: _Known, answered: Mapping[UnmappedValue, str]) -> list[str]:
    """What else stands against it, that neither the rows nor a correction answer and our check would not find."""
    connector = get_connector(case.connection.connector)
    places = {(found.value, found.path) for found in answered}
    left = []
    for error in known.errors:
        unmapped = error.get("unmapped") or {}
        if error.get("severity") != "error" or (unmapped.get("value"), unmapped.get("path")) in places:
            continue
        if error.get("field_path") in known.by_hand or connector.check_finds(error["code"]):
            continue
        left.append(str(error.get("plain") or error.get("text")))
    return left


def money_of_cases(cases: Iterable[ExceptionCase | Unjudged]) -> dict[str, Decimal]:
    """The sum in each currency."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for case in cases:
        if case.amount is not None:
            sums[case.currency] += case.amount
    return dict(sorted(sums.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrongly:
    """A closed exception that went with another value than the rows would have given."""

    case: ExceptionCase
    value: str
    would_be: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """What the rows would have done to closed exceptions with such a value, the newest of them."""

    right: Sequence[ExceptionCase]
    wrongly: Sequence[Wrongly]
    otherwise: int  # ended without being sent, or in a way that has nothing to do with the value

    @property
    def count(self) -> int:
        return len(self.right) + len(self.wrongly) + self.otherwise


def backtest_of(rows: Rows, reach: Reach) -> Backtest:
    """Against what was sent in the end and taken by the target. Four queries."""
    closed = _cases(rows, cases_within(reach).filter(state__in=[State.RESOLVED, State.DISMISSED]))
    cases = list(closed.select_related(*_RELATED).order_by("-pk")[:MOST_BACKTESTED])
    right: list[ExceptionCase] = []
    wrongly: list[Wrongly] = []
    otherwise = 0
    for case, known in _known(cases):
        targets = {found: rows.target_of(found, case) for found in known.unmapped}
        answered = {found: target for found, target in targets.items() if target and found.path}
        if not answered:
            continue
        if case.outcome in _ENDED_OTHERWISE or not known.latest.content:  # erased: nobody can say
            otherwise += 1
            continue
        went = _values_at(case, known.latest)
        other = [(went.get(found.path, ""), target) for found, target in answered.items()]
        differing = [(value, target) for value, target in other if value != target]
        if not differing:
            right.append(case)
        elif not any(found.path in known.by_hand for found in answered) and known.by_hand:
            otherwise += 1
        else:
            wrongly.append(Wrongly(case=case, value=differing[0][0], would_be=differing[0][1]))
    return Backtest(right=right, wrongly=wrongly, otherwise=otherwise)


def _values_at(case: ExceptionCase, version: PayloadVersion) -> dict[str, str]:
    try:
        record = get_connector(case.connection.connector).read(bytes(version.content))
    except MessageNotUnderstood:
        return {}
    return {found.path: found.value or "" for found in record.fields}


@dataclass(frozen=True, slots=True)
class Effect:
    """What is shown of rows that are not proposed yet. `later` are looked at when their turn comes."""

    mends: Sequence[Mend]
    backtest: Backtest | None  # None before the target value is typed
    later: Sequence[Unjudged] = ()
    most: int = MOST_MENDS

    @property
    def fit(self) -> list[Mend]:
        return [mend for mend in self.mends if not mend.refusal][: self.most]

    @property
    def beyond(self) -> bool:
        return len(self.mends) + len(self.later) > self.most

    @property
    def refused(self) -> list[Mend]:
        return [mend for mend in self.mends if mend.refusal]

    @property
    def count(self) -> int:
        """How many go with the rows, as far as can be told now."""
        return len(self.revisions)

    @property
    def money(self) -> dict[str, Decimal]:
        return money_of_cases([*(mend.case for mend in self.fit), *self._to_come])

    @property
    def revisions(self) -> dict[int, int]:
        found = {mend.case.pk: mend.case.revision for mend in self.fit}
        return found | {case.number: case.revision for case in self._to_come}

    @property
    def _to_come(self) -> Sequence[Unjudged]:
        return self.later[: self.most - len(self.fit)]


def effect_of(rows: Rows, *, by: AbstractUser, reach: Reach) -> Effect:
    """What the rows would do, of which nothing is written. Eleven queries, whatever the number of exceptions."""
    mends = mends_of(rows, by=by, reach=reach, most=MOST_JUDGED)
    backtest = backtest_of(rows, reach) if any(row.target_value for row in rows.rows) else None
    return Effect(mends, backtest, unjudged(rows, reach, after=MOST_JUDGED))


def count_open_with(found: UnmappedValue, reach: Reach) -> int:
    """How many open exceptions of the same connection have the same value, as far as the person may see."""
    same = UnmappedValue.objects.filter(kind=found.kind, value=found.value, case__connection=found.case.connection_id)
    return cases_within(reach).open().filter(pk__in=same.values("case")).count()
