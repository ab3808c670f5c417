"""The canonical record of a UBL payload: what a clerk sees and may change, with the path of every value."""

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from lxml import etree

from integrations.connectors.en16931.document import Place, UblDocument, read_document
from integrations.connectors.en16931.lines import expected_net_amount
from integrations.connectors.en16931.terms import Anchor, Term
from integrations.connectors.en16931.values import date_of, decimal_of
from integrations.records.invoice import InvoiceRecord
from integrations.records.record import Party, RecordField, ValueKind

_OPTIONAL_GROUPS: Final = frozenset(
    {
        "PayeeParty",
        "TaxRepresentativeParty",
        "PartyTaxScheme",
        "AllowanceCharge",
        "AdditionalItemProperty",
        "StandardItemIdentification",
        "CommodityClassification",
        "AdditionalDocumentReference",
        "BillingReference",
    }
)
_CATEGORY_CODES: Final = ("BT-95", "BT-102", "BT-118", "BT-151")
_NEVER_OFFERED: Final = ("BT-18", "BT-18-1")  # they say what a reference is, so none is missing from another
_EXPECTED: Final = (Anchor.PAYMENT, Anchor.BREAKDOWN, Anchor.LINE)  # offered when the document lacks them
# UNTDID 1001, the codes that EN 16931 reads as credit notes, whatever the root element is called.
_CREDIT_NOTE_CODES: Final = frozenset(
    {"81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "502", "503", "532"}
)


@lru_cache(maxsize=16)
def read(payload: bytes) -> InvoiceRecord:
    """The canonical projection of a payload; raises MessageNotUnderstood.

    One page asks several times about the same bytes, and a record is never changed: so the last few are kept.
    """
    return record_of(read_document(payload))


def record_of(document: UblDocument) -> InvoiceRecord:
    """The record of a document that is already parsed."""
    return InvoiceRecord(
        number=document.value("BT-1"),
        type_code=document.value("BT-3"),
        is_credit_note=document.is_credit_note or document.value("BT-3") in _CREDIT_NOTE_CODES,
        issue_date=date_of(document.value("BT-2")),
        due_date=date_of(document.value("BT-9")),
        currency=document.value("BT-5"),
        seller=_party(document, name="BT-27", trading="BT-28", country="BT-40", vat="BT-31", others=("BT-30", "BT-29")),
        buyer=_party(document, name="BT-44", trading="BT-45", country="BT-55", vat="BT-48", others=("BT-47", "BT-46")),
        total_without_vat=decimal_of(document.value("BT-109")),
        total_vat=decimal_of(document.value("BT-110")),
        total_with_vat=decimal_of(document.value("BT-112")),
        amount_due=decimal_of(document.value("BT-115")),
        fields=tuple(_fields(document)),
    )


def _party(document: UblDocument, *, name: str, trading: str, country: str, vat: str, others: tuple[str, ...]) -> Party:
    identifiers = (document.value(term) for term in (vat, *others))
    return Party(
        name=document.value(name) or document.value(trading),
        country=document.value(country),
        vat_id=document.value(vat),
        identifiers=tuple(dict.fromkeys(value for value in identifiers if value)),
    )


def _fields(document: UblDocument) -> Iterator[RecordField]:
    """Group after group as the form shows them; of a repeated part, row after row."""
    sections: dict[tuple[str, Anchor], list[Term]] = {}
    for term in document.terms.values():
        sections.setdefault((term.group, term.anchor), []).append(term)
    usual = _usual_currency(document)
    shown: set[str] = set()
    for (group, anchor), terms in sections.items():
        rows = document.anchors(anchor)
        if anchor in _EXPECTED and not rows:
            yield from _offered(document, terms)
        numbered = anchor is Anchor.LINE or (anchor is not Anchor.DOCUMENT and len(rows) > 1)
        for index, row in enumerate(rows, start=1):
            heading = f"{group} {index}" if numbered else group
            for term in terms:
                for field in _fields_of(document, term, row, heading, usual):
                    if field.path not in shown:
                        shown.add(field.path)
                        yield field


def _fields_of(
    document: UblDocument, term: Term, row: etree._Element, heading: str, usual: str
) -> Iterator[RecordField]:
    if term.number == "BT-111" and not document.value("BT-6"):
        return
    places = list(document.places(term, row))
    if any(place.value is not None for place in places):
        places = [place for place in places if place.value is not None or _is_optional(term, place)]
    else:
        places = [place for place in places if _is_optional(term, place)] or places[: 1 if term.always else 0]
    for index, place in enumerate(places, start=1):
        field = RecordField(
            term=term.number,
            label=term.label if index == 1 else f"{term.label} ({index})",
            group=heading,
            kind=term.kind,
            path=place.path,
            value=place.value,
            hint=_hint(document, term, row),
            currency=_currency(document, term, place.element),
        )
        yield field
        if place.element is not None and "@" not in term.path:
            yield from _qualifiers(document, field, place.element, usual)


def _offered(document: UblDocument, terms: list[Term]) -> Iterator[RecordField]:
    """The fields of a group that the document lacks altogether."""
    for term in terms:
        if term.always:
            yield RecordField(term.number, term.label, term.group, term.kind, document.place(term.number).path, None)


def _is_optional(term: Term, place: Place) -> bool:
    """Whether an absent term is offered for entry because the group that it belongs to is there."""
    if term.number in _NEVER_OFFERED or ("@" in term.path and place.element is None):
        return False
    holders = (place.holder, *place.holder.iterancestors())
    return any(etree.QName(holder).localname in _OPTIONAL_GROUPS for holder in holders)


def _usual_currency(document: UblDocument) -> str:
    used = Counter(value for node in document.root.iter("*") if (value := node.get("currencyID")))
    return used.most_common(1)[0][0] if used else ""


def _qualifiers(
    document: UblDocument, field: RecordField, element: etree._Element, usual: str
) -> Iterator[RecordField]:
    """What says how a value is meant, when it is not as usual: then it can be corrected too."""
    of_field = f"of {field.label[:1].lower()}{field.label[1:]}"
    if field.kind is ValueKind.AMOUNT:
        stands = element.get("currencyID")
        if stands != ((field.term == "BT-111" and document.value("BT-6")) or usual):
            path = document.path_of(element, "currencyID")
            yield RecordField(field.term, f"Currency {of_field}", field.group, ValueKind.CODE, path, stands)
    holder = element.getparent()
    if holder is not None and field.term in _CATEGORY_CODES:
        scheme = document.place_below(holder, "cac:TaxScheme/cbc:ID")
        if (scheme.value or "").strip().upper() != "VAT":
            yield _qualifier(field, f"Tax scheme {of_field}", scheme, "VAT")
    if holder is not None and field.term == "BT-32":
        scheme = document.place_below(holder, "cac:TaxScheme/cbc:ID")
        if not (scheme.value or "").strip():
            yield _qualifier(field, f"Tax scheme {of_field}", scheme, "VAT, or another such as TAX")
    if holder is not None and field.term == "BT-122" and element.get("schemeID"):
        kind = document.place_below(holder, "cbc:DocumentTypeCode")
        yield _qualifier(field, f"Type code {of_field}", kind, "130 for the invoiced object")


def _qualifier(field: RecordField, label: str, place: Place, hint: str) -> RecordField:
    return RecordField(field.term, label, field.group, ValueKind.CODE, place.path, place.value, hint=hint)


def _hint(document: UblDocument, term: Term, row: etree._Element) -> str:
    if term.number != "BT-131":
        return term.hint
    expected, stands = expected_net_amount(row), decimal_of(document.value_in("BT-131", row))
    return "" if expected is None or expected == stands else f"Quantity times price comes to {expected:f}"


def _currency(document: UblDocument, term: Term, element: etree._Element | None) -> str:
    if term.kind is not ValueKind.AMOUNT:
        return ""
    return (element.get("currencyID", "") if element is not None else "") or document.value("BT-5")
