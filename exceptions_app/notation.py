"""Decimal numbers of a document in its reader's notation: shown with a comma where the language has one, and read back.

A document has a point and nothing else. Who reads German sees and types 1428,00. What could mean two numbers, such as
1.250, is never read as either: it is refused with both, unless the field was shown so and nobody touched it.
"""

import re
from dataclasses import replace

from babel.numbers import get_decimal_symbol
from django.utils.translation import get_language, to_locale

from exceptions_app.amounts import read_amount
from exceptions_app.typed_values import DECIMAL_KINDS, Misfit, misfit_of, one_line_ending
from exceptions_app.wording import say
from integrations.records.record import RecordField

_PLAIN = re.compile(r"-?\d{1,18}(\.\d{1,12})?")
_WITH_COMMA = re.compile(r"-?\d{1,18}(?:,(?P<decimals>\d{1,12}))?")
_AS_LONG_AS_A_GROUP = 3


def as_written(field: RecordField) -> str:
    """The value as it stands in an input that nobody touched."""
    value = field.value or ""
    return value.replace(".", ",") if _has_comma(field) and _PLAIN.fullmatch(value) else value


def as_filled_in(value: str, field: RecordField) -> str:
    """A value of a document as somebody types it into an input: with a zero more where it could be read as a group."""
    written = as_written(replace(field, value=value))
    if value == field.value or not _has_comma(field) or not _PLAIN.fullmatch(value):
        return written
    return written if _clear(written) is not None else f"{written}0"


def as_kept(typed: str, field: RecordField) -> str:
    """What stands in an input as a draft keeps it, so that it is the same number in whichever language it is opened.

    What cannot be read stays as it was typed, with a blank behind it where a document's number looks so.
    """
    if not _has_comma(field):
        return typed
    if stands(typed, field):
        return field.value or ""
    value, misfit = read_value(typed.strip(), field)
    return value if misfit is None else f"{value} " if _PLAIN.fullmatch(value) else typed


def stands(typed: str, field: RecordField) -> bool:
    """Whether what stands in the input is what the document has."""
    was = field.value or ""
    if _has_comma(field):
        return typed.strip() == as_written(field) or (bool(was) and _clear(typed.strip()) == was)
    return typed == one_line_ending(was) or typed.strip() == was


def read_value(typed: str, field: RecordField) -> tuple[str, Misfit | None]:
    """What was typed as the document has it, or as it is with what keeps it from being a value."""
    if not typed or not _has_comma(field):
        return typed, misfit_of(typed, field)
    clear = _clear(typed)
    if clear is not None:
        return clear, None
    amount = read_amount(typed)
    if amount is None or amount.currency or amount.is_clear:
        remedy = say("Write digits with a comma before the decimals, such as 1428,00.")
        return typed, Misfit(say("“{typed}” is not a number.", typed=typed[:60]), remedy)
    first, second = (_spelt(f"{value:f}") for value in amount.values)
    meant = say("“{typed}” may mean {first} or {second}.", typed=typed, first=first, second=second)
    return typed, Misfit(meant, say("Write the one that you mean."))


def is_of_the_document() -> bool:
    """Whether the reader's numbers are written as those of a document are."""
    return get_decimal_symbol(to_locale(get_language() or "en")) != ","


def _has_comma(field: RecordField) -> bool:
    return field.kind in DECIMAL_KINDS and not is_of_the_document()


def _clear(typed: str) -> str | None:
    """The one number that a text can mean, with a point; None for none and for two, and for digits of other scripts."""
    if any(character.isdigit() and not character.isascii() for character in typed):
        return None
    found = _WITH_COMMA.fullmatch(typed)
    if found is not None and len(found["decimals"] or "") != _AS_LONG_AS_A_GROUP:
        return typed.replace(",", ".")
    amount = read_amount(typed)
    return f"{amount.values[0]:f}" if amount is not None and amount.is_clear and not amount.currency else None


def _spelt(number: str) -> str:
    """So that it can be typed as it is read here: with other than three decimals, which could be a group."""
    whole, point, decimals = number.partition(".")
    decimals = decimals.rstrip("0")
    decimals += "0" if len(decimals) == _AS_LONG_AS_A_GROUP else ""
    return f"{whole},{decimals}" if point and decimals else whole
