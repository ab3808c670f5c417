"""What the simulated ERP says about a posting: every error and warning at once, each with the place it is about."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal

from integrations.simulator.erp_books import Books

TYPES: Final = {"journal": "reference", "customer_invoice": "number"}  # kind → the field that names a document
_AMOUNT: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")

Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    code: str  # T100: class and number
    text: str
    place: str = ""
    severity: Literal["error", "warning", "info"] = "error"

    def as_json(self) -> dict[str, str]:
        return {"code": self.code, "message": self.text, "propertyref": self.place, "severity": self.severity}


def text_of(holder: Content, name: str) -> str:
    value = holder.get(name)
    return str(value).strip() if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else ""


def lines_of(content: Content) -> list[Content]:
    lines = content.get("lines")
    return [line if isinstance(line, dict) else {} for line in lines] if isinstance(lines, list) else []


def judge(content: Content, books: Books) -> list[Message]:
    """In the order of the document; a posting without a message is booked."""
    rules = _journal if content["type"] == "journal" else _invoice
    return [*_head(content, books), *_lines(content, books), *rules(content, books)]


def _head(content: Content, books: Books) -> Iterator[Message]:
    company, number = text_of(content, "company"), TYPES[content["type"]]
    if not text_of(content, number):
        yield Message("ZFI/002", f"Enter a {number}", number)
    if books.entry("companies", company) is None:
        yield Message("ZFI/010", f"Company code {company} does not exist", "company")
    if not re.fullmatch("[A-Z]{3}", text_of(content, "currency")):
        yield Message("FF/112", f"Currency key {text_of(content, 'currency')} does not exist", "currency")
    posting_date = date_in(content, "posting_date")
    if posting_date is None:
        yield Message("ZFI/003", "The posting date is not a date", "posting_date")
    elif f"{posting_date:%Y-%m}" in books.closed_periods:
        yield Message("F5/201", f"Posting period {posting_date:%m %Y} is not open", "posting_date")
    if not lines_of(content):
        yield Message("FINS_FI_POSTING_IF/008", "The posting has no item", "lines")


def _lines(content: Content, books: Books) -> Iterator[Message]:
    journal = content["type"] == "journal"
    for index, line in enumerate(lines_of(content)):
        place, account = f"lines/{index}", text_of(line, "account")
        if account or journal:
            yield from _known(books, "accounts", account, f"{place}/account", unknown="ZFI/030", blocked="ZFI/031")
        cost_center = text_of(line, "cost_center")
        if cost_center:
            yield from _known(
                books, "cost_centers", cost_center, f"{place}/cost_center", unknown="ZFI/020", blocked="ZFI/021"
            )
        else:
            yield from _missing_cost_center(books, account, f"{place}/cost_center")


def _missing_cost_center(books: Books, account: str, place: str) -> Iterator[Message]:
    marks = books.entry("accounts", account) or {}
    text = f"Account {account} requires an assignment to a CO object"
    if marks.get("needs_cost_center"):
        yield Message("KI/235", text, place)
    elif marks.get("asks_for_cost_center"):
        yield Message("KI/235", text, place, "warning")


def _known(books: Books, kind: str, key: str, place: str, *, unknown: str, blocked: str) -> Iterator[Message]:
    noun = {"cost_centers": "Cost center", "accounts": "G/L account", "customers": "Customer"}.get(kind, "Entry")
    entry = books.entry(kind, key)
    if entry is None:
        yield Message(unknown, f"{noun} {key} does not exist", place)
        return
    if entry.get("blocked"):
        yield Message(blocked, f"{noun} {key} is blocked for posting", place)
    if entry.get("locked"):
        yield Message("MC/601", f"{noun} {key} is locked by another user", place)
    if entry.get("closes_soon"):
        yield Message("ZFI/081", f"{noun} {key} is to be closed", place, "warning")


def _journal(content: Content, books: Books) -> Iterator[Message]:
    debit, credit = (
        sum((amount_in(line, side) or Decimal(0) for line in lines_of(content)), Decimal(0))
        for side in ("debit", "credit")
    )
    for index, line in enumerate(lines_of(content)):
        for side in ("debit", "credit"):
            if line.get(side) is not None and amount_in(line, side) is None:
                yield Message("ZFI/003", f"The {side} is not an amount", f"lines/{index}/{side}")
    if debit != credit:
        yield Message("F5/702", f"Balance in transaction currency: {debit - credit:f}", "lines")
    yield from _review(debit, "lines", content, books)


def _invoice(content: Content, books: Books) -> Iterator[Message]:
    yield from _known(books, "customers", text_of(content, "customer"), "customer", unknown="F5/102", blocked="ZFI/041")
    for index, line in enumerate(lines_of(content)):
        tax_code, family = text_of(line, "tax_code"), text_of(line, "product_family")
        if books.entry("tax_codes", tax_code) is None:
            yield Message("FF/101", f"Tax code {tax_code} is not defined", f"lines/{index}/tax_code")
        named = bool(text_of(line, "account"))  # then nothing has to be found for the family
        if family and not named and books.entry("product_families", family) is None:
            text = f"No revenue account is assigned to product family {family}"
            yield Message("ZFI/050", text, f"lines/{index}/product_family")
    net, tax, total = (amount_in(content, name) for name in ("net_amount", "tax_amount", "total"))
    lines = sum((amount_in(line, "net_amount") or Decimal(0) for line in lines_of(content)), Decimal(0))
    if net is None or tax is None or total is None:
        yield Message("ZFI/003", "A total is not an amount", "total")
        return
    if lines != net:
        yield Message("ZFI/060", f"The items come to {lines:f}, the net amount to {net:f}", "net_amount")
    if net + tax != total:
        yield Message("ZFI/060", f"Net and tax come to {net + tax:f}, the total to {total:f}", "total")
    yield from _review(total, "total", content, books)


def _review(amount: Decimal, place: str, content: Content, books: Books) -> Iterator[Message]:
    currency = text_of(content, "currency")
    limit = books.review_above.get(currency)
    if limit is not None and abs(amount) > limit:
        yield Message("ZFI/080", f"Amount {amount:f} {currency} is above {limit:f}", place, "warning")


def date_in(holder: Content, name: str) -> date | None:
    text = text_of(holder, name)
    try:
        return date.fromisoformat(text) if len(text) == len("2026-11-30") else None
    except ValueError:
        return None


def amount_in(holder: Content, name: str) -> Decimal | None:
    value = holder.get(name)
    text = f"{value:f}" if isinstance(value, Decimal) else text_of(holder, name)
    return Decimal(text) if _AMOUNT.fullmatch(text) else None
