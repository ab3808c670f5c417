"""Planned faults: what goes wrong with e-invoices in practice, each a change to a valid document.

Each names the rules that the official validator then reports, and what a document must be for the fault to fit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from lxml import etree

from integrations.demo.invoices import CAC, CBC

Break = Callable[[etree._Element], None]  # noqa: SLF001 — the class has no public name
_NAMESPACES = {"cac": CAC, "cbc": CBC}
SELLER = "/*/cac:AccountingSupplierParty/cac:Party"
BUYER = "/*/cac:AccountingCustomerParty/cac:Party"
LINE = "/*/*[self::cac:InvoiceLine or self::cac:CreditNoteLine][1]"
TOTALS = "/*/cac:LegalMonetaryTotal"
BREAKDOWN = "/*/cac:TaxTotal[1]/cac:TaxSubtotal[1]"
VAT_ID = "cac:PartyTaxScheme/cbc:CompanyID"


class Fits(StrEnum):
    """The document that a fault needs."""

    ANY = "any"
    INVOICE = "invoice"
    CREDIT_NOTE = "credit note"
    DOMESTIC = "domestic"  # VAT at the standard rate
    INTRA_COMMUNITY = "intra-community"  # goods to another member state
    REVERSE_CHARGE = "reverse charge"  # services to another member state
    ALLOWANCE = "allowance"  # with a discount on the document
    FOREIGN_CURRENCY = "foreign currency"


@dataclass(frozen=True, slots=True)
class PlannedFault:
    name: str
    rules: tuple[str, ...]  # that the official validator reports, in order
    fits: Fits
    break_tree: Break

    def apply(self, payload: bytes) -> bytes:
        """The document with the fault in it. Raises FaultDoesNotFit when it lacks what the fault is about."""
        root = etree.fromstring(payload)
        self.break_tree(root)
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"


class FaultDoesNotFit(Exception):
    pass


def _find_all(root: etree._Element, path: str) -> list[etree._Element]:
    found = root.xpath(path, namespaces=_NAMESPACES)
    nodes = found if isinstance(found, list) else []
    elements = [node for node in nodes if isinstance(node, etree._Element)]  # noqa: SLF001 — as above
    if not elements:
        raise FaultDoesNotFit(f"The document has no {path}.")
    return elements


def _find(root: etree._Element, path: str) -> etree._Element:
    return _find_all(root, path)[0]


def without(*paths: str) -> Break:
    def break_tree(root: etree._Element) -> None:
        for path in paths:
            _remove(_find(root, path))

    return break_tree


def without_all(path: str) -> Break:
    def break_tree(root: etree._Element) -> None:
        for element in _find_all(root, path):
            _remove(element)

    return break_tree


def _remove(element: etree._Element) -> None:
    """Remove an element, and what it leaves empty above: UBL knows no empty aggregates."""
    parent = element.getparent()
    if parent is None:
        return
    parent.remove(element)
    if len(parent) == 0:
        _remove(parent)


def with_text(path: str, text: str) -> Break:
    def break_tree(root: etree._Element) -> None:
        _find(root, path).text = text

    return break_tree


def with_attribute(path: str, name: str, text: str) -> Break:
    def break_tree(root: etree._Element) -> None:
        _find(root, path).set(name, text)

    return break_tree


def without_attribute(path: str, name: str) -> Break:
    def break_tree(root: etree._Element) -> None:
        del _find(root, path).attrib[name]

    return break_tree


def with_appended(path: str, text: str) -> Break:
    def break_tree(root: etree._Element) -> None:
        element = _find(root, path)
        element.text = f"{element.text}{text}"

    return break_tree


def without_country(path: str) -> Break:
    """A VAT identifier as people know their own: without the two letters in front."""

    def break_tree(root: etree._Element) -> None:
        element = _find(root, path)
        element.text = (element.text or "")[2:]

    return break_tree


def with_digits_swapped(path: str) -> Break:
    """A typing error: the first two neighbours that differ, swapped; an amount stays an amount."""

    def break_tree(root: etree._Element) -> None:
        element = _find(root, path)
        digits = list(element.text or "")
        for index in range(len(digits) - 1):
            left, right = digits[index : index + 2]
            if left.isdigit() and right.isdigit() and left != right and right != "0":
                digits[index], digits[index + 1] = right, left
                break
        else:
            raise FaultDoesNotFit(f"No digits to swap in {element.text}.")
        element.text = "".join(digits)

    return break_tree
