"""What a payment is called by all who have to do with it: the debtor's account and the end-to-end identifier."""

from integrations.connectors.iso20022.envelope import name_of
from integrations.connectors.iso20022.initiation import Payment, PaymentFile, read_file


def business_key(payload: bytes) -> str:
    """`IBAN|end-to-end identifier` of the payment in a file; of a bundle `IBAN|message identifier`.

    Raises MessageNotUnderstood. Without an end-to-end identifier the instruction identifier stands for it; a payment
    without either is known by its place in the file that it first came in.
    """
    file = read_file(payload)
    if len(file.payments) == 1:
        return business_key_of(file, file.payments[0])
    return f"{file.payments[0].debtor_account}|{file.message_id}"


def business_key_of(file: PaymentFile, payment: Payment) -> str:
    return f"{payment.debtor_account}|{name_of(file, payment)}"
