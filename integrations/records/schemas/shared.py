"""What several canonical documents have in the same form."""

from typing import Final

from integrations.records.record import ValueKind
from integrations.records.schemas.description import Part, Term

CURRENCY: Final = Term(
    "currency",
    "Currency",
    ValueKind.CODE,
    required=True,
    pattern="^[A-Z]{3}$",
    expected="a currency code of ISO 4217, such as EUR",
)
_COUNTRY: Final = Term(
    "country",
    "Country",
    ValueKind.CODE,
    pattern="^[A-Z]{2}$",
    expected="a country code of ISO 3166, such as NL",
)


def party(name: str, label: str) -> Part:
    """Who sells, buys, pays or is paid. It is named by its name or by its identifier in the books."""
    return Part(
        name,
        label,
        (
            Term("identifier", "Identifier", ValueKind.IDENTIFIER, hint="Company code, customer or supplier account"),
            Term("name", "Name"),
            Term("vat_id", "VAT identifier", ValueKind.IDENTIFIER),
            _COUNTRY,
        ),
        required=True,
    )
