"""Amounts, quantities and dates as UBL writes them. What is not written as the schema demands is no value."""

import re
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

CENT: Final = Decimal("0.01")

_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})")
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


def decimal_of(text: str | None) -> Decimal | None:
    """An xs:decimal, or None; no exponent, no separators of thousands, ASCII digits only."""
    stripped = (text or "").strip()
    return Decimal(stripped) if _DECIMAL.fullmatch(stripped) else None


def date_of(text: str | None) -> date | None:
    """An xs:date, or None; a time zone is read over."""
    found = _DATE.fullmatch((text or "").strip())
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


def currency_of(text: str | None) -> str:
    """A code in the shape of ISO 4217, or nothing."""
    stripped = (text or "").strip()
    return stripped if _CURRENCY.fullmatch(stripped) else ""


def to_cents(amount: Decimal) -> Decimal:
    """Rounded as EN 16931 rounds: half a cent goes up."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)
