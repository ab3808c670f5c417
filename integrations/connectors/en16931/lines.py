"""What an invoice line should come to, by EN 16931's own definition of the line net amount."""

from decimal import Decimal
from typing import Final

from lxml import etree

from integrations.connectors.en16931 import names
from integrations.connectors.en16931.values import decimal_of, to_cents

_CAC: Final = f"{{{names.CAC}}}"
_CBC: Final = f"{{{names.CBC}}}"


def expected_net_amount(line: etree._Element) -> Decimal | None:
    """Quantity times price by base quantity, less allowances, plus charges, to the cent; None where a part lacks."""
    quantity = decimal_of(line.findtext(f"{_CBC}InvoicedQuantity") or line.findtext(f"{_CBC}CreditedQuantity"))
    price = decimal_of(line.findtext(f"{_CAC}Price/{_CBC}PriceAmount"))
    base = decimal_of(line.findtext(f"{_CAC}Price/{_CBC}BaseQuantity") or "1")
    if quantity is None or price is None or not base:
        return None
    net = quantity * price / base
    for row in line.iterchildren(f"{_CAC}AllowanceCharge"):
        amount = decimal_of(row.findtext(f"{_CBC}Amount"))
        if amount is None:
            return None
        net += amount if (row.findtext(f"{_CBC}ChargeIndicator") or "").strip() in ("true", "1") else -amount
    return to_cents(net)
