"""A UBL invoice or credit note as a tree in which business terms can be found."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lxml import etree

from integrations.connectors.en16931 import names
from integrations.connectors.en16931.terms import CREDIT_NOTE_TERMS, INVOICE_TERMS, Anchor, Term
from integrations.connectors.xml_document import paths
from integrations.refusals import MessageNotUnderstood
from integrations.safe_xml import UnsafeXml, parse

_CAC: Final = f"{{{names.CAC}}}"
_CBC: Final = f"{{{names.CBC}}}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a term stands, or would stand: then `element` is None, and `holder` is the last element on the way."""

    path: str
    element: etree._Element | None
    holder: etree._Element
    value: str | None


class UblDocument:
    """Finds business terms and names places; remembers the paths it has worked out, so do not change the tree."""

    def __init__(self, tree: etree._ElementTree) -> None:
        self.tree = tree
        self.root = tree.getroot()
        self.is_credit_note = self.root.tag == names.CREDIT_NOTE_ROOT
        self.terms = CREDIT_NOTE_TERMS if self.is_credit_note else INVOICE_TERMS
        self.line_tag = f"{_CAC}CreditNoteLine" if self.is_credit_note else f"{_CAC}InvoiceLine"
        self._paths: dict[etree._Element, str] = {}
        self._terms_by_path: dict[str, Term] | None = None

    @property
    def object_type(self) -> str:
        return names.OBJECT_TYPES[self.root.tag]

    def path_of(self, element: etree._Element, attribute: str = "") -> str:
        """The same as paths.canonical, worked out once per family of siblings."""
        path = self._paths.get(element)
        if path is None:
            parent = element.getparent()
            if parent is None:
                path = self._paths[element] = paths.canonical(element)
            else:
                self._name_children(parent)
                path = self._paths[element]
        return f"{path}/@{attribute}" if attribute else path

    def _name_children(self, parent: etree._Element) -> None:
        above = self.path_of(parent)
        by_tag: dict[str, list[etree._Element]] = {}
        for child in parent.iterchildren("*"):
            by_tag.setdefault(child.tag, []).append(child)
        for same in by_tag.values():
            for index, child in enumerate(same, start=1):
                position = f"[{index}]" if len(same) > 1 else ""
                self._paths[child] = f"{above}/{paths.short_name(child)}{position}"

    def anchors(self, anchor: Anchor) -> list[etree._Element]:
        """The repeated parts of one kind, in the order of the document."""
        if anchor is Anchor.DOCUMENT:
            return [self.root]
        if anchor is Anchor.LINE:
            return list(self.root.iterchildren(self.line_tag))
        if anchor in (Anchor.ALLOWANCE, Anchor.CHARGE):
            wanted = ("true", "1") if anchor is Anchor.CHARGE else ("false", "0")
            found = self.root.iterchildren(f"{_CAC}AllowanceCharge")
            return [node for node in found if (node.findtext(f"{_CBC}ChargeIndicator") or "").strip().lower() in wanted]
        return paths.elements_at(steps_of(anchor.value), self.root)

    def anchor_of(self, term: Term, context: etree._Element | None) -> etree._Element | None:
        """The repeated part that holds `context`, or the only or first one there is."""
        found = self.anchors(term.anchor)
        around = {context, *context.iterancestors()} if context is not None else set()
        return next((node for node in found if node in around), found[0] if found else None)

    def place(self, number: str, context: etree._Element | None = None) -> Place:
        """Where the term stands or would stand, as seen from `context` (a line, a breakdown row, …)."""
        term = self.terms[number]
        anchor = self.anchor_of(term, context)
        return self._place_without_anchor(term) if anchor is None else _first_filled(self.places(term, anchor))

    def _place_without_anchor(self, term: Term) -> Place:
        """Where a term would stand in a repeated part that the document lacks altogether."""
        total = self.tax_total() if term.anchor is Anchor.BREAKDOWN else None
        if total is not None:
            return self._absent(total, steps_of(f"cac:TaxSubtotal/{term.path}"), attribute_of(term.path))
        prefix = "cac:CreditNoteLine" if term.anchor is Anchor.LINE and self.is_credit_note else term.anchor.value
        return self._absent(self.root, steps_of(f"{prefix}/{term.path}"), attribute_of(term.path))

    def places_near(self, number: str, context: etree._Element | None) -> list[Place]:
        """Every place of the term in the repeated part around `context`, and where it leads through it, only those."""
        term = self.terms[number]
        anchor = self.anchor_of(term, context)
        if anchor is None:
            return [self._place_without_anchor(term)]
        for start, path in self._starts(term, anchor) if context is not None else ():
            steps, attribute = steps_of(path), attribute_of(path)
            for count in range(len(steps), 0, -1):
                if context in paths.elements_at(steps[:count], start):
                    return list(self._places_below(context, steps[count:], attribute))
        return list(self.places(term, anchor))

    def place_in(self, number: str, row: etree._Element) -> Place:
        """Where the term stands or would stand in one repeated part that is at hand."""
        return _first_filled(self.places(self.terms[number], row))

    def place_below(self, element: etree._Element, path: str) -> Place:
        """Where one of our own paths leads from an element that is at hand."""
        return next(self._places_below(element, steps_of(path), attribute_of(path)))

    def value_in(self, number: str, row: etree._Element) -> str:
        """The trimmed text of a term in one repeated part, empty when it is absent."""
        return (self.place_in(number, row).value or "").strip()

    def places(self, term: Term, anchor: etree._Element) -> Iterator[Place]:
        """Every place of the term below one anchor, or the one at which it would stand."""
        for start, path in self._starts(term, anchor):
            yield from self._places_below(start, steps_of(path), attribute_of(path))

    def _places_below(self, start: etree._Element, steps: tuple[paths.Step, ...], attribute: str) -> Iterator[Place]:
        holders = paths.elements_at(steps[:-1], start)
        if not holders:
            yield self._absent(start, steps, attribute)
        for holder in holders:
            found = paths.elements_at(steps[-1:], holder)
            if not found:
                yield self._absent(holder, steps[-1:], attribute)
            for element in found:
                value = element.get(attribute) if attribute else paths.text_of(element)
                yield Place(self.path_of(element, attribute), element, holder, value)

    def _starts(self, term: Term, anchor: etree._Element) -> list[tuple[etree._Element, str]]:
        """Where to look for a term, and by which path; for some the place depends on the content."""
        if term.number == "BT-110":
            total = self.tax_total()
            return [(anchor, term.path) if total is None else (total, "cbc:TaxAmount")]
        if term.number == "BT-111":
            total, currency = self._accounting_total(), self._text("TaxCurrencyCode")
            path = f"cac:TaxTotal[cbc:TaxAmount/@currencyID='{_literal(currency)}']/cbc:TaxAmount"
            return [(anchor, path) if total is None else (total, "cbc:TaxAmount")]
        if term.number == "BT-32":
            return self._other_registrations(term, anchor)
        if term.number == "BT-90" or "cac:PartyIdentification/" in term.path:
            return self._identifications(term, anchor)
        return [(anchor, term.path)]

    def _other_registrations(self, term: Term, anchor: etree._Element) -> list[tuple[etree._Element, str]]:
        """The seller's tax registrations that are not for VAT."""
        schemes = paths.elements_at(steps_of(term.path)[:-1], anchor)
        scheme_id = f"{_CAC}TaxScheme/{_CBC}ID"
        others = [node for node in schemes if (node.findtext(scheme_id) or "").strip().upper() != "VAT"]
        path = term.path.replace("PartyTaxScheme", "PartyTaxScheme[cac:TaxScheme/cbc:ID='TAX']")
        return [(node, "cbc:CompanyID") for node in others] or [(anchor, path)]

    def _identifications(self, term: Term, anchor: etree._Element) -> list[tuple[etree._Element, str]]:
        """A creditor identifier (scheme SEPA) stands among the identifiers of seller or payee and is none of them."""
        parties, step, rest = term.path.partition("cac:PartyIdentification")
        rest = rest.rpartition("]")[2].removeprefix("/")
        is_creditor = term.number == "BT-90"
        where = (parties, "cac:PayeeParty/") if is_creditor else (parties,)
        found = [node for path in where for node in paths.elements_at(steps_of(path + step), anchor)]
        fitting = [node for node in found if _is_creditor(node) is is_creditor]
        if fitting or not found or is_creditor:
            return [(node, rest) for node in fitting] or [(anchor, term.path)]
        return [(anchor, f"{parties}{step}[{len(found) + 1}]/{rest}")]

    def _text(self, name: str) -> str:
        return (self.root.findtext(f"{_CBC}{name}") or "").strip()

    def _accounting_total(self) -> etree._Element | None:
        """The VAT total in the accounting currency, or the one left over when its currency is wrong."""
        if not self._text("TaxCurrencyCode"):
            return None
        own = self.tax_total()
        others = [total for total in self.root.iterchildren(f"{_CAC}TaxTotal") if total is not own]
        return next((total for total in others if total.find(f"{_CAC}TaxSubtotal") is None), None)

    def tax_total(self) -> etree._Element | None:
        """The VAT total in the invoice's currency, or the one with the breakdown when the currency code is wrong."""
        totals = list(self.root.iterchildren(f"{_CAC}TaxTotal"))
        currency = self._text("DocumentCurrencyCode")
        for total in totals:
            amount = total.find(f"{_CBC}TaxAmount")
            if amount is not None and amount.get("currencyID") == currency:
                return total
        return next(
            (total for total in totals if total.find(f"{_CAC}TaxSubtotal") is not None), totals[0] if totals else None
        )

    def _absent(self, start: etree._Element, steps: tuple[paths.Step, ...], attribute: str) -> Place:
        node = start
        for index, step in enumerate(steps):
            found = paths.elements_at((step,), node)
            if not found:
                missing = "/".join(rest.text for rest in steps[index:]) + (f"/@{attribute}" if attribute else "")
                return Place(f"{self.path_of(node)}/{missing}", None, node, None)
            node = found[0]
        return Place(self.path_of(node, attribute), None, node, None)

    def value(self, number: str, context: etree._Element | None = None) -> str:
        """The trimmed text of a term, empty when it is absent."""
        return (self.place(number, context).value or "").strip()

    def term_at(self, path: str) -> Term | None:
        """The business term that stands at one of our own paths."""
        if self._terms_by_path is None:
            self._terms_by_path = {}
            for term in self.terms.values():
                for anchor in self.anchors(term.anchor):
                    for place in self.places(term, anchor):
                        self._terms_by_path.setdefault(place.path, term)
        return self._terms_by_path.get(path)


def _first_filled(places: Iterator[Place]) -> Place:
    """The first place that holds something, else the first."""
    found = list(places)
    return next((place for place in found if (place.value or "").strip()), found[0])


def _is_creditor(identification: etree._Element) -> bool:
    identifier = identification.find(f"{_CBC}ID")
    return identifier is not None and identifier.get("schemeID", "").strip().upper() == "SEPA"


@lru_cache(maxsize=1024)
def _parsed(path: str) -> paths.Path:
    return paths.parse_path(path)


def steps_of(path: str) -> tuple[paths.Step, ...]:
    return _parsed(path).steps if path else ()


def attribute_of(path: str) -> str:
    return _parsed(path).attribute


def _literal(text: str) -> str:
    return text.replace("'", "")[:40]


def read_document(payload: bytes, *, field: str = "payload") -> UblDocument:
    """Parse a payload; raises MessageNotUnderstood when it is not a UBL invoice or credit note."""
    try:
        tree = parse(payload)
    except UnsafeXml as error:
        raise MessageNotUnderstood(error.problem, field=field, remedy=error.remedy) from None
    tag = tree.getroot().tag
    if tag not in names.OBJECT_TYPES:
        raise MessageNotUnderstood(
            f"The document begins with {_quoted(str(tag))}, and is no UBL 2.1 Invoice or CreditNote.",
            field=field,
            remedy="Send the UBL document itself without an envelope, or choose the connection for its format.",
        )
    return UblDocument(tree)


def _quoted(tag: str) -> str:
    """The name of an element, and of which namespace it is when it is of one."""
    namespace, _, name = tag.rpartition("}")
    shown = f"<{name[:60]}>"
    return f"{shown} of the namespace “{namespace.removeprefix('{')[:120]}”" if namespace else shown
