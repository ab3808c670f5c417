"""The canonical record of a posting: what a clerk sees and may change, with the path of every value."""

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Final

from babel.numbers import get_currency_precision

from integrations.connectors.erp.document import Posting, read_posting
from integrations.connectors.erp.terms import LINES, Term
from integrations.connectors.erp.values import date_of, decimal_of, text_of
from integrations.connectors.json_document.pointers import pointer_to
from integrations.records.invoice import InvoiceRecord
from integrations.records.journal import JournalLine, JournalRecord
from integrations.records.record import Party, RecordField, ValueKind

_DIGITS_OF_A_PRODUCT: Final = 50  # two amounts have 42 at most


def read(payload: bytes) -> JournalRecord | InvoiceRecord:
    """The canonical projection of a payload; raises MessageNotUnderstood."""
    return record_of(read_posting(payload))


def record_of(posting: Posting) -> JournalRecord | InvoiceRecord:
    """The record of a posting that is already parsed."""
    return _journal(posting) if posting.layout.object_type == "journal" else _invoice(posting)


def _journal(posting: Posting) -> JournalRecord:
    return JournalRecord(
        company=posting.text("company"),
        reference=posting.number,
        posting_date=date_of(posting.content.get("posting_date")),
        currency=posting.text("currency"),
        text=posting.text("text"),
        lines=tuple(_journal_line(line) for line in posting.lines),
        fields=tuple(_fields(posting)),
    )


def _journal_line(line: Mapping[str, Any]) -> JournalLine:
    return JournalLine(
        account=text_of(line.get("account")).strip(),
        cost_center=text_of(line.get("cost_center")).strip(),
        profit_center=text_of(line.get("profit_center")).strip(),
        debit=decimal_of(line.get("debit")),
        credit=decimal_of(line.get("credit")),
        text=text_of(line.get("text")).strip(),
    )


def _invoice(posting: Posting) -> InvoiceRecord:
    """An ERP writes what it takes back as a negative total, so that no invoice of it is a credit note by type.

    It is about to be booked, so that all of its total is due.
    """
    total = decimal_of(posting.content.get("total"))
    company, customer = posting.text("company"), posting.text("customer")
    return InvoiceRecord(
        number=posting.number,
        type_code="",
        is_credit_note=False,
        issue_date=date_of(posting.content.get("invoice_date")),
        due_date=date_of(posting.content.get("due_date")),
        currency=posting.text("currency"),
        seller=Party(name=company, identifiers=(company,) if company else ()),
        buyer=Party(
            name=posting.text("customer_name") or customer,
            vat_id=posting.text("customer_vat_id"),
            identifiers=(customer,) if customer else (),
        ),
        total_without_vat=decimal_of(posting.content.get("net_amount")),
        total_vat=decimal_of(posting.content.get("tax_amount")),
        total_with_vat=total,
        amount_due=total,
        fields=tuple(_fields(posting)),
    )


def _fields(posting: Posting) -> Iterator[RecordField]:
    """The head in its groups, then line after line; at the end of each what only this document has."""
    currency = posting.text("currency")
    totals = [term for term in posting.layout.head.values() if term.group == "Totals"]
    for term in posting.layout.head.values():
        if term not in totals:
            yield _field(term, posting.content, (), term.group, currency)
    yield from _others(posting.content, (), posting.layout.head, "Document")
    for index, line in enumerate(posting.lines):
        heading = f"Line {index + 1}"
        for term in posting.layout.line.values():
            yield _field(term, line, (LINES, index), heading, currency)
        yield from _others(line, (LINES, index), posting.layout.line, heading)
    for term in totals:
        yield _field(term, posting.content, (), term.group, currency)


def _field(term: Term, holder: Mapping[str, Any], way: tuple[str | int, ...], group: str, currency: str) -> RecordField:
    value = holder.get(term.name)
    return RecordField(
        term="",
        label=term.label,
        group=group,
        kind=term.kind,
        path=pointer_to(*way, term.name),
        value=None if value is None else text_of(value),
        hint=_net_hint(holder, currency) if way and term.name == "net_amount" else term.hint,
        currency=currency if term.kind is ValueKind.AMOUNT else "",
    )


def _others(
    holder: Mapping[str, Any], way: tuple[str | int, ...], terms: Mapping[str, Term], group: str
) -> Iterator[RecordField]:
    """Fields of the source's own that stand beside the known ones."""
    for name, value in holder.items():
        if name in terms or name in (LINES, "type") or isinstance(value, dict | list):
            continue
        label = " ".join(name.replace("_", " ").split()).capitalize() or "A field without a name"
        kind = (
            ValueKind.QUANTITY if isinstance(value, Decimal | int) and not isinstance(value, bool) else ValueKind.TEXT
        )
        yield RecordField("", label, group, kind, pointer_to(*way, name), None if value is None else text_of(value))


def _net_hint(line: Mapping[str, Any], currency: str) -> str:
    expected = expected_net_amount(line, currency)
    stands = decimal_of(line.get("net_amount"))
    return "" if expected is None or expected == stands else f"Quantity times price comes to {expected:f}"


def expected_net_amount(line: Mapping[str, Any], currency: str) -> Decimal | None:
    """Quantity times unit price in the decimals of the currency, half a unit going up; None where a part lacks."""
    quantity, price = decimal_of(line.get("quantity")), decimal_of(line.get("unit_price"))
    if quantity is None or price is None:
        return None
    smallest = Decimal(1).scaleb(-get_currency_precision(currency))
    with localcontext(prec=_DIGITS_OF_A_PRODUCT):
        return (quantity * price).quantize(smallest, rounding=ROUND_HALF_UP)
