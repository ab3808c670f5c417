"""How reason codes are grouped: one category, one part of the payment, many codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from integrations.refusals import Category


class About(StrEnum):
    """The part of a payment that a reason speaks of, so that the form can point at it."""

    PAYMENT = "payment"
    CREDITOR_ACCOUNT = "creditor_account"
    CREDITOR_AGENT = "creditor_agent"
    CREDITOR = "creditor"
    DEBTOR_ACCOUNT = "debtor_account"
    DEBTOR_AGENT = "debtor_agent"
    DEBTOR = "debtor"
    AMOUNT = "amount"
    DATE = "date"
    END_TO_END_ID = "end_to_end_id"
    INSTRUCTION_ID = "instruction_id"
    REMITTANCE = "remittance"
    CONTROL_SUM = "control_sum"
    NUMBER_OF_PAYMENTS = "number_of_payments"
    MESSAGE_ID = "message_id"
    BLOCK_ID = "block_id"
    CREATED = "created"


@dataclass(frozen=True, slots=True)
class ReasonGroup:
    category: Category
    sub: str
    codes: Mapping[str, str]
    about: About = About.PAYMENT
    auto_retry: bool = False
