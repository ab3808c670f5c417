"""The business facts of a transaction that a case carries for lists and search."""

import unicodedata
from decimal import Decimal
from typing import Any

from exceptions_app.models import ExceptionCase, Identifier
from integrations.records.invoice import InvoiceRecord

# Letters with a stroke, which Unicode does not take apart into a letter and a mark.
_STROKES = str.maketrans({"Ł": "L", "Ø": "O", "Đ": "D", "Ħ": "H", "Æ": "AE", "Œ": "OE"})


def fold(text: str) -> str:
    """One spelling for all: upper case, without separators and accents, in any script.

    So `inv 2026/123` is `INV-2026-123`, and who has no ø on the keyboard finds Ørsted by `orsted`.
    """
    apart = unicodedata.normalize("NFKD", text.upper().translate(_STROKES))
    return "".join(character for character in apart if character.isalnum())


def facts_of(record: InvoiceRecord) -> dict[str, Any]:
    """The narrow columns of an exception that repeat its document."""
    currency = record.currency if len(record.currency) == 3 else ""
    return {
        "document_number": record.number[:200],
        "document_date": record.issue_date,
        "counterparty": (record.buyer.name or record.buyer.vat_id)[:200],
        "amount": _amount_of(record) if currency else None,
        "currency": currency,
    }


def _amount_of(record: InvoiceRecord) -> Decimal | None:
    """The total with its sign: a credit note states positive totals and takes money back, so sums need it negative."""
    amount = record.total_with_vat if record.total_with_vat is not None else record.amount_due
    return -amount if amount is not None and record.is_credit_note else amount


def remember_identifiers(case: ExceptionCase, record: InvoiceRecord, **more: str) -> None:
    """Keep every spelling by which a person may ask for it: numbers, names, tax numbers, references."""
    found = {
        "Invoice number": [record.number],
        "Buyer": [record.buyer.name, record.buyer.vat_id, *record.buyer.identifiers],
        "Seller": [record.seller.name, record.seller.vat_id, *record.seller.identifiers],
        **{label: [value] for label, value in more.items()},
    }
    Identifier.objects.bulk_create(
        [
            Identifier(case=case, label=label, value=value[:300], folded=fold(value)[:300])
            for label, values in found.items()
            for value in values
            if value and fold(value)
        ],
        ignore_conflicts=True,
    )
