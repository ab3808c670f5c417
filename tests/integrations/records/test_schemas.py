"""Canonical documents: the schema follows from one description, agrees with the records, and speaks in words."""

from dataclasses import fields
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from integrations.records.invoice import InvoiceRecord
from integrations.records.journal import JournalLine, JournalRecord
from integrations.records.payment import PaymentRecord
from integrations.records.schemas import DESCRIPTIONS
from integrations.records.schemas.description import Part, every_term, json_schema, label_of
from integrations.records.schemas.judge import findings

LINE = {"quantity": "2", "unit_price": "10.00", "net_amount": "20.00", "tax_code": "S"}
INVOICE: dict[str, Any] = {
    "version": "invoice/1", "number": "1", "issue_date": "2026-11-01", "currency": "EUR", "seller": {"name": "A"},
    "buyer": {"name": "B"}, "lines": [LINE], "total_without_vat": "20.00", "total_vat": "4.20",
    "total_with_vat": "24.20",
}  # fmt: skip
DERIVED = {"fields", "version", "is_credit_note"}  # what a record has beside its document


@pytest.mark.parametrize("object_type", DESCRIPTIONS)
def test_schema_is_valid_and_knows_every_field(object_type):
    schema = json_schema(DESCRIPTIONS[object_type])
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["version"]["const"] == f"{object_type}/1"
    assert len(list(every_term(DESCRIPTIONS[object_type]))) > 10


@pytest.mark.parametrize(
    ("object_type", "record"), [("invoice", InvoiceRecord), ("journal", JournalRecord), ("payment", PaymentRecord)]
)
def test_document_has_every_field_of_its_record_by_the_same_name(object_type, record):
    names = {field.name for field in fields(record)} - DERIVED
    assert names - set(DESCRIPTIONS[object_type].by_name) == set()


def test_lines_of_a_journal_are_those_of_its_record():
    lines = DESCRIPTIONS["journal"].by_name["lines"]
    assert isinstance(lines, Part)
    assert set(lines.by_name) == {field.name for field in fields(JournalLine)}


def test_whole_document_has_no_findings():
    assert findings("invoice", INVOICE) == []
    assert findings("invoice", INVOICE | {"total_vat": 4}) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "invoice/2"}, "Version is not invoice/1."),
        ({"number": " "}, "Invoice number is empty."),
        ({"currency": "Euro"}, "Currency “Euro” is not a currency code of ISO 4217, such as EUR."),
        ({"issue_date": "01.11.2026"}, "Issue date “01.11.2026” is not a date, such as 2026-03-31."),
        ({"total_vat": "4,20"}, "VAT “4,20” is not an exact number, such as 1234.50."),
        ({"total_vat": None}, "VAT is not an exact number, such as 1234.50."),
        ({"lines": []}, "Lines are too few: at least 1 must be there."),
        ({"lines": {}}, "Lines is not a list."),
        ({"lines": [1]}, "Line 1 is not a group of fields."),
        ({"lines": [LINE, {**LINE, "tax_code": 7}]}, "Tax code of line 2 “7” is not a text."),
        ({"buyer": {"country": "NLD"}}, "Country of the buyer “NLD” is not a country code of ISO 3166, such as NL."),
        ({"buyer": {"street": "x"}}, "“street” is no field of buyer."),
        ({"vat": "x"}, "“vat” is no field of a canonical invoice."),
    ],
)
def test_finding_says_in_words_what_is_wrong(changes, words):
    assert [finding.problem for finding in findings("invoice", INVOICE | changes)] == [words]


def test_findings_come_in_the_order_of_the_document_each_once():
    found = findings("invoice", {"version": "invoice/1", "lines": [{}]})
    assert [finding.steps for finding in found] == [
        ("number",), ("issue_date",), ("currency",), ("seller",), ("buyer",), ("lines", 0, "quantity"),
        ("lines", 0, "unit_price"), ("lines", 0, "net_amount"), ("lines", 0, "tax_code"), ("total_without_vat",),
        ("total_vat",), ("total_with_vat",),
    ]  # fmt: skip


@pytest.mark.parametrize("document", [None, [], "x", 1])
def test_what_is_no_document_is_one_finding(document):
    assert [found.problem for found in findings("journal", document)] == ["Journal entry is not a group of fields."]


def test_place_that_is_not_described_is_called_as_it_stands():
    assert label_of(DESCRIPTIONS["invoice"], ("lines", 0, "gift_wrap")) == "Gift wrap of line 1"
