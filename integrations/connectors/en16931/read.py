"""The canonical record of a UBL payload: what a clerk sees and may change, with the path of every value."""

from collections.abc import Iterator
from decimal import Decimal

from lxml import etree

from integrations.connectors.en16931.document import UblDocument, read_document
from integrations.connectors.en16931.lines import expected_net_amount
from integrations.connectors.en16931.terms import Anchor, Term
from integrations.connectors.en16931.values import date_of, decimal_of
from integrations.records.invoice import InvoiceRecord, Party, RecordField, ValueKind


def read(payload: bytes) -> InvoiceRecord:
    """The canonical projection of a payload; raises MessageNotUnderstood."""
    return record_of(read_document(payload))


def record_of(document: UblDocument) -> InvoiceRecord:
    """The record of a document that is already parsed."""
    return InvoiceRecord(
        number=document.value("BT-1"),
        type_code=document.value("BT-3"),
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
    for (group, anchor), terms in sections.items():
        rows = document.anchors(anchor)
        for index, row in enumerate(rows, start=1):
            heading = (
                group
                if anchor is Anchor.DOCUMENT or (len(rows) == 1 and anchor is not Anchor.LINE)
                else f"{group} {index}"
            )
            for term in terms:
                yield from _fields_of(document, term, row, heading)


def _fields_of(document: UblDocument, term: Term, row: etree._Element, heading: str) -> Iterator[RecordField]:
    if term.number == "BT-111" and not document.value("BT-6"):
        return
    for index, place in enumerate(document.places(term, row), start=1):
        if place.value is None and not term.always:
            continue
        yield RecordField(
            term=term.number,
            label=term.label if index == 1 else f"{term.label} ({index})",
            group=heading,
            kind=term.kind,
            path=place.path,
            value=place.value,
            hint=_hint(document, term, row),
            currency=_currency(document, term, place.element),
        )


def _hint(document: UblDocument, term: Term, row: etree._Element) -> str:
    if term.number != "BT-131":
        return term.hint
    expected, stands = expected_net_amount(row), decimal_of(document.value_in("BT-131", row))
    return "" if expected is None or expected == stands else f"Quantity times price comes to {_plain(expected)}"


def _currency(document: UblDocument, term: Term, element: etree._Element | None) -> str:
    if term.kind is not ValueKind.AMOUNT:
        return ""
    return (element.get("currencyID", "") if element is not None else "") or document.value("BT-5")


def _plain(amount: Decimal) -> str:
    return f"{amount:f}"
