"""What other systems call a document: the seller and the invoice number."""

import hashlib

from integrations.connectors.en16931.document import UblDocument, read_document

_SELLER_TERMS = ("BT-31", "BT-30", "BT-29", "BT-27")


def business_key(payload: bytes) -> str:
    """`SELLER|number` as the tax authority computes it from the same content; raises MessageNotUnderstood.

    The seller is its VAT identifier, else its legal registration, else its identifier, else its name, in capitals and
    without spaces. A document without a number is told apart by its content.
    """
    return business_key_of(read_document(payload), payload)


def business_key_of(document: UblDocument, payload: bytes) -> str:
    """The same for a document that is already parsed."""
    seller = next((value for value in map(document.value, _SELLER_TERMS) if value), "")
    number = document.value("BT-1") or f"(no number) {hashlib.sha256(payload).hexdigest()[:16]}"
    return f"{''.join(seller.upper().split())}|{number}"
