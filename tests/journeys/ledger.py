"""Customer invoices that the corporate ledger of the demonstration refused, each for one of four causes."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import requests

from integrations.demo.postings import LEDGER
from integrations.demo.targets import erp_refusal
from tests.journeys.drill import PATIENCE, wait_until
from tests.stack import RunningStack

SOURCE = "ledger-gateway"
ACCOUNTANT = "accountant"


@dataclass(frozen=True, slots=True)
class Cause:
    """A value that the ledger does not know, what is right in its stead, and where a clerk would say so."""

    name: str
    label: str  # of the field
    wrong: str
    right: str
    because: str


CAUSES = (
    Cause("tax_code", "Line 1: Tax code", "V20", "V21", "Tax team: services in the Netherlands."),
    Cause("account", "Line 1: G/L account", "801000", "800000", "Closed in October, see the chart."),
    Cause("cost_center", "Line 1: Cost centre", "CC-5000", "CC-2000", "Merged into CC-2000 in July."),
    Cause("customer", "Customer account", "C-2001", "C-1001", "Old number of the same customer."),
)
_NET, _TAX = "180000.00", "37800.00"  # below what the ledger books without a second look, above all else that waits


def refused(number: str, cause: Cause, *, on: date) -> dict[str, Any]:
    """One as the gateway of the ledger hands it in, with what the ledger said about it."""
    line = {
        "product_family": "SUBSCRIPTION", "description": "Line controller, software", "quantity": 1,
        "unit_price": _NET, "net_amount": _NET, "tax_code": "V21", "account": "800000", "cost_center": "CC-1000",
    }  # fmt: skip
    invoice: dict[str, Any] = {
        "type": "customer_invoice", "company": "NL01", "number": number, "customer": "C-1001",
        "customer_name": "Brouwer & De Wit Logistiek B.V.", "customer_vat_id": "NL720408362B01",
        "invoice_date": on.isoformat(), "posting_date": on.isoformat(), "due_date": on.isoformat(),
        "currency": "EUR", "lines": [line], "net_amount": _NET, "tax_amount": _TAX, "total": "217800.00",
    }  # fmt: skip
    (invoice if cause.name == "customer" else line)[cause.name] = cause.wrong
    payload = json.dumps(invoice)
    refusal = erp_refusal(payload.encode(), today=on).decode()
    return {
        "connection": LEDGER,
        "id": f"ledger:{number}",
        "payload": {"media_type": "application/json", "text": payload},
        "refusal": {"media_type": "application/json", "text": refusal, "status": 400},
    }


@dataclass(frozen=True, slots=True)
class Ledger:
    """The gateway that hands in, and what the simulated ledger has booked."""

    stack: RunningStack
    token: str

    @classmethod
    def of(cls, stack: RunningStack, *, name: str) -> "Ledger":
        signed = ("--by", "administrator", "--because", "For this test.")
        return cls(stack, stack.manage("create_api_token", SOURCE, name, *signed).split()[-1])

    def hand_in(self, numbers: list[str], *, on: date) -> None:
        """Through the API, the causes in turn; ends when every one of them is an exception."""
        messages = [refused(number, CAUSES[at % len(CAUSES)], on=on) for at, number in enumerate(numbers)]
        answer = self._call("POST", "/messages", {"messages": messages})
        assert answer["accepted"] == len(numbers), answer
        receipts = [receipt["message"].partition("/api/v1")[2] for receipt in answer["messages"]]
        wait_until(lambda: all(self._call("GET", receipt)["exceptions"] for receipt in receipts))

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.stack.url}/api/v1{path}"
        answer = requests.request(method, url, json=body, headers=headers, timeout=PATIENCE)
        assert answer.ok, f"{answer.status_code} {answer.text}"
        return answer.json()

    def booked(self, numbers: list[str]) -> dict[str, int]:
        """How many documents the ledger has under each number."""
        found = requests.get(f"{self.stack.simulator_url}/control/ledger", timeout=PATIENCE).json()["effects"]
        keys = [str(effect["business_key"]).rpartition("|")[2] for effect in found]
        return {number: keys.count(number) for number in numbers}
