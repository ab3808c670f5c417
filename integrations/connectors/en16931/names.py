"""Namespaces of UBL 2.1 and SVRL."""

from typing import Final

INVOICE: Final = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
CREDIT_NOTE: Final = "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"
CAC: Final = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC: Final = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
SVRL: Final = "http://purl.oclc.org/dsdl/svrl"

INVOICE_ROOT: Final = f"{{{INVOICE}}}Invoice"
CREDIT_NOTE_ROOT: Final = f"{{{CREDIT_NOTE}}}CreditNote"
OBJECT_TYPES: Final = {INVOICE_ROOT: "invoice", CREDIT_NOTE_ROOT: "credit_note"}

TAX_SCHEME: Final = f"{{{CAC}}}TaxScheme"
TAX_CATEGORIES: Final = (f"{{{CAC}}}TaxCategory", f"{{{CAC}}}ClassifiedTaxCategory")
HOLDERS_OF_A_TAX_SCHEME: Final = (f"{{{CAC}}}PartyTaxScheme", *TAX_CATEGORIES)
