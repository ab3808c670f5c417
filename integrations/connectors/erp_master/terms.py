"""The fields of a supplier or a customer: the name in the ERP, the one for people, and which must be there."""

from types import MappingProxyType
from typing import Final

from integrations.connectors.erp.terms import Term
from integrations.records.record import ValueKind

KINDS: Final = MappingProxyType({"supplier": "Supplier", "customer": "Customer"})

_TEXT, _CODE, _IDENTIFIER = ValueKind.TEXT, ValueKind.CODE, ValueKind.IDENTIFIER
_TERMS: Final = (
    Term("id", "Number", _IDENTIFIER, required=True),
    Term("version", "Based on version", _IDENTIFIER, hint="Empty for a new one; the ERP refuses what is older"),
    Term("company", "Company code", _IDENTIFIER, required=True),
    Term("valid_from", "Valid from", ValueKind.DATE),
    Term("name", "Name", _TEXT, "Partner", required=True),
    Term("country", "Country", _CODE, "Partner", required=True, hint="ISO 3166, such as NL"),
    Term("vat_id", "VAT identifier", _IDENTIFIER, "Partner"),
    Term("street", "Street", _TEXT, "Partner"),
    Term("postal_code", "Postal code", _TEXT, "Partner"),
    Term("city", "City", _TEXT, "Partner"),
    Term("currency", "Currency", _CODE, "Payment"),
    Term("payment_terms", "Payment terms", _CODE, "Payment", required=True),
    Term("iban", "Bank account (IBAN)", _IDENTIFIER, "Payment"),
    Term("bic", "Bank (BIC)", _IDENTIFIER, "Payment"),
)
TERMS: Final = MappingProxyType({term.name: term for term in _TERMS})
