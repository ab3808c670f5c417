"""A payment file (pain.001) as blocks and payments, with the totals that it states of itself."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from lxml import etree

from integrations.connectors.iso20022.names import INITIATION, Message, child, children, local, read_message, text
from integrations.connectors.iso20022.values import NOT_PROVIDED, currency_of, decimal_of, looks_like
from integrations.refusals import MessageNotUnderstood, Money

AMOUNTS = ("InstdAmt", "EqvtAmt/Amt")


@dataclass(frozen=True, eq=False)
class Payment:
    """One credit transfer. `position` counts from 1 through the whole file. What was read once is kept."""

    element: etree._Element
    block: etree._Element
    position: int

    @cached_property
    def block_id(self) -> str:
        return text(self.block, "PmtInfId")

    @cached_property
    def instruction_id(self) -> str:
        return text(self.element, "PmtId/InstrId")

    @cached_property
    def end_to_end_id(self) -> str:
        """The identifier as it stands, also NOTPROVIDED."""
        return text(self.element, "PmtId/EndToEndId")

    @cached_property
    def given_end_to_end_id(self) -> str:
        """The identifier when it identifies anything."""
        stands = self.end_to_end_id
        return "" if stands.upper() == NOT_PROVIDED else stands

    @cached_property
    def uetr(self) -> str:
        return text(self.element, "PmtId/UETR")

    @cached_property
    def amount_element(self) -> etree._Element | None:
        return next((found for path in AMOUNTS if (found := child(self.element, f"Amt/{path}")) is not None), None)

    @cached_property
    def money(self) -> Money | None:
        element = self.amount_element
        if element is None:
            return None
        amount, currency = decimal_of(element.text or ""), currency_of(element.get("Ccy", ""))
        return Money(amount, currency) if amount is not None and currency else None

    @cached_property
    def debtor_account(self) -> str:
        return account_of(self.block, "DbtrAcct")

    @cached_property
    def creditor_account(self) -> str:
        return account_of(self.element, "CdtrAcct")

    @cached_property
    def creditor_name(self) -> str:
        return text(self.element, "Cdtr/Nm")

    @cached_property
    def execution_date(self) -> str:
        """The requested date, or date and time, as it stands."""
        return text(self.block, "ReqdExctnDt/Dt", "ReqdExctnDt/DtTm", "ReqdExctnDt")


class PaymentFile:
    """A payment file; do not change the tree."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.header = child(message.body, "GrpHdr")
        self.message_id = text(self.header, "MsgId")
        self.blocks = children(message.body, "PmtInf")

    @cached_property
    def payments(self) -> tuple[Payment, ...]:
        found = ((element, block) for block in self.blocks for element in children(block, "CdtTrfTxInf"))
        return tuple(Payment(element, block, position) for position, (element, block) in enumerate(found, start=1))

    @cached_property
    def repeated_end_to_end_ids(self) -> frozenset[tuple[str, str]]:
        """Debtor account and identifier of payments that share both."""
        counts = Counter(
            (payment.debtor_account, payment.given_end_to_end_id)
            for payment in self.payments
            if payment.given_end_to_end_id
        )
        return frozenset(name for name, count in counts.items() if count > 1)

    @cached_property
    def block_parts(self) -> dict[etree._Element, list[etree._Element]]:
        """What each block says of all its payments."""
        return {
            block: [part for part in block.iterchildren("*") if local(part) != "CdtTrfTxInf"] for block in self.blocks
        }

    def total_findings(self) -> Iterator[tuple[etree._Element, str, str]]:
        """Where a total that the file states is not what its payments come to: element, what is right, in words."""
        yield from _findings(self.header, self.payments, "The file")
        for block in self.blocks:
            held = tuple(payment for payment in self.payments if payment.block is block)
            yield from _findings(block, held, f"Block {text(block, 'PmtInfId') or '(unnamed)'}")


def _findings(
    holder: etree._Element | None, payments: tuple[Payment, ...], name: str
) -> Iterator[tuple[etree._Element, str, str]]:
    stated_count, stated_sum = child(holder, "NbOfTxs"), child(holder, "CtrlSum")
    stands = (stated_count.text or "").strip() if stated_count is not None else ""
    counted = int(stands) if stands.isascii() and stands.isdigit() else None
    if stated_count is not None and counted != len(payments):
        words = f"{name} states {stands or 'no number of'} payments and holds {len(payments)}."
        yield stated_count, str(len(payments)), words
    total = sum_of(payments)
    if stated_sum is not None and total is not None:
        stands = (stated_sum.text or "").strip()
        if decimal_of(stands) != total:
            yield stated_sum, plain(total), f"{name} states a control sum of {stands}; its payments come to {total:,}."


def sum_of(payments: tuple[Payment, ...]) -> Decimal | None:
    """The control sum: all amounts added, whatever their currency; None when one cannot be read."""
    total = Decimal(0)
    for payment in payments:
        element = payment.amount_element
        amount = decimal_of(element.text or "") if element is not None else None
        if amount is None:
            return None
        total += amount
    return total


def plain(amount: Decimal) -> str:
    """A decimal as XML writes it: no exponent."""
    return f"{amount:f}"


def account_of(element: etree._Element | None, name: str) -> str:
    """The account's IBAN, or whatever other number it has."""
    return looks_like(text(element, f"{name}/Id/IBAN", f"{name}/Id/Othr/Id", f"{name}/Id/PrtryAcct/Id"))


def read_file(payload: bytes, *, field: str = "payload") -> PaymentFile:
    """Parse a payment file; raises MessageNotUnderstood when it is not a pain.001 with payments."""
    return file_of(read_message(payload, field=field), field=field)


def file_of(message: Message, *, field: str = "payload") -> PaymentFile:
    """The same for a message that is already parsed."""
    if message.kind != INITIATION:
        raise MessageNotUnderstood(
            f"The document is “{message.name or message.kind}”, not a pain.001.",
            field=field,
            remedy="Send the payment file (pain.001) as it went to the bank.",
        )
    file = PaymentFile(message)
    if not file.payments:
        raise MessageNotUnderstood(
            "The payment file holds no payment.", field=field, remedy="Send the pain.001 as it went to the bank."
        )
    return file
