"""Suppliers and customers for tests, right unless a test breaks them."""

import json
from typing import Any


def supplier(**changes: Any) -> bytes:
    """A change of None takes the field out."""
    content: dict[str, Any] = {
        "type": "supplier",
        "id": "S-2001",
        "company": "NL01",
        "valid_from": "2026-12-01",
        "name": "Van Loon Staalbouw B.V.",
        "country": "NL",
        "vat_id": "NL853421904B01",
        "street": "Havenweg 12",
        "postal_code": "3011 AB",
        "city": "Rotterdam",
        "currency": "EUR",
        "payment_terms": "N30",
        "iban": "NL91ABNA0417164300",
        "bic": "ABNANL2A",
    }
    return written(content | changes)


def customer(**changes: Any) -> bytes:
    return supplier(**({"type": "customer", "id": "C-1011", "iban": None, "bic": None} | changes))


def written(content: dict[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in content.items() if value is not None}, indent=2).encode()
