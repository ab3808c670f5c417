"""Rows of a value mapping as somebody writes them, and everything that is wrong with them at once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from exceptions_app.mapping_states import LONGEST_VALUE, MOST_ROWS
from exceptions_app.models import MappingEntry

COLUMNS: Mapping[str, str] = {
    "source_value": "Source value",
    "target_value": "Target value",
    "valid_from": "Valid from",
    "valid_to": "Valid to",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRow:
    """One row. Without a target value it ends what holds on these days; an empty date is an open end."""

    source_value: str
    target_value: str = ""
    valid_from: date | None = None
    valid_to: date | None = None

    def holds_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)

    def overlaps(self, other: "WrittenRow | MappingEntry") -> bool:
        begins = self.valid_from is None or other.valid_to is None or self.valid_from <= other.valid_to
        ends = self.valid_to is None or other.valid_from is None or other.valid_from <= self.valid_to
        return self.source_value == other.source_value and begins and ends


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """What is wrong with a row, counted from 1, in which column (a key of COLUMNS), and what to do."""

    row: int
    column: str
    problem: str
    remedy: str

    @property
    def label(self) -> str:
        return COLUMNS[self.column]

    def __str__(self) -> str:
        return f"Row {self.row}, {self.label}: {self.problem} {self.remedy}"


class RowsInvalid(Exception):
    """Some rows cannot be proposed, so nothing was. `faults` are all that is wrong with them."""

    def __init__(self, faults: Sequence[RowFault]) -> None:
        number = "1 row cannot" if len({fault.row for fault in faults}) == 1 else "Some rows cannot"
        super().__init__(f"Nothing was proposed: {number} be used as it stands.")
        self.faults = tuple(faults)


def require_usable(rows: Sequence[WrittenRow], holding: Iterable[MappingEntry]) -> dict[int, list[MappingEntry]]:
    """What each row (by its place in `rows`) replaces of the entries that hold; raises RowsInvalid."""
    by_source: defaultdict[str, list[MappingEntry]] = defaultdict(list)
    for entry in holding:
        by_source[entry.source_value].append(entry)
    replaced = {
        index: [entry for entry in by_source[row.source_value] if row.overlaps(entry)] for index, row in enumerate(rows)
    }
    faults = [*_shapes(rows), *_overlaps(rows), *_changing_nothing(rows, replaced)]
    if faults:
        raise RowsInvalid(sorted(faults, key=lambda fault: fault.row))
    return replaced


def _shapes(rows: Sequence[WrittenRow]) -> Iterable[RowFault]:
    if not rows:
        yield RowFault(row=1, column="source_value", problem="There is no row.", remedy="Write at least one.")
    if len(rows) > MOST_ROWS:
        problem = f"There are {len(rows):,} rows, and a proposal has at most {MOST_ROWS:,}."
        yield RowFault(
            row=MOST_ROWS + 1, column="source_value", problem=problem, remedy="Propose the others by themselves."
        )
    for number, row in enumerate(rows, start=1):
        if not row.source_value:
            yield RowFault(
                row=number,
                column="source_value",
                problem="It is empty.",
                remedy="Write the value as the source sends it.",
            )
        for column, value in (("source_value", row.source_value), ("target_value", row.target_value)):
            if len(value) > LONGEST_VALUE:
                problem = f"It has {len(value)} characters, more than {LONGEST_VALUE}."
                yield RowFault(
                    row=number, column=column, problem=problem, remedy="Write the code, not its description."
                )
            if not value.isprintable():
                problem = "It has a character that cannot be seen, such as a line break."
                yield RowFault(row=number, column=column, problem=problem, remedy="Write it again without that.")
        if row.valid_from and row.valid_to and row.valid_to < row.valid_from:
            problem = f"It is before the first day, {row.valid_from.isoformat()}."
            yield RowFault(
                row=number, column="valid_to", problem=problem, remedy="Write the last day on which it holds."
            )


def _overlaps(rows: Sequence[WrittenRow]) -> Iterable[RowFault]:
    """Two rows for one value and one day: nobody could say which counts."""
    by_source: defaultdict[str, list[tuple[int, WrittenRow]]] = defaultdict(list)
    for number, row in enumerate(rows, start=1):
        for earlier, other in by_source[row.source_value]:
            if row.overlaps(other):
                yield RowFault(
                    row=number,
                    column="valid_from",
                    problem=f"“{row.source_value}” has row {earlier} for some of these days already.",
                    remedy="End the one before the other begins, or leave one out.",
                )
                break
        by_source[row.source_value].append((number, row))


def _changing_nothing(rows: Sequence[WrittenRow], replaced: Mapping[int, list[MappingEntry]]) -> Iterable[RowFault]:
    for index, row in enumerate(rows):
        there = replaced[index]
        if not row.target_value and not there:
            yield RowFault(
                row=index + 1,
                column="target_value",
                problem="It is empty, and nothing holds on these days that could end.",
                remedy="Write the value that the target is to get.",
            )
        elif any(_covers(entry, row) for entry in there):
            yield RowFault(
                row=index + 1, column="target_value", problem="This holds already.", remedy="Leave the row out."
            )


def _covers(entry: MappingEntry, row: WrittenRow) -> bool:
    begins = entry.valid_from is None or (row.valid_from is not None and entry.valid_from <= row.valid_from)
    ends = entry.valid_to is None or (row.valid_to is not None and row.valid_to <= entry.valid_to)
    return entry.target_value == row.target_value and begins and ends
