import json
from datetime import date
from decimal import Decimal

import pytest

from integrations.connectors.base import CorrectionError
from integrations.connectors.erp import connector
from integrations.connectors.registry import get_connector, title_of
from integrations.records.invoice import InvoiceRecord
from integrations.records.journal import JournalLine, JournalRecord
from integrations.records.record import ValueKind
from integrations.safe_json import loads
from tests.integrations.connectors.erp.postings import customer_invoice, journal


def read_journal(payload: bytes) -> JournalRecord:
    record = connector.read(payload)
    assert isinstance(record, JournalRecord)
    return record


def test_connector_is_registered_with_its_kinds():
    assert get_connector("erp") is connector
    assert (title_of("journal"), title_of("customer_invoice")) == ("Journal entry", "Customer invoice")


def test_journal_is_read_with_its_lines_and_totals():
    record = read_journal(journal())

    assert record.lines == (
        JournalLine("630000", "CC-1000", "", Decimal("1250.00"), None, "Office rent"),
        JournalLine("190000", "", "", None, Decimal("1250.00"), "Accrued liabilities"),
    )
    assert (record.posting_date, record.company) == (date(2026, 11, 30), "NL01")
    assert (record.total_debit, record.total_credit) == (Decimal("1250.00"), Decimal("1250.00"))


def test_headline_of_a_journal():
    headline = connector.read(journal()).headline

    assert (headline.title, headline.number, headline.number_label) == ("Journal entry", "JE-2026-0118", "Reference")
    assert (headline.amount, headline.currency) == (Decimal("1250.00"), "EUR")
    assert (headline.document_date, headline.date_label, headline.due_label) == (
        date(2026, 11, 30), "Posting date", "",
    )  # fmt: skip
    assert list(headline.totals) == ["Debit", "Credit"]
    assert headline.parties["Company code"].identifiers == ("NL01",)


def test_customer_invoice_is_an_invoice():
    record = connector.read(customer_invoice())

    assert isinstance(record, InvoiceRecord)
    assert (record.buyer.name, record.buyer.identifiers) == ("Van Loon Logistics B.V.", ("C-1001",))
    assert record.headline.totals["Total"] == Decimal("1210")


def test_negative_invoice_keeps_its_sign():
    assert connector.read(customer_invoice(total="-1210.00")).headline.amount == Decimal("-1210.00")


def test_every_field_has_its_path_whether_it_is_there_or_not():
    fields = {field.path: field for field in connector.read(journal()).fields}

    missing = fields["/lines/1/cost_center"]
    assert (missing.label, missing.group, missing.value) == ("Cost centre", "Line 2", None)
    debit = fields["/lines/0/debit"]
    assert (debit.value, debit.kind, debit.currency) == ("1250.00", ValueKind.AMOUNT, "EUR")


def test_fields_that_only_the_source_knows_are_shown_too():
    record = connector.read(journal(ledger_group="0L", reversal=True, weight=3.50, extension={"a": 1}))

    fields = {field.path: (field.label, field.value) for field in record.fields}
    assert fields["/ledger_group"] == ("Ledger group", "0L")
    assert fields["/reversal"] == ("Reversal", "true")
    assert fields["/weight"] == ("Weight", "3.5")
    assert "/extension" not in fields


@pytest.mark.parametrize("lines", [None, "none", {}, [1, "a", None]])
def test_lines_that_are_none_are_read_over(lines: object):
    assert read_journal(journal(lines=lines)).total_debit is None


@pytest.mark.parametrize("amount", [True, "1e3", "1,5", "1" * 16, "", None, [], "1.0000001"])
def test_what_is_no_amount_is_no_amount(amount: object):
    lines = [{"account": "1", "debit": amount}]

    assert read_journal(journal(lines=lines)).total_debit is None


def test_sum_of_long_amounts_is_exact():
    lines = [{"account": "1", "debit": "999999999999999.999999"}, {"account": "1", "debit": "0.000001"}]

    assert read_journal(journal(lines=lines)).total_debit == Decimal("1000000000000000")


def test_line_says_what_it_should_come_to():
    rows = json.loads(customer_invoice())["lines"]
    rows[1]["net_amount"] = 210

    field = connector.read(customer_invoice(lines=rows)).field_at("/lines/1/net_amount")

    assert field.hint == "Quantity times price comes to 200.00"


def test_correction_writes_a_number_where_the_document_writes_numbers():
    numbers = connector.correct(
        customer_invoice(tax_amount=None),
        connector.operations_for(customer_invoice(tax_amount=None), {"/tax_amount": "210.00"}),
    )
    texts = connector.correct(journal(), connector.operations_for(journal(), {"/lines/0/credit": "1.00"}))

    assert b'"tax_amount": 210.00' in numbers
    assert loads(texts)["lines"][0]["credit"] == "1.00"


def test_correction_in_the_raw_view_is_told_in_steps():
    steps = connector.operations_between(journal(), journal(text="Accrual December"))

    assert steps == [
        {"op": "test", "path": "/text", "value": "Accrual November"},
        {"op": "replace", "path": "/text", "value": "Accrual December"},
    ]


def test_correction_of_what_is_no_posting_is_refused():
    with pytest.raises(CorrectionError):
        connector.operations_for(b"[]", {"/text": "a"})
