"""One value from the source's spelling to the target's type: exact, or refused in words."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Final

from integrations.fieldmaps.declaration import As, Rule

TargetValue = str | Decimal | int | bool
_BETWEEN_THOUSANDS: Final = re.compile("[ .,'\u2019\u00a0\u202f]")
_GROUPED: Final = re.compile(
    "[+-]?[0-9]{1,3}(?P<mark>[ .,'\u2019\u00a0\u202f])[0-9]{3}(?:(?P=mark)[0-9]{3})*(?:#[0-9]*)?"
)
_NUMBER: Final = re.compile(r"[+-]?\d{1,30}(?:#\d{1,20})?")
_TRUE: Final = frozenset({"true", "yes", "y", "1"})
_FALSE: Final = frozenset({"false", "no", "n", "0"})


class NotConvertible(ValueError):
    """The value is not of the kind that the rule says; the text says what was expected."""


def convert(text: str, rule: Rule) -> TargetValue:
    """The value in the target's type. Raises NotConvertible."""
    match rule.kind:
        case As.DECIMAL:
            return as_decimal(text, mark=rule.decimal_mark)
        case As.INTEGER:
            return _as_integer(text, mark=rule.decimal_mark)
        case As.DATE:
            return as_date(text, rule.date_format)
        case As.BOOLEAN:
            return _as_boolean(text)
    return text


def as_decimal(text: str, *, mark: str) -> Decimal:
    """An exact number. Marks between thousands are dropped where they really part thousands: “1,5” never becomes 15."""
    plain = text.strip().replace(mark, "#")
    if _GROUPED.fullmatch(plain):
        plain = _BETWEEN_THOUSANDS.sub("", plain)
    if not plain.isascii() or not _NUMBER.fullmatch(plain):
        raise NotConvertible(f"“{text[:40]}” is not a number with “{mark}” as decimal mark.")
    return Decimal(plain.replace("#", "."))


def _as_integer(text: str, *, mark: str) -> int:
    number = as_decimal(text, mark=mark)
    if number != number.to_integral_value():
        raise NotConvertible(f"“{text[:40]}” is not a whole number.")
    return int(number)


def as_date(text: str, form: str) -> str:
    """ISO 8601, from that or from the form given. Raises NotConvertible."""
    try:
        if form:
            return datetime.strptime(text.strip(), form).date().isoformat()  # noqa: DTZ007 - a business date
        return datetime.fromisoformat(text.strip()).date().isoformat()
    except ValueError:
        expected = f"in the form {form}" if form else "in ISO 8601, such as 2026-03-31"
        raise NotConvertible(f"“{text[:40]}” is not a date {expected}.") from None


def _as_boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise NotConvertible(f"“{text[:40]}” is neither true nor false.")
