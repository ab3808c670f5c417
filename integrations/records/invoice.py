"""Canonical invoice, version 1: a read-only projection of a payload, with the path each value came from."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from integrations.records.record import Headline, Party, Record, RecordField

VERSION = "invoice/1"


@dataclass(frozen=True, slots=True)
class InvoiceRecord(Record):
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

    @property
    def line_columns(self) -> tuple[str, ...]:
        """As an ERP books it; the lines of an e-invoice have too many fields for one row."""
        return (
            "Product family", "Description", "Quantity", "Unit price", "Net amount", "Tax code", "G/L account",
            "Cost centre",
        )  # fmt: skip

    @property
    def headline(self) -> Headline:
        return Headline(
            title="Credit note" if self.is_credit_note else "Invoice",
            number=self.number,
            number_label="Invoice number",
            document_date=self.issue_date,
            date_label="Issued",
            due_date=self.due_date,
            counterparty=self.buyer,
            parties={"Seller": self.seller, "Buyer": self.buyer},
            amount=self._signed_total(),
            currency=self.currency,
            totals={
                "Net": self.total_without_vat,
                "VAT": self.total_vat,
                "Total": self.total_with_vat,
                "Amount due": self.amount_due,
            },
            grand_total="Total",
        )

    def _signed_total(self) -> Decimal | None:
        """A credit note states positive totals and takes money back, so sums need it negative."""
        amount = self.total_with_vat if self.total_with_vat is not None else self.amount_due
        return -amount if amount is not None and self.is_credit_note else amount
