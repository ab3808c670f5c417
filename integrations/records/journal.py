"""Canonical journal entry, version 1: a read-only projection of a payload, with the path each value came from."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from integrations.records.record import Headline, Party, Record, RecordField

VERSION = "journal/1"


@dataclass(frozen=True, slots=True)
class JournalLine:
    account: str
    cost_center: str
    profit_center: str
    debit: Decimal | None
    credit: Decimal | None
    text: str


@dataclass(frozen=True, slots=True)
class JournalRecord(Record):
    company: str  # company code: whose books
    reference: str
    posting_date: date | None
    currency: str
    text: str
    lines: tuple[JournalLine, ...]
    fields: tuple[RecordField, ...]
    version: str = VERSION

    @property
    def total_debit(self) -> Decimal | None:
        return _sum([line.debit for line in self.lines])

    @property
    def total_credit(self) -> Decimal | None:
        return _sum([line.credit for line in self.lines])

    @property
    def line_columns(self) -> tuple[str, ...]:
        return ("G/L account", "Text", "Cost centre", "Profit centre", "Debit", "Credit")

    @property
    def headline(self) -> Headline:
        company = Party(name=self.company, identifiers=(self.company,) if self.company else ())
        return Headline(
            title="Journal entry",
            number=self.reference,
            number_label="Reference",
            document_date=self.posting_date,
            date_label="Posting date",
            due_label="",
            # A journal has no other side: it is known by what it is for, and by whose books it changes.
            counterparty=Party(name=self.text or self.company, identifiers=company.identifiers),
            parties={"Company code": company},
            amount=self.total_debit,
            currency=self.currency,
            totals={"Debit": self.total_debit, "Credit": self.total_credit},
            grand_total="Debit",
            identifiers={"Text": (self.text,)} if self.text else {},
        )


def _sum(amounts: list[Decimal | None]) -> Decimal | None:
    """None when no line has such an amount."""
    present = [amount for amount in amounts if amount is not None]
    return sum(present, start=Decimal(0)) if present else None
