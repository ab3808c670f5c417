"""CSV that a spreadsheet opens as data: no text becomes a formula, and numbers stay numbers.

Text and number are told apart by type, never by looks: a ``Decimal`` of -12.50 is written as it is, the text "-12.50"
is guarded. Guarding means a leading apostrophe, as OWASP ASVS 1.2.10 asks. All text is quoted (RFC 4180), so that a
spreadsheet that splits at semicolons does not find the start of a cell inside it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from audit.canonical import timestamp

BOM = b"\xef\xbb\xbf"
FORMULA_STARTS = frozenset("=+-@\N{MINUS SIGN}")
CONTROL_STARTS = frozenset("\t\r\n\x00")
QUOTES_AND_SEPARATORS = frozenset("\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb,;|")

Cell = None | bool | int | str | Decimal | date | UUID


def guarded(text: str) -> str:
    """``text``, with a leading apostrophe when a spreadsheet could take it for a formula."""
    first = text[:1]
    if first.isascii() and first.isalnum():
        return text
    if first in CONTROL_STARTS or _first_that_counts(text) in FORMULA_STARTS:
        return f"'{text}"
    return text


def csv_row(cells: Iterable[Cell]) -> bytes:
    """One line, ended by CR LF."""
    return (",".join(_cell(cell) for cell in cells) + "\r\n").encode("utf-8")


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _quoted(guarded(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is not a number that a cell can hold.")
        return format(value, "f")
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, date | UUID):
        return str(value)
    raise TypeError(f"A cell cannot hold {type(value).__name__}; pass text, an integer, a Decimal or a date.")


def _quoted(text: str) -> str:
    escaped = text.replace('"', '""')
    return f'"{escaped}"'


def _first_that_counts(text: str) -> str:
    """The first character after blanks, control and format characters, quotes and separators; wide forms narrowed."""
    for character in text:
        if character in QUOTES_AND_SEPARATORS or character.isspace() or unicodedata.category(character)[0] in "CZ":
            continue
        return unicodedata.normalize("NFKC", character)[:1]
    return ""
