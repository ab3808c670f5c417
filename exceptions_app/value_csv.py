"""Rows of a value mapping as CSV: read with every fault named by its line, written so that it reads back the same."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from audit.spreadsheets import BOM, csv_row, guarded
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import MappingEntry
from exceptions_app.value_rows import COLUMNS, RowFault, RowsInvalid, WrittenRow

MOST_CHARACTERS = 2_000_000
_SEPARATORS = ",;\t"
_NEEDED = ("source_value", "target_value")


class Lines:
    """What was read: the rows, and the line of each in the file."""

    def __init__(self, rows: Sequence[WrittenRow], numbers: Sequence[int]) -> None:
        self.rows = rows
        self.numbers = numbers

    def in_words(self, fault: RowFault) -> str:
        """“Line 3, Valid to: …”: the line as an editor counts it."""
        number = self.numbers[fault.row - 1] if fault.row <= len(self.numbers) else fault.row
        return f"Line {number}, {fault.label}: {fault.problem} {fault.remedy}"


def read_csv(text: str) -> Lines:
    """Comma, semicolon or tab; the first line names the columns, in any order.

    Raises Invalid for what is no such table, and LinesInvalid with all lines that cannot be read.
    """
    if len(text) > MOST_CHARACTERS:
        raise Invalid("text", f"There are more than {MOST_CHARACTERS:,} characters. Divide the file.")
    plain = text.removeprefix("\ufeff")
    first = plain.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(plain, newline=""), delimiter=separator, strict=True)
    rows: list[WrittenRow] = []
    numbers: list[int] = []
    faults: list[RowFault] = []
    try:
        names = _names(next(reader, []))
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            numbers.append(reader.line_num)
            rows.append(_row(dict(zip(names, cells, strict=False)), len(numbers), faults))
            if len(cells) > len(names):
                faults.append(_too_many(len(numbers), len(cells), len(names)))
    except csv.Error as error:
        raise Invalid("text", f"Line {reader.line_num} is no CSV: {error}. Check the quotes in it.") from None
    lines = Lines(rows, numbers)
    if faults:
        raise LinesInvalid(lines, faults)
    return lines


class LinesInvalid(RowsInvalid):
    """Some lines cannot be read; `lines` says which they are."""

    def __init__(self, lines: Lines, faults: Sequence[RowFault]) -> None:
        super().__init__(faults)
        self.lines = lines


def _names(header: Sequence[str]) -> list[str]:
    by_words = {label.casefold(): name for name, label in COLUMNS.items()} | {name: name for name in COLUMNS}
    named = [cell.strip().casefold() for cell in header]
    unknown = [cell for cell in named if cell not in by_words]
    wanted = ", ".join(COLUMNS)
    if unknown:
        raise Invalid("text", f"There is no column “{unknown[0][:40]}”. The first line names the columns: {wanted}.")
    names = [by_words[cell] for cell in named]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise Invalid("text", f"The column {missing[0]} is missing. The first line names the columns: {wanted}.")
    if len(set(names)) < len(names):
        raise Invalid("text", "A column is named twice in the first line. Leave one out.")
    return names


def _row(cells: dict[str, str], number: int, faults: list[RowFault]) -> WrittenRow:
    return WrittenRow(
        source_value=_value(cells.get("source_value", "")),
        target_value=_value(cells.get("target_value", "")),
        valid_from=_day(cells, "valid_from", number, faults),
        valid_to=_day(cells, "valid_to", number, faults),
    )


def _value(cell: str) -> str:
    """Without the apostrophe by which a spreadsheet is kept from reading a formula."""
    text = cell.strip()
    return text[1:] if text.startswith("'") and guarded(text[1:]) == text else text


def _day(cells: dict[str, str], column: str, number: int, faults: list[RowFault]) -> date | None:
    text = cells.get(column, "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        problem = f"“{text[:40]}” is not a day."
        faults.append(
            RowFault(row=number, column=column, problem=problem, remedy="Write it as year, month and day: 2026-11-30.")
        )
        return None


def _too_many(number: int, there: int, named: int) -> RowFault:
    problem = f"The line has {there} cells, and {named} columns are named."
    return RowFault(row=number, column="source_value", problem=problem, remedy="Put a value with a comma in quotes.")


def written_csv(entries: Iterable[MappingEntry]) -> Iterator[bytes]:
    """Line by line, as `read_csv` reads it."""
    yield BOM + csv_row(COLUMNS)
    for entry in entries:
        yield csv_row([entry.source_value, entry.target_value, entry.valid_from, entry.valid_to])
