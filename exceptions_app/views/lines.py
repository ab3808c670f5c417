"""The lines of a document as a table: a journal is read by its accounts, its debits and its credits."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from exceptions_app.templatetags.presentation import format_amount
from exceptions_app.views.problems import Problem
from integrations.records.record import Record, RecordField, ValueKind

MOST_LINES = 50
_LONGEST_CODE = 16  # characters
_LINE = re.compile(r"Line [0-9]+")
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,12})?")
_NUMBERS = frozenset({ValueKind.AMOUNT, ValueKind.PERCENT, ValueKind.QUANTITY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    label: str
    is_number: bool
    total: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One value as it is read. `tone` is danger or warning when a problem points to it; where there is little room,
    the label of the column stands before it."""

    text: str
    column: Column
    tone: str = ""

    @property
    def is_code(self) -> bool:
        """A code such as CC-1000 is read as one, and not broken at its hyphen."""
        return len(self.text) <= _LONGEST_CODE and " " not in self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTable:
    columns: Sequence[Column]
    rows: Sequence[tuple[str, Sequence[Cell]]]  # “Line 1”, and its values
    left_out: int
    currency: str

    @property
    def has_totals(self) -> bool:
        return any(column.total for column in self.columns)


def lines_of(record: Record | None, problems: Iterable[Problem]) -> LineTable | None:
    """The first lines of a record; None when it has none that read as a table."""
    if record is None:
        return None
    pointed = [problem for problem in problems if problem.path and not problem.solved and not problem.changed]
    tones = {problem.path: "danger" if problem.severity == "error" else "warning" for problem in pointed}
    lines: dict[str, dict[str, RecordField]] = {}
    for field in record.fields:
        if field.label in record.line_columns and _LINE.fullmatch(field.group):
            lines.setdefault(field.group, {})[field.label] = field
    headline = record.headline
    columns = [
        _column(label, lines.values(), headline.totals.get(label), headline.currency)
        for label in record.line_columns
        if _is_used(label, lines.values(), tones)
    ]
    if not columns:
        return None
    shown = list(lines.items())[:MOST_LINES]
    return LineTable(
        columns=columns,
        rows=[
            (title, [_cell(fields.get(column.label), column, tones) for column in columns]) for title, fields in shown
        ],
        left_out=len(lines) - len(shown),
        currency=headline.currency,
    )


def _is_used(label: str, lines: Iterable[Mapping[str, RecordField]], pointed: Collection[str]) -> bool:
    fields = [fields[label] for fields in lines if label in fields]
    return any(field.value or field.path in pointed for field in fields)


def _column(label: str, lines: Iterable[Mapping[str, RecordField]], total: Decimal | None, currency: str) -> Column:
    kinds = {fields[label].kind for fields in lines if label in fields}
    shown = format_amount(total, currency=currency) if total is not None else ""
    return Column(label=label, is_number=bool(kinds & _NUMBERS), total=shown)


def _cell(field: RecordField | None, column: Column, tones: Mapping[str, str]) -> Cell:
    value = (field.value or "") if field is not None else ""
    if field is not None and field.currency and _PLAIN_NUMBER.fullmatch(value):
        value = format_amount(value, currency=field.currency)
    return Cell(text=value, column=column, tone=tones.get(field.path, "") if field is not None else "")
