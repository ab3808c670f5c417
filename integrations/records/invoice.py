"""Canonical invoice, version 1: a read-only projection of a payload, with the path each value came from."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

VERSION = "invoice/1"


class ValueKind(StrEnum):
    TEXT = "text"
    DATE = "date"
    AMOUNT = "amount"
    PERCENT = "percent"
    QUANTITY = "quantity"
    CODE = "code"
    IDENTIFIER = "identifier"


@dataclass(frozen=True, slots=True)
class RecordField:
    """One business field: what a person calls it, and where it stands in the payload.

    `path` is an XPath into the payload; when the payload lacks the field, it is the path at which it would stand.
    `value` is the text as it stands there, None when it is absent.
    """

    term: str  # EN 16931 business term, such as "BT-2"
    label: str
    group: str  # heading in the form: "Document", "Seller", "Totals", "Line 1" …
    kind: ValueKind
    path: str
    value: str | None
    hint: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Party:
    name: str
    country: str  # ISO 3166-1 alpha-2
    vat_id: str
    identifiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InvoiceRecord:
    number: str
    type_code: str  # UNTDID 1001: 380 invoice, 381 credit note
    is_credit_note: bool  # its totals, positive as they stand, are money that goes back to the buyer
    issue_date: date | None
    due_date: date | None
    currency: str
    seller: Party
    buyer: Party
    total_without_vat: Decimal | None
    total_vat: Decimal | None
    total_with_vat: Decimal | None
    amount_due: Decimal | None
    fields: tuple[RecordField, ...]
    version: str = VERSION

    def field_at(self, path: str) -> RecordField | None:
        return next((field for field in self.fields if field.path == path), None)
