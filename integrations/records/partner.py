"""Canonical business partner, version 1: a supplier or a customer, with the path each value came from."""

from dataclasses import dataclass
from datetime import date

from integrations.records.record import Headline, Party, Record, RecordField

VERSION = "partner/1"


@dataclass(frozen=True, slots=True)
class PartnerRecord(Record):
    kind: str  # "Supplier", "Customer"
    number: str
    company: str  # company code: for whose books
    name: str
    country: str  # ISO 3166-1 alpha-2
    vat_id: str
    account: str  # IBAN
    currency: str  # empty when none is agreed
    valid_from: date | None
    fields: tuple[RecordField, ...]
    version: str = VERSION

    @property
    def headline(self) -> Headline:
        """Master data moves no money: it has no amount."""
        numbers = (self.number,) if self.number else ()
        partner = Party(self.name or self.number, self.country, self.vat_id, numbers)
        company = Party(name=self.company, identifiers=(self.company,) if self.company else ())
        return Headline(
            title=self.kind,
            number=self.number,
            number_label="Number",
            document_date=self.valid_from,
            date_label="Valid from",
            due_label="",
            counterparty=partner,
            parties={self.kind: partner, "Company code": company},
            amount=None,
            currency=self.currency,
            identifiers={"Bank account": (self.account,)} if self.account else {},
        )
