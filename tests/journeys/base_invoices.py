"""The project's own valid documents that the named changes are made to, and what the official validator then says."""

from datetime import date
from decimal import Decimal
from functools import cache

from lxml import etree

from integrations.demo.companies import MERIDIAN_NL, customer
from integrations.demo.invoices import CAC, CBC, InvoicePlan, LinePlan, Vat, build_invoice

_STANDARD, _REDUCED = Vat("S", Decimal(21)), Vat("S", Decimal(9))
_LINES = (
    LinePlan("Servo drive, 4 kW", Decimal(3), "H87", Decimal("1284.50"), _STANDARD),
    LinePlan("Conveyor belt, food grade", Decimal("40.5"), "MTR", Decimal("38.75"), _STANDARD),
    LinePlan("Technical manual, printed", Decimal(2), "H87", Decimal("58.00"), _REDUCED),
)
_ALLOWANCE, _CHARGE, _PREPAID = Decimal("120.00"), Decimal("35.50"), Decimal(1500)


def _build(
    number: str, *, allowance: Decimal = Decimal(0), prepaid: Decimal = Decimal(0), corrected: str = ""
) -> bytes:
    return build_invoice(
        InvoicePlan(
            number=number, issue_date=date(2026, 11, 2), due_date=date(2026, 12, 2), delivery_date=date(2026, 10, 30),
            seller=MERIDIAN_NL, buyer=customer("Van Loon"), currency="EUR", lines=_LINES, order="PO-4500017",
            terms="Payable within 30 days, net.", allowance=allowance, prepaid=prepaid,
            corrects=(corrected, date(2026, 10, 1)) if corrected else None,
        )
    )  # fmt: skip


def _with_charge(payload: bytes) -> bytes:
    """The document, built for allowance less charge as one allowance, with each of the two in its own place."""
    root = etree.fromstring(payload)
    names = {"cac": CAC, "cbc": CBC}
    [allowance] = root.findall("cac:AllowanceCharge", names)
    charge = etree.fromstring(etree.tostring(allowance))
    for part, code, amount, given in (
        (allowance, "false", _ALLOWANCE, ("95", "Volume discount")),
        (charge, "true", _CHARGE, ("FC", "Freight")),
    ):
        values = {"ChargeIndicator": code, "AllowanceChargeReasonCode": given[0], "AllowanceChargeReason": given[1]}
        for name, value in {**values, "Amount": str(amount)}.items():
            [element] = part.findall(f"cbc:{name}", names)
            element.text = value
    allowance.addnext(charge)
    [total] = root.findall("cac:LegalMonetaryTotal/cbc:AllowanceTotalAmount", names)
    total.text = str(_ALLOWANCE)
    charged = etree.Element(f"{{{CBC}}}ChargeTotalAmount", {"currencyID": "EUR"})
    charged.text = str(_CHARGE)
    total.addnext(charged)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


@cache
def base_invoices() -> dict[str, bytes]:
    """By name: two VAT rates on three lines; allowance, charge and prepayment; a credit note."""
    return {
        "several rates": _build("INV-9001"),
        "allowance, charge and prepayment": _with_charge(
            _build("INV-9002", allowance=_ALLOWANCE - _CHARGE, prepaid=_PREPAID)
        ),
        "credit note": _build("CN-9003", corrected="INV-8001"),
    }


# What the official validator reports for each named change; where a document has more to break, more is said.
_RULES = {
    "total with VAT wrong": ["BR-CO-15", "BR-CO-16"],
    "sum of lines wrong": ["BR-CO-10", "BR-CO-13"],
    "issue date missing": ["BR-03"],
    "buyer name missing": ["BR-07"],
    "seller VAT id missing": ["BR-S-02"],
    "currency code invalid": ["BR-CL-04", "BR-CO-15"],
    "VAT breakdown amount wrong": ["BR-CO-14", "BR-CO-17", "BR-S-09"],
    "line net amount wrong": ["BR-CO-10", "BR-S-08"],
    "IBAN missing for credit transfer": ["BR-61"],
}
_MORE = {("allowance, charge and prepayment", "seller VAT id missing"): ["BR-S-03", "BR-S-04"]}


def mutations() -> list[tuple[str, str, list[str]]]:
    """Document, name of the change, and the rules that the official validator then reports."""
    return [
        (name, change, rules + _MORE.get((name, change), []))
        for name in base_invoices()
        for change, rules in _RULES.items()
    ]
