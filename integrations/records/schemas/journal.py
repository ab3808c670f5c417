"""Canonical journal entry, version 1, as a document."""

from typing import Final

from integrations.records.journal import VERSION
from integrations.records.record import ValueKind
from integrations.records.schemas.description import Part, Term
from integrations.records.schemas.shared import CURRENCY

_IDENTIFIER: Final = ValueKind.IDENTIFIER

_LINES: Final = Part(
    "lines",
    "Lines",
    (
        Term("account", "G/L account", _IDENTIFIER, required=True),
        Term("cost_center", "Cost centre", _IDENTIFIER),
        Term("profit_center", "Profit centre", _IDENTIFIER),
        Term("debit", "Debit", ValueKind.AMOUNT, hint="Either a debit or a credit"),
        Term("credit", "Credit", ValueKind.AMOUNT, hint="Either a debit or a credit"),
        Term("text", "Text"),
    ),
    required=True,
    fewest=2,
    noun="line",
)
JOURNAL: Final = Part(
    "journal",
    "Journal entry",
    (
        Term("company", "Company code", _IDENTIFIER, required=True),
        Term("reference", "Reference", _IDENTIFIER, required=True),
        Term("posting_date", "Posting date", ValueKind.DATE, required=True),
        CURRENCY,
        Term("text", "Text"),
        _LINES,
    ),
    version=VERSION,
)
