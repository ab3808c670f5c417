"""Customer invoices that an ERP refused for a value that it does not know."""

import json
from typing import Any

from exceptions_app import intake
from exceptions_app.models import ExceptionCase
from integrations import inbox
from integrations.handed_in import HandedIn
from integrations.models import Connection, InboxMessage
from tests.cast import MORNING
from tests.integrations.connectors.erp.postings import customer_invoice, detail


def refused(erp: Connection, number: str, *, family: str = "ROBOTICS", **codes: str) -> ExceptionCase:
    """One whose first line has a family without a revenue account; `codes` are further complaints, code → place."""
    rows: list[dict[str, Any]] = json.loads(customer_invoice())["lines"]
    rows[0] |= {"product_family": family, "account": ""}
    payload = customer_invoice(number=number, lines=rows)
    complaints = {"ZFI/050": "lines/0/product_family", **codes}
    details = [detail(code, place=place) for code, place in complaints.items()]
    error = {"code": "ZFI/050", "message": {"lang": "en", "value": "No."}, "innererror": {"errordetails": details}}
    inbox.receive(
        erp,
        HandedIn(
            f"ledger-{number}", payload, "application/json", refusal=json.dumps({"error": error}).encode(),
            refusal_media_type="application/json", refusal_status=400,
        ),
        via=InboxMessage.Via.API, by="ledger", at=MORNING,
    )  # fmt: skip
    intake.read_messages(limit=100, at=MORNING)
    return ExceptionCase.objects.select_related("connection", "queue", "entity").get(document_number=number)
