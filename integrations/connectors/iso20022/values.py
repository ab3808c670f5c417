"""Values as payment files write them: amounts, IBAN and BIC."""

import re
from datetime import date
from decimal import Decimal
from typing import Final

NOT_PROVIDED: Final = "NOTPROVIDED"  # what a file says instead of an end-to-end identifier that nobody gave

_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,17})?|\.[0-9]{1,17})")
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T.*|Z|[+-][0-9]{2}:[0-9]{2})?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}")
_BIC: Final = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
# Lengths of the registry of ISO 13616, for the countries that take part in SEPA.
_IBAN_LENGTHS: Final = {
    "AD": 24, "AL": 28, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20,
    "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GI": 23, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27,
    "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MT": 31, "NL": 18, "NO": 15,
    "PL": 28, "PT": 25, "RO": 24, "RS": 22, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "VA": 22,
}  # fmt: skip


def decimal_of(text: str) -> Decimal | None:
    """An xs:decimal, or None: no exponent, no separator of thousands, ASCII digits only."""
    return Decimal(text.strip()) if _DECIMAL.fullmatch(text.strip()) else None


def date_of(text: str) -> date | None:
    """The day of an xs:date or xs:dateTime, or None."""
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


def currency_of(text: str) -> str:
    """A code in the shape of ISO 4217, or nothing."""
    return text.strip() if _CURRENCY.fullmatch(text.strip()) else ""


def iban_fault(text: str) -> str:
    """What is wrong with an IBAN by ISO 13616, in words; nothing when it may be right."""
    if not _IBAN.fullmatch(text.upper()) or text != text.strip():
        return "it is not written as one: two letters, two digits, then letters and digits without spaces"
    expected = _IBAN_LENGTHS.get(text[:2].upper())
    if expected is not None and len(text) != expected:
        return f"it has {len(text)} characters; in {text[:2].upper()} it has {expected}"
    turned = text[4:].upper() + text[:4].upper()
    if int("".join(str(int(character, 36)) for character in turned)) % 97 != 1:
        return "its check digits do not fit: a digit or letter is wrong, or two are exchanged"
    return ""


def is_bic(text: str) -> bool:
    """Whether a text has the form of ISO 9362; whether the bank exists is another matter."""
    return _BIC.fullmatch(text) is not None


def looks_like(text: str) -> str:
    """An account number for comparing: without spaces, in capitals."""
    return "".join(text.split()).upper()
