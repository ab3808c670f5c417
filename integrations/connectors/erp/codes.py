"""What the ERP's message codes mean: the category, and one sentence in a clerk's words.

A code is a message class and a number, as SAP writes them: F5/201. Classes beginning with Z are an installation's own;
ZFI is the one that our counterpart uses for what the standard classes say less exactly. A code that is not listed keeps
the ERP's own text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from integrations.refusals import Category


@dataclass(frozen=True, slots=True)
class Meaning:
    """`field` is where a message points when the ERP does not say; `generic` only announces the other messages."""

    category: Category
    sub: str
    plain: str
    field: str = ""
    auto_retry: bool = False
    generic: bool = False


_MASTER, _BUSINESS, _PERIOD = Category.MASTER_DATA, Category.BUSINESS_VALIDATION, Category.PERIOD_CLOSED
_DUPLICATE, _TRANSPORT, _HOLD = Category.DUPLICATE, Category.TRANSPORT, Category.POLICY_HOLD

_ERROR_IN_DOCUMENT: Final = Meaning(_BUSINESS, "document", "The ERP found errors in the posting.", generic=True)
_NO_COST_OBJECT: Final = Meaning(_BUSINESS, "missing_cost_center", "The account needs a cost centre.", "cost_center")
_UNBALANCED: Final = Meaning(_BUSINESS, "unbalanced", "Debits and credits do not come to the same sum.")
_UNKNOWN_TAX_CODE: Final = Meaning(_MASTER, "unknown_tax_code", "The ERP does not know the tax code.", "tax_code")
_LOCKED: Final = Meaning(
    _TRANSPORT, "locked", "Somebody is working on a record that this posting needs.", auto_retry=True
)

_MEANINGS: Final[dict[str, Meaning]] = {
    "RW/609": _ERROR_IN_DOCUMENT,
    "RW/033": _UNBALANCED,
    "ZFI/092": Meaning(_BUSINESS, "nothing_to_reverse", "The ERP does not have the document that is to be reversed."),
    "ZFI/091": Meaning(_BUSINESS, "reversed_already", "The document that is to be reversed is reversed already."),
    "F5/201": Meaning(_PERIOD, "closed", "The posting period of this date is closed.", "posting_date"),
    "F5/702": _UNBALANCED,
    "F5/102": Meaning(
        _MASTER, "unknown_customer", "The ERP does not know this customer in the company code.", "customer"
    ),
    "F5/263": Meaning(_BUSINESS, "clearing_difference", "The difference is too large to be cleared."),
    "F5/286": Meaning(_DUPLICATE, "suspected", "A document with this reference may have been posted before.", "number"),
    "F5/350": Meaning(
        _MASTER, "account_not_postable", "The account cannot be posted to directly; its ledger posts to it.", "account"
    ),
    "F5/808": Meaning(_BUSINESS, "required", "The account needs a field that is empty."),
    "FF/101": _UNKNOWN_TAX_CODE,
    "FF/112": Meaning(_MASTER, "unknown_currency", "The ERP does not know the currency.", "currency"),
    "FF/747": _UNKNOWN_TAX_CODE,
    "KI/100": Meaning(
        _MASTER, "wrong_company", "The cost centre belongs to another company code than the posting.", "cost_center"
    ),
    "KI/235": _NO_COST_OBJECT,
    "GLT2/201": Meaning(_BUSINESS, "missing_profit_center", "The line needs a profit centre.", "profit_center"),
    "SG/105": Meaning(_MASTER, "missing_exchange_rate", "The ERP has no exchange rate for this currency and date."),
    "MC/601": _LOCKED,
    "FINS_FI_POSTING_IF/008": Meaning(_BUSINESS, "required", "The posting has no line."),
    "FINS_FI_POSTING_IF/016": _UNBALANCED,
    "FINS_FI_POSTING_IF/017": Meaning(
        _BUSINESS, "unbalanced", "Debits and credits do not come to the same sum in the company's own currency."
    ),
    "FINS_FI_POSTING_IF/023": Meaning(_BUSINESS, "required", "The line needs a tax code.", "tax_code"),
    "ZFI/001": Meaning(Category.SCHEMA, "not_a_posting", "The ERP could not read the posting."),
    "ZFI/002": Meaning(_BUSINESS, "required", "A field that must be filled is empty."),
    "ZFI/003": Meaning(_BUSINESS, "format", "An amount or a date is not written as one."),
    "ZFI/010": Meaning(_MASTER, "unknown_company", "The ERP does not know the company code.", "company"),
    "ZFI/020": Meaning(_MASTER, "unknown_cost_center", "The ERP does not know the cost centre.", "cost_center"),
    "ZFI/021": Meaning(_MASTER, "blocked_cost_center", "The cost centre is blocked for postings.", "cost_center"),
    "ZFI/030": Meaning(_MASTER, "unknown_account", "The ERP does not know the G/L account.", "account"),
    "ZFI/031": Meaning(_MASTER, "blocked_account", "The G/L account is blocked for postings.", "account"),
    "ZFI/041": Meaning(_MASTER, "blocked_customer", "The customer is blocked for postings.", "customer"),
    "ZFI/050": Meaning(
        _MASTER, "unmapped_product_family", "No revenue account is assigned to the product family.", "product_family"
    ),
    "ZFI/060": Meaning(_BUSINESS, "arithmetic", "The totals do not follow from the lines."),
    "ZFI/070": Meaning(
        _DUPLICATE, "already_processed", "The ERP has already posted a document with this reference.", "number"
    ),
    "ZFI/080": Meaning(_HOLD, "amount_limit", "The amount is above what the ERP books without a second look."),
    "ZFI/081": Meaning(_HOLD, "warning", "The cost centre is to be closed soon.", "cost_center"),
    "ZFI/090": Meaning(_TRANSPORT, "authorization", "The user of the interface may not post in this company code."),
    "ZFI/099": Meaning(_TRANSPORT, "server_error", "The ERP was told to refuse this posting."),
}


_MASTER_DATA: Final = "or have it set up in the ERP and propose this again as it is."
# By the second level of the category.
_REMEDIES: Final = {
    "missing_cost_center": "Enter the cost centre that bears it.",
    "missing_profit_center": "Enter the profit centre of the line.",
    "unbalanced": "Find the line with the wrong amount; debits and credits must come to the same sum.",
    "unknown_tax_code": f"Choose a tax code of this country, {_MASTER_DATA}",
    "closed": "Choose a date in an open period, or ask the controller to open this one.",
    "unknown_customer": f"Choose the customer's account in this company code, {_MASTER_DATA}",
    "blocked_customer": "Ask the owner of the customer's account why it is blocked.",
    "unknown_cost_center": f"Choose a cost centre that exists, {_MASTER_DATA}",
    "blocked_cost_center": "Choose a cost centre that is open; its owner can say which.",
    "wrong_company": "Choose a cost centre of this company code.",
    "unknown_account": f"Choose an account of the chart of accounts, {_MASTER_DATA}",
    "blocked_account": "Choose an account that is open for postings.",
    "account_not_postable": "Post through the ledger of the account, such as receivables, or choose another account.",
    "unmapped_product_family": f"Choose a product family that has a revenue account, {_MASTER_DATA}",
    "unknown_currency": f"Correct the currency, {_MASTER_DATA}",
    "unknown_company": f"Correct the company code, {_MASTER_DATA}",
    "missing_exchange_rate": "Have the rate of the day entered in the ERP, then propose this again.",
    "arithmetic": "Correct the line or the total that is wrong.",
    "required": "Fill the field in.",
    "format": "Write it as an amount or a date.",
    "suspected": "Compare with the document in the ERP. If it is the same, close this as a duplicate.",
    "already_processed": "Compare with the document in the ERP. If it is the same, close this as a duplicate.",
    "amount_limit": "Compare the amount with its evidence, then release it.",
    "warning": "Ask its owner whether to use it still, or choose the one that follows it.",
    "locked": "Wait until the other user is done, then propose this again.",
    "authorization": "Ask the owner of the connection to give the interface the right to post there.",
}
_FOUND: Final = frozenset({"unbalanced", "arithmetic", "format"})


def remedy_of(code: str) -> str:
    """What a person does about a code; empty for one that is not listed."""
    meaning = meaning_of(code)
    return _REMEDIES.get(meaning.sub, "") if meaning is not None else ""


def is_found_by_our_check(code: str) -> bool:
    """Whether balance, totals or structure show it; master data and periods only the ERP knows.

    The balance in the company's own currency takes a rate that only the ERP has.
    """
    meaning = meaning_of(code)
    return meaning is not None and meaning.sub in _FOUND and code != "FINS_FI_POSTING_IF/017"


def meaning_of(code: str) -> Meaning | None:
    """The meaning of a code, written F5/201 or F5-201; None when it is not listed."""
    return _MEANINGS.get(code.strip().upper().replace("-", "/"))


def sentences() -> Iterator[str]:
    """Each sentence about a code and what to do about it, for a catalogue of other languages."""
    yield from (meaning.plain for meaning in _MEANINGS.values())
    yield from _REMEDIES.values()
