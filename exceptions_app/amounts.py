"""Amounts as people type them: 1250.00, 1.250,00, 1,250.00, 1 250,00, 1'250.00, with or without a currency.

And as they are written into files.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from babel.numbers import get_currency_precision

_CURRENCY = r"[A-Za-z]{3}"
# Apostrophe, typographic apostrophe, space, no-break space, narrow no-break space.
_SPACES = "'\u2019 \u00a0\u202f"
_TYPED = re.compile(rf"(?:(?P<before>{_CURRENCY})\s*)?(?P<number>-?\d[\d.,{_SPACES}]*)(?:\s*(?P<after>{_CURRENCY}))?")
_GROUPING = re.compile(f"[{_SPACES}]")
_MOST_DIGITS = 15  # before the decimal separator, as the column holds


@dataclass(frozen=True, slots=True)
class TypedAmount:
    """What a text may mean. Two values when its only separator may group thousands or start the decimals."""

    values: tuple[Decimal, ...]
    currency: str = ""  # ISO 4217, upper case; empty when none was typed

    @property
    def is_clear(self) -> bool:
        return len(self.values) == 1


def read_amount(text: str) -> TypedAmount | None:
    """The amount that a text stands for, None when it is no amount."""
    found = _TYPED.fullmatch(text.strip())
    if found is None or (found["before"] and found["after"]):
        return None
    values = _values(_GROUPING.sub("", found["number"].strip()))
    if not values or any(abs(value) >= 10**_MOST_DIGITS for value in values):
        return None
    return TypedAmount(values, (found["before"] or found["after"] or "").upper())


def _values(number: str) -> tuple[Decimal, ...]:
    sign, digits = (Decimal(-1), number[1:]) if number.startswith("-") else (Decimal(1), number)
    separators = [character for character in digits if character in ".,"]
    if not separators:
        return (sign * Decimal(digits),)
    last = separators[-1]
    whole, _, decimals = digits.rpartition(last)
    as_decimals = _whole(whole, "," if last == "." else ".")
    as_group = _whole(digits, last) if len(set(separators)) == 1 and not digits.startswith("0") else None
    values = []
    if as_group is not None:
        values.append(Decimal(as_group))
    if as_decimals is not None and 0 < len(decimals) <= 6:
        values.append(Decimal(f"{as_decimals}.{decimals}"))
    return tuple(sign * value for value in values)


def _whole(text: str, grouping: str) -> str | None:
    """Digits without their grouping, None when they are not grouped by thousands."""
    first, *rest = text.split(grouping)
    if not first.isdigit() or (rest and (len(first) > 3 or any(len(part) != 3 or not part.isdigit() for part in rest))):
        return None
    return first + "".join(rest)


def in_its_decimals(amount: Decimal | None, currency: str) -> Decimal | None:
    """With the currency's own decimals, more only where it has them."""
    if amount is None:
        return None
    cent = Decimal(1).scaleb(-get_currency_precision(currency) if currency else 0)
    rounded = amount.quantize(cent)
    return rounded if rounded == amount else amount.normalize()
