"""Postings for tests, right unless a test breaks them."""

import json
from typing import Any


def journal(**changes: Any) -> bytes:
    """A balanced accrual; a change of None takes the field out."""
    content: dict[str, Any] = {
        "type": "journal",
        "company": "NL01",
        "reference": "JE-2026-0118",
        "posting_date": "2026-11-30",
        "currency": "EUR",
        "text": "Accrual November",
        "lines": [
            {"account": "630000", "cost_center": "CC-1000", "debit": "1250.00", "text": "Office rent"},
            {"account": "190000", "credit": "1250.00", "text": "Accrued liabilities"},
        ],
    }
    return written(content | changes)


def customer_invoice(**changes: Any) -> bytes:
    content: dict[str, Any] = {
        "type": "customer_invoice",
        "company": "NL01",
        "number": "4900001234",
        "customer": "C-1001",
        "customer_name": "Van Loon Logistics B.V.",
        "customer_vat_id": "NL853421904B01",
        "invoice_date": "2026-11-02",
        "posting_date": "2026-11-02",
        "due_date": "2026-12-02",
        "currency": "EUR",
        "lines": [
            {
                "product_family": "SUBSCRIPTION", "description": "Platform subscription", "quantity": 10,
                "unit_price": 80, "net_amount": 800.00, "tax_code": "V21", "account": "800000",
            },
            {
                "product_family": "SERVICES", "description": "Onboarding", "quantity": 1.5, "unit_price": 133.33,
                "net_amount": 200.00, "tax_code": "V21", "account": "800100", "cost_center": "CC-2000",
            },
        ],
        "net_amount": 1000.00,
        "tax_amount": 210.00,
        "total": 1210.00,
    }  # fmt: skip
    return written(content | changes)


def written(content: dict[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in content.items() if value is not None}, indent=2).encode()


def detail(code: str, text: str = "As the ERP says it", place: str = "", severity: str = "error") -> dict[str, str]:
    return {"code": code, "message": text, "propertyref": place, "severity": severity}


def gateway_error(*details: dict[str, str], code: str = "RW/609", text: str = "Error in document") -> bytes:
    """An answer in the shape of SAP Gateway (OData 2)."""
    inner = {"transactionid": "4FDF3748112322F4E10000000A420C41", "errordetails": list(details)}
    message = {"lang": "en", "value": text}
    return json.dumps({"error": {"code": code, "message": message, "innererror": inner}}).encode()
