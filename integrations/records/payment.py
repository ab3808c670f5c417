"""Canonical payment, version 1: a read-only projection of one credit transfer, with the path each value came from."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from integrations.records.record import Headline, Party, Record, RecordField

VERSION = "payment/1"


@dataclass(frozen=True, slots=True)
class PaymentRecord(Record):
    end_to_end_id: str  # empty when nobody gave one
    instruction_id: str
    uetr: str  # unique end-to-end transaction reference
    message_id: str
    created_date: date | None
    execution_date: date | None  # requested
    debtor: Party
    debtor_account: str  # IBAN, or what the bank uses instead
    creditor: Party
    creditor_account: str
    creditor_bic: str
    amount: Decimal | None
    currency: str
    remittance: str
    fields: tuple[RecordField, ...]
    version: str = VERSION

    @property
    def headline(self) -> Headline:
        return Headline(
            title="Payment",
            number=self.end_to_end_id or self.instruction_id or self.message_id,
            number_label="End-to-end identifier",
            document_date=self.created_date,
            date_label="Created",
            due_date=self.execution_date,
            due_label="Execute on",
            counterparty=self.creditor,
            parties={"Payee": self.creditor, "Payer": self.debtor},
            amount=self.amount,
            currency=self.currency,
            totals={"Amount": self.amount},
            grand_total="Amount",
            identifiers={
                label: (value,)
                for label, value in {
                    "Instruction": self.instruction_id,
                    "UETR": self.uetr,
                    "Payment file": self.message_id,
                    "Remittance": self.remittance,
                }.items()
                if value
            },
        )
