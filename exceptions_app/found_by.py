"""By what an exception was found: which identifiers are its document's own number, and what people call each of them.

Identifiers are kept under what a document calls them, or under the name of a key of whoever refused it.
"""

from collections.abc import Mapping
from types import MappingProxyType

from exceptions_app.wording import Said, say

# The number on the document's face, as its record and the keys of its refusal call it.
OWN_NUMBERS = frozenset(
    {"Invoice number", "End-to-end identifier", "Number", "Reference", "number", "end_to_end_id", "reference", "id"}
)
# Names are shared by many documents; whoever types one wants the list.
NAMES = frozenset({"Buyer", "Seller"})
REFERENCE = "Exception"
AMOUNT = "Amount"
WORDS: Mapping[str, str] = MappingProxyType(
    {
        REFERENCE: "reference here",
        AMOUNT: "amount",
        "Invoice number": "invoice number",
        "End-to-end identifier": "end-to-end identifier",
        "Number": "number",
        "Reference": "reference",
        "Buyer": "buyer",
        "Seller": "seller",
        "Payee": "payee",
        "Payer": "payer",
        "Customer": "customer",
        "Supplier": "supplier",
        "Company code": "company code",
        "Bank account": "bank account",
        "Text": "text",
        "Instruction": "instruction",
        "UETR": "UETR",
        "Payment file": "payment file",
        "Remittance": "remittance information",
        "Message": "message",
        "Acceptance reference": "acceptance reference",
        "number": "number",
        "reference": "reference",
        "id": "number",
        "seller": "seller's VAT number",
        "buyer": "buyer's VAT number",
        "customer": "customer number",
        "company": "company code",
        "purchase_order": "purchase order",
        "buyer_reference": "buyer reference",
        "transaction_id": "number of the transaction at the target",
        "end_to_end_id": "end-to-end identifier",
        "instruction_id": "instruction",
        "uetr": "UETR",
        "message_id": "payment file",
        "debtor_account": "payer's account",
        "creditor_account": "payee's account",
    }
)


def why(label: str, value: str) -> str:
    """A reason for a list of what was found: “by its purchase order PO-4580404”; empty for what tokens alone found."""
    if not label:
        return ""
    words = WORDS.get(label)
    what = Said(words) if words else label.replace("_", " ")
    return say("by its {what} {value}", what=what, value=value)
