"""What the bank tells of a payment that it has: whom it pays, how much and when, and nothing else of the order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from integrations.answers import reference_of, text_of
from integrations.connectors.held import Held, ShowsContent, rows_in
from integrations.connectors.iso20022.fields import field_about, fields_of
from integrations.connectors.iso20022.initiation import Payment, PaymentFile, read_file
from integrations.connectors.iso20022.reason_groups import About
from integrations.records.record import RecordField
from integrations.target_lists import time_in

_TOLD: Final[Mapping[str, About]] = {
    "amount": About.AMOUNT,
    "creditor_account": About.CREDITOR_ACCOUNT,
    "debtor_account": About.DEBTOR_ACCOUNT,
    "execution_date": About.DATE,
    "end_to_end_id": About.END_TO_END_ID,
    "instruction_id": About.INSTRUCTION_ID,
}
_CURRENCY: Final = "/@Ccy"  # how the path of a currency ends


def entries_in(answer: bytes) -> Sequence[Mapping[str, Any]]:
    return rows_in(answer, "payments")


def held(entry: Mapping[str, Any], *, content: bytes) -> Held:
    """Raises MessageNotUnderstood when our own content cannot be read."""
    file = read_file(content)
    payment = _payment_of(entry, file)
    sent = fields_of(file, payment)
    found = tuple(_told(entry, file, payment, sent))
    told = {field.path for field in found}
    return Held(
        reference=reference_of(entry, "reference"),
        shows=ShowsContent.FIELDS if found else ShowsContent.NOTHING,
        fields=found,
        untold=frozenset(field.path for field in sent if field.path not in told),
        booked_at=time_in(entry, "booked_at"),
        came_in=text_of(entry, "message_id"),
    )


def _payment_of(entry: Mapping[str, Any], file: PaymentFile) -> Payment:
    """Which of ours an entry is about: a file that was sent as it is may hold several."""
    name = text_of(entry, "end_to_end_id")
    return next((payment for payment in file.payments if payment.end_to_end_id == name), file.payments[0])


def _told(
    entry: Mapping[str, Any], file: PaymentFile, payment: Payment, sent: Sequence[RecordField]
) -> Sequence[RecordField]:
    """In the order of our own fields, each at its place in our file."""
    currency = text_of(entry, "currency")
    values: dict[str, str] = {}
    for name, about in _TOLD.items():
        field = field_about(about, file, payment)
        if field is not None and text_of(entry, name):
            values[field.path] = text_of(entry, name)
    if currency:
        values |= {field.path: currency for field in sent if field.path.endswith(_CURRENCY)}
    return [
        replace(field, value=values[field.path], currency=currency if field.currency else "")
        for field in sent
        if field.path in values
    ]
