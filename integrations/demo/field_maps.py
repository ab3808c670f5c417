"""The field maps of the demonstration: a deal of a CRM becomes a customer invoice of the ERP, by way of an invoice."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from integrations import safe_json
from integrations.models import Direction

_HERE: Final = Path(__file__).parent / "maps"
# A family that the CRM sells and nobody has mapped yet.
UNMAPPED_FAMILY: Final = "Leasing"
# One that everybody knows, without a revenue account: it waits for a value mapping.
NEW_FAMILY: Final = "Robotics"


@dataclass(frozen=True, slots=True)
class DemonstrationMap:
    direction: Direction
    object_type: str
    declared: str
    note: str


def maps_of_the_deal() -> tuple[DemonstrationMap, DemonstrationMap]:
    """From deal to invoice, and from invoice to the ERP."""
    return (
        DemonstrationMap(
            Direction.INBOUND, "invoice", _text("deal_to_invoice"), "Deals of the CRM, as agreed with sales operations."
        ),
        DemonstrationMap(
            Direction.OUTBOUND, "invoice", _text("invoice_to_erp"), "Customer invoices, as the ERP books them."
        ),
    )


def deal(*, invoice_no: str = "", family: str = "", **changes: str) -> bytes:
    """A won deal as the CRM sends it. `family` replaces the product family of its last item, `changes` its own fields.

    The same arguments give the same bytes.
    """
    document: dict[str, Any] = safe_json.loads(_text("deal").encode())
    given: Mapping[str, str] = {"invoice_no": invoice_no} if invoice_no else {}
    document["deal"] = document["deal"] | given | changes
    if family:
        document["items"][-1]["family"] = family
    return json.dumps(document, ensure_ascii=False, indent=2).encode()


def _text(name: str) -> str:
    return (_HERE / f"{name}.json").read_text(encoding="utf-8")
