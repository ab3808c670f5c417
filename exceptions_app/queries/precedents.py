"""What became of the same value in exceptions with the same problem that ended well."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, Func, JSONField, Q, Value
from django.db.models.functions import Coalesce

from exceptions_app.masked_fields import kind_of_place, may_be_carried
from exceptions_app.models import Cause, ExceptionCase, PayloadVersion
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.states import Outcome, State
from integrations.records.record import RecordField

MOST_CASES = 500
"""The newest of them: what was right years ago may be right no more."""
FEWEST_AGREEING = 2
MOST_NAMED = 3
_ENDED_WELL = (Outcome.REPLAYED, Outcome.RELEASED)
# In the database, so that a version that changed a hundred fields brings the few that are looked at.
_OF_THESE_LABELS = "$[*] ? (@.label == $labels[*])"


@dataclass(frozen=True, slots=True)
class Asked:
    """A field with a problem: the codes of what is wrong with it, and the value that it came in with."""

    field: RecordField
    codes: Collection[str]
    was: str


@dataclass(frozen=True, slots=True)
class Example:
    ref: str
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Precedent:
    """`agreeing` of `of` exceptions that had `was` there were corrected to `value`; some of them, newest first."""

    field: RecordField
    was: str
    value: str
    agreeing: int
    of: int
    examples: Sequence[Example]

    @property
    def beyond(self) -> int:
        return self.agreeing - len(self.examples)


@dataclass(slots=True)
class _Past:
    """One exception that ended well. Of each place that was touched: its kind, the first value and the last one."""

    example: Example
    code: str
    counterparty: str
    is_one: bool  # whether somebody said that its cause is the one of the exception that is asked for
    touched: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    def became(self, asked: Asked) -> set[str]:
        """What the value that is asked about became there; more than one where lines went different ways."""
        kind = kind_of_place(asked.field.term, asked.field.path)
        return {last for place, first, last in self.touched.values() if (place, first) == (kind, asked.was)}


def precedents_of(case: ExceptionCase, asked: Iterable[Asked], reach: Reach) -> dict[str, Precedent]:
    """Field path → what is suggested there. One query, or none where no field may have a suggestion.

    Of the same connection and kind of document, with the same leading problem or one whose cause was joined with its
    cause, the same field and the same old value, among what the person may see. A value that was missing says nothing
    by itself, so there the counterparty has to be the same as well.
    """
    connector = case.connection.connector
    asked = [one for one in asked if may_be_carried(one.field, connector=connector)]
    past = _read(case, asked, reach) if asked else []
    found = {one.field.path: _precedent(one, case, past) for one in asked}
    return {path: precedent for path, precedent in found.items() if precedent is not None}


def _read(case: ExceptionCase, asked: Sequence[Asked], reach: Reach) -> list[_Past]:
    """The newest first."""
    codes = {code for one in asked for code in one.codes}
    cases = cases_within(reach).filter(
        state=State.RESOLVED,
        outcome__in=_ENDED_WELL,
        connection=case.connection_id,
        object_type=case.object_type,
        cause__connector=case.connection.connector,
    )
    one = Cause.objects.one_with(case.cause).values("pk")
    alike = Q(cause__code__in=codes)
    cases = cases.filter(alike | Q(cause__in=one) if case.cause.code in codes else alike)
    newest = cases.exclude(pk=case.pk).order_by("-pk").values("pk")[:MOST_CASES]
    labels = sorted({one.field.label for one in asked})
    changes = Func(
        F("changes"),
        Value(_OF_THESE_LABELS),
        Value({"labels": labels}, output_field=JSONField()),
        function="jsonb_path_query_array",
        output_field=JSONField(),
    )
    rows = (
        PayloadVersion.objects.filter(case__in=newest, number__gt=1)
        .annotate(touched=changes, head=Coalesce("case__cause__head_id", "case__cause_id"))
        .order_by("-case_id", "number")
        .values_list("case", "touched", "case__document_number", "case__counterparty", "case__cause__code", "head")
    )
    past: dict[int, _Past] = {}
    for pk, touched, number, counterparty, code, head in rows:
        found = _Past(Example(f"{REF_PREFIX}{pk}", number), code, counterparty, head == case.cause.head_number)
        _follow(past.setdefault(pk, found), touched)
    return list(past.values())


def _follow(past: _Past, changes: Iterable[Mapping[str, Any]]) -> None:
    """One version further."""
    for change in changes:
        place, path = kind_of_place(change["term"], change["path"]), change["path"]
        first = past.touched[path][1] if path in past.touched else change["was"]
        past.touched[path] = (place, first, change["will_be"])


def _precedent(asked: Asked, case: ExceptionCase, past: Sequence[_Past]) -> Precedent | None:
    """None unless more than half agree, and at least two."""
    by_value: defaultdict[str, list[Example]] = defaultdict(list)
    of = 0
    for one in past:
        is_alike = one.code in asked.codes or (one.is_one and case.cause.code in asked.codes)
        became = one.became(asked) if is_alike else set()
        if not became or not (asked.was or (case.counterparty and one.counterparty == case.counterparty)):
            continue
        of += 1
        if len(became) == 1:
            by_value[next(iter(became))].append(one.example)
    value, examples = max(by_value.items(), key=lambda item: len(item[1]), default=("", []))
    if not value or len(examples) < FEWEST_AGREEING or 2 * len(examples) <= of or value == asked.field.value:
        return None
    return Precedent(
        field=asked.field, was=asked.was, value=value, agreeing=len(examples), of=of, examples=examples[:MOST_NAMED]
    )
