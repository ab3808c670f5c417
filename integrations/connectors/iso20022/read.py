"""The canonical record of a payment file that holds one payment, with the path of every value."""

from functools import lru_cache

from lxml import etree

from integrations.connectors.iso20022.fields import fields_of
from integrations.connectors.iso20022.initiation import Payment, PaymentFile, account_of, read_file
from integrations.connectors.iso20022.names import child, children, text
from integrations.connectors.iso20022.values import date_of
from integrations.records.payment import PaymentRecord
from integrations.records.record import Party
from integrations.refusals import MessageNotUnderstood


@lru_cache(maxsize=16)
def read(payload: bytes) -> PaymentRecord:
    """The canonical projection of a payload; raises MessageNotUnderstood.

    One page asks several times about the same bytes, and a record is never changed: so the last few are kept.
    """
    file = read_file(payload)
    if len(file.payments) > 1:
        raise MessageNotUnderstood(
            f"The payment file holds {len(file.payments)} payments; an exception is about one.",
            remedy="Send the file together with the bank's report, so that it can be split.",
        )
    return record_of(file, file.payments[0])


def record_of(file: PaymentFile, payment: Payment) -> PaymentRecord:
    """The record of one payment of a file that is already parsed."""
    money, amount = payment.money, payment.amount_element
    return PaymentRecord(
        end_to_end_id=payment.given_end_to_end_id,
        instruction_id=payment.instruction_id,
        uetr=payment.uetr,
        message_id=file.message_id,
        created_date=date_of(text(file.header, "CreDtTm")),
        execution_date=date_of(payment.execution_date),
        debtor=_party(payment.block, "Dbtr"),
        debtor_account=payment.debtor_account,
        creditor=_party(payment.element, "Cdtr"),
        creditor_account=payment.creditor_account,
        creditor_bic=text(payment.element, "CdtrAgt/FinInstnId/BICFI", "CdtrAgt/FinInstnId/BIC"),
        amount=money.amount if money is not None else None,
        currency=money.currency if money is not None else (amount.get("Ccy", "") if amount is not None else ""),
        remittance=remittance_of(payment.element),
        fields=fields_of(file, payment),
    )


def remittance_of(element: etree._Element) -> str:
    """All remittance text, and the structured references."""
    information = child(element, "RmtInf")
    lines = ["".join((line.text or "").splitlines()) for line in children(information, "Ustrd")]
    lines += [text(part, "CdtrRefInf/Ref") for part in children(information, "Strd")]
    return " ".join(line for line in lines if line)


def _party(holder: etree._Element, name: str) -> Party:
    account = account_of(holder, f"{name}Acct")
    identifiers = (account, text(holder, f"{name}/Id/OrgId/Othr/Id", f"{name}/Id/PrvtId/Othr/Id"))
    return Party(
        name=text(holder, f"{name}/Nm"),
        country=text(holder, f"{name}/PstlAdr/Ctry", f"{name}/CtryOfRes"),
        identifiers=tuple(found for found in identifiers if found),
    )
