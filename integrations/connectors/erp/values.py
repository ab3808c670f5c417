"""Amounts and dates as postings write them: amounts as decimal text or as JSON numbers, never as floats."""

import re
from datetime import date
from decimal import Decimal
from typing import Any, Final

# So many digits that sums of a million lines stay exact in the 28 of the decimal context.
_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def text_of(value: Any) -> str:
    """A scalar as a person reads it; empty for null, objects and lists."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal | int):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    return value if isinstance(value, str) else ""


def decimal_of(value: Any) -> Decimal | None:
    """An amount, or None: no exponent in a text, no separators, 15 digits and 6 decimals at most."""
    text = "" if isinstance(value, bool) else text_of(value).strip()
    return Decimal(text) if _DECIMAL.fullmatch(text) else None


def date_of(value: Any) -> date | None:
    """A date written year-month-day, or None."""
    text = text_of(value).strip()
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None
