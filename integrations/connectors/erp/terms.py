"""The fields of a posting: what the ERP calls them, what a person calls them, and which must be there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from integrations.records.record import ValueKind

LINES: Final = "lines"
NUMERIC: Final = frozenset({ValueKind.AMOUNT, ValueKind.QUANTITY})


@dataclass(frozen=True, slots=True)
class Term:
    name: str
    label: str
    kind: ValueKind
    group: str = "Document"
    required: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of posting. `number` is the field that, with the company code, names a document."""

    object_type: str
    title: str
    number: str
    head: Mapping[str, Term]
    line: Mapping[str, Term]
    fewest_lines: int = 1
    by_folded_name: Mapping[str, str] = field(default_factory=dict)


_TEXT, _DATE, _AMOUNT = ValueKind.TEXT, ValueKind.DATE, ValueKind.AMOUNT
_CODE, _IDENTIFIER, _QUANTITY = ValueKind.CODE, ValueKind.IDENTIFIER, ValueKind.QUANTITY

_COST_CENTER: Final = Term("cost_center", "Cost centre", _IDENTIFIER)
_ACCOUNT: Final = Term("account", "G/L account", _IDENTIFIER, required=True)
_COMPANY: Final = Term("company", "Company code", _IDENTIFIER, required=True)
_POSTING_DATE: Final = Term("posting_date", "Posting date", _DATE, required=True)
_CURRENCY: Final = Term("currency", "Currency", _CODE, required=True)

_JOURNAL_HEAD: Final = (
    _COMPANY,
    Term("reference", "Reference", _IDENTIFIER, required=True),
    _POSTING_DATE,
    _CURRENCY,
    Term("text", "Text", _TEXT),
)
_JOURNAL_LINE: Final = (
    _ACCOUNT,
    _COST_CENTER,
    Term("profit_center", "Profit centre", _IDENTIFIER),
    Term("debit", "Debit", _AMOUNT, hint="Either a debit or a credit"),
    Term("credit", "Credit", _AMOUNT, hint="Either a debit or a credit"),
    Term("text", "Text", _TEXT),
)
_INVOICE_HEAD: Final = (
    _COMPANY,
    Term("number", "Invoice number", _IDENTIFIER, required=True),
    Term("invoice_date", "Invoice date", _DATE, required=True),
    _POSTING_DATE,
    Term("due_date", "Due date", _DATE),
    _CURRENCY,
    Term("customer", "Customer account", _IDENTIFIER, "Customer", required=True),
    Term("customer_name", "Customer name", _TEXT, "Customer"),
    Term("customer_vat_id", "Customer VAT identifier", _IDENTIFIER, "Customer"),
    Term("net_amount", "Net amount", _AMOUNT, "Totals", required=True),
    Term("tax_amount", "Tax amount", _AMOUNT, "Totals", required=True),
    Term("total", "Total", _AMOUNT, "Totals", required=True),
)
_INVOICE_LINE: Final = (
    Term("product_family", "Product family", _IDENTIFIER, hint="Decides to which revenue account the line is posted"),
    Term("description", "Description", _TEXT),
    Term("quantity", "Quantity", _QUANTITY, required=True),
    Term("unit_price", "Unit price", _AMOUNT, required=True),
    Term("net_amount", "Net amount", _AMOUNT, required=True),
    Term("tax_code", "Tax code", _CODE, required=True),
    Term("account", "G/L account", _IDENTIFIER),
    _COST_CENTER,
)


def _folded(name: str) -> str:
    return name.replace("_", "").casefold()


def _layout(
    object_type: str, title: str, *, number: str, head: tuple[Term, ...], line: tuple[Term, ...], fewest_lines: int
) -> Layout:
    names = {_folded(term.name): term.name for term in (*head, *line)} | {LINES: LINES}
    return Layout(
        object_type,
        title,
        number,
        head=MappingProxyType({term.name: term for term in head}),
        line=MappingProxyType({term.name: term for term in line}),
        fewest_lines=fewest_lines,
        by_folded_name=MappingProxyType(names),
    )


LAYOUTS: Final = MappingProxyType(
    {
        "journal": _layout(
            "journal", "Journal entry", number="reference", head=_JOURNAL_HEAD, line=_JOURNAL_LINE, fewest_lines=2
        ),
        "customer_invoice": _layout(
            "customer_invoice", "Customer invoice", number="number", head=_INVOICE_HEAD, line=_INVOICE_LINE,
            fewest_lines=1,
        ),
    }
)  # fmt: skip


def name_in(layout: Layout, name: str) -> str:
    """The field that a name means, whether it is written posting_date or PostingDate; itself when none is known."""
    return layout.by_folded_name.get(_folded(name), name)
