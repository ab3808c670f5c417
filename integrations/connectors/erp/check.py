"""The workbench's own check of a posting: structure, balance and totals. The ERP's master data it cannot judge."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from babel.numbers import get_currency_precision, is_currency

from integrations.connectors.base import CheckReport
from integrations.connectors.erp.document import Posting, read_posting
from integrations.connectors.erp.read import expected_net_amount
from integrations.connectors.erp.schema import CODE as STRUCTURE
from integrations.connectors.erp.schema import structure_errors
from integrations.connectors.erp.terms import LINES, NUMERIC, Term
from integrations.connectors.erp.values import date_of, decimal_of, text_of
from integrations.connectors.json_document.pointers import pointer_to
from integrations.records.record import ValueKind
from integrations.refusals import MessageNotUnderstood, RefusalError, Severity

CHECK_NAME: Final = "workbench's own check of an ERP posting: structure, balance and totals (not the ERP's master data)"
_SUMS: Final = frozenset({"BALANCE", "TOTAL"})
_EXAMPLES: Final = {
    ValueKind.AMOUNT: "an amount, such as 1234.50",
    ValueKind.QUANTITY: "a quantity, such as 3 or 2.5",
    ValueKind.DATE: "a date, such as 2026-03-31",
}


def check(payload: bytes) -> CheckReport:
    """Judge a payload without sending it. One that cannot be read fails with one error, code JSON."""
    try:
        posting = read_posting(payload)
    except MessageNotUnderstood as error:
        unreadable = RefusalError(
            "JSON", Severity.ERROR, error.problem, plain=f"{error.problem} {error.remedy}".strip()
        )
        return CheckReport(check=CHECK_NAME, errors=(unreadable,))
    found = [*structure_errors(posting), *_value_errors(posting)]
    rules = _journal_errors if posting.layout.object_type == "journal" else _invoice_errors
    found += _not_said_yet(found, rules(posting))
    return CheckReport(
        check=CHECK_NAME,
        errors=tuple(error for error in found if error.severity is Severity.ERROR),
        warnings=tuple(error for error in found if error.severity is not Severity.ERROR),
    )


def _not_said_yet(found: list[RefusalError], more: Iterable[RefusalError]) -> list[RefusalError]:
    """Sums over an amount that cannot be read mean nothing, and of a line that is none there is no more to say."""
    wrong = {error.field_path for error in found}
    unread = any(error.code in ("AMOUNT", STRUCTURE) for error in found)
    return [
        error
        for error in more
        if wrong.isdisjoint({error.field_path, error.field_path.rpartition("/")[0]})
        and not (unread and error.code in _SUMS)
    ]


def _finding(
    code: str, plain: str, *steps: str | int, term: Term | None = None, severity: Severity = Severity.ERROR
) -> RefusalError:
    path = pointer_to(*steps)
    return RefusalError(
        code, severity, plain, plain=plain, path=path, field_path=path, field=term.label if term else ""
    )


def _value_errors(posting: Posting) -> Iterator[RefusalError]:
    """Every amount, date and currency by itself."""
    currency = posting.text("currency")
    if currency and not is_currency(currency):
        yield _finding(
            "CURRENCY", f"“{currency[:20]}” is not a currency code of ISO 4217, such as EUR.", "currency",
            term=posting.layout.head["currency"],
        )  # fmt: skip
    for term in posting.layout.head.values():
        yield from _value_error(term, posting.content, (), currency)
    for index, line in enumerate(posting.lines):
        for term in posting.layout.line.values():
            yield from _value_error(term, line, (LINES, index), currency)


def _value_error(
    term: Term, holder: Mapping[str, Any], way: tuple[str | int, ...], currency: str
) -> Iterator[RefusalError]:
    value = holder.get(term.name)
    text = text_of(value).strip()
    if not text or term.kind not in _EXAMPLES:
        return
    amount = decimal_of(value) if term.kind in NUMERIC else None
    if (term.kind is ValueKind.DATE and date_of(value) is None) or (term.kind in NUMERIC and amount is None):
        code = "DATE" if term.kind is ValueKind.DATE else "AMOUNT"
        plain = f"{term.label} “{text[:40]}” is not written as {_EXAMPLES[term.kind]}."
        yield _finding(code, plain, *way, term.name, term=term)
    elif amount is not None and term.kind is ValueKind.AMOUNT and term.name != "unit_price":
        allowed = get_currency_precision(currency)
        if amount != round(amount, allowed):
            plain = f"{term.label} {text} has more decimals than the {allowed} of {currency or 'its currency'}."
            yield _finding("DECIMALS", plain, *way, term.name, term=term)


def _journal_errors(posting: Posting) -> Iterator[RefusalError]:
    terms = posting.layout.line
    debit = credit = Decimal(0)
    for index, line in enumerate(posting.lines):
        amounts = {name: decimal_of(line.get(name)) or Decimal(0) for name in ("debit", "credit")}
        debit, credit = debit + amounts["debit"], credit + amounts["credit"]
        filled = [name for name, amount in amounts.items() if amount]
        negative = [name for name, amount in amounts.items() if amount < 0]
        if negative:
            plain = f"{terms[negative[0]].label} is negative. Put the amount on the other side instead."
            yield _finding("LINE", plain, LINES, index, negative[0], term=terms[negative[0]])
        elif len(filled) != 1:
            many = "both a debit and a credit" if filled else "neither a debit nor a credit"
            yield _finding("LINE", f"The line has {many}.", LINES, index, "debit", term=terms["debit"])
    if debit != credit:
        side = "debits" if debit > credit else "credits"
        plain = (
            f"The journal does not balance: debits {debit:f}, credits {credit:f}. "
            f"The {side} are {abs(debit - credit):f} more."
        )
        yield _finding("BALANCE", plain, LINES)


def _invoice_errors(posting: Posting) -> Iterator[RefusalError]:
    head, content, currency = posting.layout.head, posting.content, posting.text("currency")
    nets = [decimal_of(line.get("net_amount")) for line in posting.lines]
    net, tax, total = (decimal_of(content.get(name)) for name in ("net_amount", "tax_amount", "total"))
    present = [amount for amount in nets if amount is not None]
    if net is not None and len(present) == len(nets) and sum(present, start=Decimal(0)) != net:
        plain = f"The lines come to {sum(present, start=Decimal(0)):f}, and the net amount says {net:f}."
        yield _finding("TOTAL", plain, "net_amount", term=head["net_amount"])
    if net is not None and tax is not None and total is not None and net + tax != total:
        plain = f"Net amount and tax amount come to {net + tax:f}, and the total says {total:f}."
        yield _finding("TOTAL", plain, "total", term=head["total"])
    for index, (line, stands) in enumerate(zip(posting.lines, nets, strict=True)):
        expected = expected_net_amount(line, currency)
        if expected is not None and stands is not None and expected != stands:
            term = posting.layout.line["net_amount"]
            plain = f"Quantity times unit price comes to {expected:f}, and the net amount says {stands:f}."
            yield _finding("LINE", plain, LINES, index, "net_amount", term=term, severity=Severity.WARNING)
    issued, due = date_of(content.get("invoice_date")), date_of(content.get("due_date"))
    if issued is not None and due is not None and due < issued:
        plain = f"The due date {due.isoformat()} is before the invoice date {issued.isoformat()}."
        yield _finding("DATE", plain, "due_date", term=head["due_date"], severity=Severity.WARNING)
