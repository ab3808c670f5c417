"""Exchange rates as the ECB publishes its euro foreign exchange reference rates: a line for each day, a column for each
currency, units for one euro.

Its two files differ in how they write the day (`2026-11-20`, `20 November 2026`) and in blanks; both are read. `N/A`
and an empty cell are no rate.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from exceptions_app.wording import say

LARGEST_FILE = 10_000_000  # bytes: the whole history since 1999 is some 700 kB
_NO_RATE = frozenset({"", "N/A"})
_CODE = re.compile(r"[A-Z]{3}")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_IN_WORDS = re.compile(rf"(?P<day>[0-9]{{1,2}}) (?P<month>{'|'.join(_MONTHS)}) (?P<year>[0-9]{{4}})")


class RatesNotUnderstood(ValueError):
    """The file is not in this layout. The message names the line and what is wrong there."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class ReadRate:
    day: date
    currency: str
    rate: Decimal


def read_rates(content: bytes) -> list[ReadRate]:
    """All rates of a file; raises RatesNotUnderstood, and then nothing of it is used."""
    if len(content) > LARGEST_FILE:
        raise RatesNotUnderstood(say("The file has more than {most} MB.", most=LARGEST_FILE // 1_000_000))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RatesNotUnderstood(say("The file is not text in UTF-8.")) from error
    lines = csv.reader(io.StringIO(text, newline=""))
    try:
        rows = [[cell.strip() for cell in row] for row in lines]
    except csv.Error as error:
        raise RatesNotUnderstood(say("Line {line} is no CSV: {error}.", line=lines.line_num, error=error)) from error
    if not rows or not rows[0] or rows[0][0] != "Date":
        raise RatesNotUnderstood(
            say("Line 1: the first column is not “Date”, as in the ECB's file of reference rates.")
        )
    currencies = _currencies(rows[0])
    found = [rate for number, row in enumerate(rows[1:], start=2) for rate in _rates(row, currencies, number)]
    if not found:
        raise RatesNotUnderstood(say("There is no rate in the file."))
    return found


def _currencies(head: Sequence[str]) -> list[str]:
    """The columns; the last may be without a name, since each line ends with a comma."""
    names = list(head[1:-1] if head[-1] == "" else head[1:])
    unknown = [name for name in names if not _CODE.fullmatch(name)]
    if unknown or not names:
        column = names.index(unknown[0]) + 2 if unknown else 2
        raise RatesNotUnderstood(
            say(
                "Line 1, column {column}: “{name}” is no currency code such as USD.",
                column=column,
                name=(unknown or [""])[0][:20],
            )
        )
    if len(set(names)) != len(names):
        twice = next(name for position, name in enumerate(names) if name in names[:position])
        raise RatesNotUnderstood(say("Line 1: {twice} stands there twice.", twice=twice))
    return names


def _rates(row: Sequence[str], currencies: Sequence[str], number: int) -> Iterator[ReadRate]:
    if not any(row):
        return
    day = _day(row[0])
    if day is None:
        raise RatesNotUnderstood(
            say("Line {line}, column Date: “{text}” is no day such as 2026-11-20.", line=number, text=row[0][:30])
        )
    if len(row) - 1 not in (len(currencies), len(currencies) + 1):
        raise RatesNotUnderstood(
            say(
                "Line {line}: it has {columns} columns and line 1 has {head}, without an empty last one.",
                line=number,
                columns=len(row),
                head=len(currencies) + 1,
            )
        )
    for currency, cell in zip(currencies, row[1:], strict=False):
        if cell not in _NO_RATE:
            yield ReadRate(day, currency, _rate(cell, currency, number))


def _day(text: str) -> date | None:
    try:
        if in_words := _IN_WORDS.fullmatch(text):
            return date(int(in_words["year"]), _MONTHS.index(in_words["month"]) + 1, int(in_words["day"]))
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None


def _rate(cell: str, currency: str, number: int) -> Decimal:
    try:
        rate = Decimal(cell) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,8})?", cell) else None
    except InvalidOperation:
        rate = None
    if not rate:
        raise RatesNotUnderstood(
            say(
                "Line {line}, column {currency}: “{text}” is no rate such as 1.0842.",
                line=number,
                currency=currency,
                text=cell[:20],
            )
        )
    return rate
