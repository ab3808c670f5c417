"""What a person does about a bank's reason, and what of it the check of a payment would find again."""

from collections.abc import Iterator
from typing import Final

from integrations.connectors.iso20022.codes import REASONS, reason_of
from integrations.connectors.iso20022.reason_groups import About

_CONFIRM: Final = "Ask the payee, confirm the answer on a known telephone number, and correct it here."
# By the second level of the category.
_REMEDIES: Final = {
    "bank_details": _CONFIRM,
    "bank_identifier": "Take the bank code from the payee's confirmed bank details, and correct it here.",
    "payee": "Complete name and address as the payee's bank has them.",
    "payer": "Complete our own name and address as the bank has them.",
    "amount": "Compare the amount with the invoice, and correct it here.",
    "insufficient_funds": "Move money to the account or choose a later day; then propose it again.",
    "cut_off": "Choose the next banking day as execution date.",
    "date": "Choose a banking day from today on.",
    "same_payment": "Find out whether it was paid already. If so, close this as a duplicate.",
    "same_file": "The corrected payment goes in a file with a new identifier. Make sure that it was not paid already.",
    "regulatory": "Ask compliance what the bank needs. Do not send it again before that is clear.",
    "blocked_by_authority": "Hand it to compliance. Do not send it again.",
    "remittance": "Shorten or correct the remittance information.",
    "not_permitted": "Choose another account, or ask the bank what this account allows.",
    "fraud": "Stop, and inform treasury control and the bank.",
    "settlement": "Ask the bank whether it may be sent again.",
    "narrative": "Ask the bank what it means.",
    "no_reason": "Ask the bank for the reason.",
}
# Where the payment is ours to mend, but not the payee's to confirm.
_OUR_ACCOUNT: Final = "Choose an account of ours that the bank knows and that is open."
# What amount and totals alone decide. FF01 is not among them: a bank may ask for more than the schema does.
_FOUND: Final = frozenset({"AM01", "AM10", "AM18"})


def is_found_by_our_check(code: str) -> bool:
    """Whether amount and totals show it; whether an account is the right one, and open, only the bank knows."""
    return code.strip().upper() in _FOUND


def remedy_of(code: str) -> str:
    """What to do about a reason; empty where its plain words say that themselves, in a second sentence."""
    reason = reason_of(code)
    if reason is None or ". " in reason.plain:
        return ""
    if reason.about is About.DEBTOR_ACCOUNT and reason.sub == "bank_details":
        return _OUR_ACCOUNT
    return _REMEDIES.get(reason.sub, "")


def sentences() -> Iterator[str]:
    """Each sentence about a reason and what to do about it, for a catalogue of other languages."""
    yield from (reason.plain for reason in REASONS.values())
    yield from (*_REMEDIES.values(), _OUR_ACCOUNT)
