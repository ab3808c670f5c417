"""Rows of a CSV payload (RFC 4180), each by the names in the first line."""

import csv
import io
from typing import Final

from integrations.refusals import MessageNotUnderstood

_MARKS: Final = ";\t,"  # where two are as frequent, the first of these


def read_rows(payload: bytes) -> list[dict[str, str]]:
    """Every row as column name → text. UTF-8; fields parted by semicolon, tab or comma. Raises MessageNotUnderstood."""
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MessageNotUnderstood(f"Byte {error.start} is not UTF-8.", remedy="Send the file as UTF-8.") from None
    if "\x00" in text:
        raise MessageNotUnderstood("The file contains a NUL.", remedy="Send a text file.")
    mark = max(_MARKS, key=(text.splitlines() or [""])[0].count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    try:
        names = [name.strip() for name in next(lines, [])]
        _refuse_names(names)
        return [_row(names, fields, lines.line_num) for fields in lines if any(fields)]
    except csv.Error as error:
        raise MessageNotUnderstood(
            f"Line {lines.line_num} is not CSV: {error}.", remedy="Put fields with quotes or line breaks in quotes."
        ) from None


def _refuse_names(names: list[str]) -> None:
    if not any(names):
        raise MessageNotUnderstood("The first line names no column.", remedy="Send the names of the columns first.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise MessageNotUnderstood(
            f"The column “{twice[:80]}” occurs twice.", remedy="Give each column a name of its own."
        )


def _row(names: list[str], fields: list[str], line: int) -> dict[str, str]:
    if len(fields) != len(names):
        raise MessageNotUnderstood(
            f"Line {line} has {len(fields)} fields, and the first line names {len(names)}.",
            remedy="Send as many fields in every line as there are columns.",
        )
    return dict(zip(names, fields, strict=True))
