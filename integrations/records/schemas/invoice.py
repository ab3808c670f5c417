"""Canonical invoice, version 1, as a document."""

from typing import Final

from integrations.records.invoice import VERSION
from integrations.records.record import ValueKind
from integrations.records.schemas.description import Part, Term
from integrations.records.schemas.shared import CURRENCY, party

_AMOUNT, _CODE, _DATE = ValueKind.AMOUNT, ValueKind.CODE, ValueKind.DATE
_IDENTIFIER, _QUANTITY = ValueKind.IDENTIFIER, ValueKind.QUANTITY

_LINES: Final = Part(
    "lines",
    "Lines",
    (
        Term("item", "Item", _IDENTIFIER),
        Term("description", "Description"),
        Term("product_family", "Product family", _IDENTIFIER, hint="Decides where the revenue is posted"),
        Term("quantity", "Quantity", _QUANTITY, required=True),
        Term("unit_price", "Unit price", _AMOUNT, required=True),
        Term("net_amount", "Net amount", _AMOUNT, required=True),
        Term("tax_code", "Tax code", _CODE, required=True),
        Term("tax_rate", "Tax rate", ValueKind.PERCENT),
        Term("account", "G/L account", _IDENTIFIER),
        Term("cost_center", "Cost centre", _IDENTIFIER),
    ),
    required=True,
    fewest=1,
    noun="line",
)
INVOICE: Final = Part(
    "invoice",
    "Invoice",
    (
        Term("number", "Invoice number", _IDENTIFIER, required=True),
        Term("type_code", "Type", _CODE, hint="UNTDID 1001: 380 invoice, 381 credit note; an invoice when left out"),
        Term("issue_date", "Issue date", _DATE, required=True),
        Term("posting_date", "Posting date", _DATE),
        Term("due_date", "Due date", _DATE),
        CURRENCY,
        Term("order_reference", "Order reference", _IDENTIFIER),
        party("seller", "Seller"),
        party("buyer", "Buyer"),
        _LINES,
        Term("total_without_vat", "Net amount", _AMOUNT, required=True),
        Term("total_vat", "VAT", _AMOUNT, required=True),
        Term("total_with_vat", "Total", _AMOUNT, required=True),
        Term("amount_due", "Amount due", _AMOUNT),
    ),
    version=VERSION,
)
