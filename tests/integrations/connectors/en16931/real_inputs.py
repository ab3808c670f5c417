"""The European standard's own test invoices, when they are at hand, and the named changes made to them."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.integrations.connectors.en16931.invoices import nodes

FOLDER = Path(__file__).parents[5] / "shared" / "inputs" / "en16931"
MISSING = (
    f"The real inputs are not at {Path('..', 'shared', 'inputs', 'en16931')}: these tests prove nothing without them."
)

Change = Callable[[etree._Element], None]


def documents() -> list[Any]:
    """The names of the documents, or one test that is skipped and says why."""
    return sorted(path.name for path in FOLDER.glob("*.xml")) or [
        pytest.param("", marks=pytest.mark.skip(reason=MISSING))
    ]


def mutations(*, without: tuple[str, ...] = ()) -> list[Any]:
    """Document, name of the change, and the rules that the official validator then reports; or one skipped test."""
    path = FOLDER / "mutations.json"
    if not path.exists():
        return [pytest.param("", "", [], marks=pytest.mark.skip(reason=MISSING))]
    listed = json.loads(path.read_text())
    rows = [(name, change, rules) for name, changes in listed.items() for change, rules in changes.items()]
    return [row for row in rows if not any(word in row[1] for word in without)]


def read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def _remove(xpath: str) -> Change:
    def change(root: etree._Element) -> None:
        found = nodes(root, xpath)
        assert found, xpath
        for element in found:
            element.getparent().remove(element)

    return change


def _set(xpath: str, text: Callable[[str], str]) -> Change:
    def change(root: etree._Element) -> None:
        element = nodes(root, xpath)[0]
        element.text = text(element.text)

    return change


def _more(amount: str) -> str:
    return str(Decimal(amount) + 10)


_LINE = "//*[self::cac:InvoiceLine or self::cac:CreditNoteLine]"

CHANGES: dict[str, Change] = {
    "total with VAT wrong": _set("//cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount", _more),
    "sum of lines wrong": _set("//cac:LegalMonetaryTotal/cbc:LineExtensionAmount", _more),
    "issue date missing": _remove("/*/cbc:IssueDate"),
    "buyer name missing": _remove("//cac:AccountingCustomerParty//cac:PartyLegalEntity/cbc:RegistrationName"),
    "seller VAT id missing": _remove("//cac:AccountingSupplierParty//cac:PartyTaxScheme"),
    "currency code invalid": _set("/*/cbc:DocumentCurrencyCode", lambda _: "XXZ"),
    "VAT breakdown amount wrong": _set("//cac:TaxSubtotal/cbc:TaxAmount", _more),
    "line net amount wrong": _set(f"{_LINE}/cbc:LineExtensionAmount", _more),
    "IBAN missing for credit transfer": _remove("//cac:PayeeFinancialAccount"),
}

# The business term that each rule is about.
TERMS = {
    "BR-03": "BT-2",
    "BR-07": "BT-44",
    "BR-61": "BT-84",
    "BR-CL-04": "BT-5",
    "BR-CO-10": "BT-106",
    "BR-CO-13": "BT-109",
    "BR-CO-14": "BT-110",
    "BR-CO-15": "BT-112",
    "BR-CO-16": "BT-115",
    "BR-CO-17": "BT-117",
    "BR-S-02": "BT-31",
    "BR-S-03": "BT-31",
    "BR-S-04": "BT-31",
    "BR-S-08": "BT-116",
    "BR-S-09": "BT-117",
}


def mutated(payload: bytes, change: str) -> bytes:
    root = etree.fromstring(payload)
    CHANGES[change](root)
    return etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)
