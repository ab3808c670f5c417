"""Canonical payment, version 1, as a document: one credit transfer."""

from typing import Final

from integrations.records.payment import VERSION
from integrations.records.record import ValueKind
from integrations.records.schemas.description import Part, Term
from integrations.records.schemas.shared import CURRENCY, party

_IDENTIFIER, _DATE = ValueKind.IDENTIFIER, ValueKind.DATE

PAYMENT: Final = Part(
    "payment",
    "Payment",
    (
        Term("end_to_end_id", "End-to-end identifier", _IDENTIFIER, required=True),
        Term("instruction_id", "Instruction identifier", _IDENTIFIER),
        Term("uetr", "UETR", _IDENTIFIER, hint="Unique end-to-end transaction reference"),
        Term("message_id", "Message identifier", _IDENTIFIER),
        Term("created_date", "Created", _DATE),
        Term("execution_date", "Requested execution date", _DATE, required=True),
        party("debtor", "Debtor"),
        Term("debtor_account", "Debtor's account", _IDENTIFIER, required=True, hint="IBAN, or what the bank uses"),
        party("creditor", "Creditor"),
        Term("creditor_account", "Creditor's account", _IDENTIFIER, required=True, hint="IBAN, or what the bank uses"),
        Term("creditor_bic", "Creditor's BIC", _IDENTIFIER),
        Term("amount", "Amount", ValueKind.AMOUNT, required=True),
        CURRENCY,
        Term("remittance", "Remittance information"),
    ),
    version=VERSION,
)
