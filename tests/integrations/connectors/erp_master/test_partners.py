"""Suppliers and customers: read, checked, corrected and explained, before anything is sent."""

import json

import pytest

from integrations.connectors.base import IncomingMessage
from integrations.connectors.erp_master import connector
from integrations.refusals import Category, MessageNotUnderstood, Severity, TransactionKind
from tests.integrations.connectors.erp.postings import detail, gateway_error
from tests.integrations.connectors.erp_master.partners import customer, supplier


def incoming(payload: bytes, refusal: bytes, *, status: int = 400) -> IncomingMessage:
    return IncomingMessage(payload, "application/json", refusal, "application/json", status)


def test_record_shows_who_it_is_and_moves_no_money() -> None:
    record = connector.read(supplier(segment="Steel"))
    headline = record.headline

    assert (headline.title, headline.number, headline.amount) == ("Supplier", "S-2001", None)
    assert headline.counterparty.known_by == ("Van Loon Staalbouw B.V.", "NL853421904B01", "S-2001")
    assert headline.parties["Company code"].identifiers == ("NL01",)
    assert [(field.label, field.value) for field in record.fields if field.group == "Payment"] == [
        ("Currency", "EUR"), ("Payment terms", "N30"), ("Bank account (IBAN)", "NL91ABNA0417164300"),
        ("Bank (BIC)", "ABNANL2A"),
    ]  # fmt: skip
    assert [field.path for field in record.fields if field.label == "Segment"] == ["/segment"]


def test_customer_and_supplier_are_told_apart() -> None:
    assert [connector.object_type(content) for content in (supplier(), customer())] == ["supplier", "customer"]
    assert connector.business_key(customer()) == "C-1011"


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{}", b'{"type": "bank"}', b'{"type": []}', b'{"type": "supplier"}', supplier(id=" ")]
)
def test_what_is_no_partner_is_not_understood(payload: bytes) -> None:
    with pytest.raises(MessageNotUnderstood) as refused:
        connector.business_key(payload)

    assert refused.value.remedy
    [error] = connector.check(payload).errors
    assert error.code == "JSON"


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"name": None}, "STRUCTURE", "/name"),
        ({"name": "  "}, "STRUCTURE", "/name"),
        ({"city": ["Delft"]}, "STRUCTURE", "/city"),
        ({"country": "Nederland", "vat_id": None}, "COUNTRY", "/country"),
        ({"country": "DE"}, "VAT", "/vat_id"),
        ({"iban": "NL91ABNA0417164301"}, "IBAN", "/iban"),
        ({"bic": "ABNA"}, "BIC", "/bic"),
        ({"currency": "EURO"}, "CURRENCY", "/currency"),
        ({"valid_from": "1.12.2026"}, "DATE", "/valid_from"),
    ],
)
def test_check_names_the_field_that_is_wrong(changes: dict[str, object], code: str, path: str) -> None:
    report = connector.check(supplier(**changes))

    assert [(error.code, error.field_path) for error in report.errors] == [(code, path)]
    assert connector.check(supplier()).passed


def test_refusal_points_at_fields_in_plain_words() -> None:
    said = gateway_error(detail("ZMD/040", "IBAN NL91 is not valid", "iban"), detail("ZMD/030", "N90?", ""))

    [found] = connector.parse(incoming(supplier(), said))

    assert (found.object_type, found.business_key, found.refusal.money) == ("supplier", "S-2001", None)
    assert [(error.code, error.field_path, error.field) for error in found.refusal.errors] == [
        ("ZMD/040", "/iban", "Bank account (IBAN)"), ("ZMD/030", "/payment_terms", "Payment terms"),
    ]  # fmt: skip
    assert found.refusal.kind is TransactionKind.FAILED
    assert all(connector.remedy(error.code).endswith(".") for error in found.refusal.errors)
    assert (connector.check_finds("ZMD/040"), connector.check_finds("ZMD/030")) == (True, False)


def test_change_of_a_bank_account_is_held_for_a_person() -> None:
    said = gateway_error(detail("ZMD/080", "The bank account of S-2001 is changed", "iban", "warning"))

    [found] = connector.parse(incoming(supplier(), said))

    assert (found.refusal.kind, found.refusal.category) == (TransactionKind.HELD, Category.POLICY_HOLD)
    assert [error.severity for error in found.refusal.errors] == [Severity.WARNING]


@pytest.mark.parametrize(("status", "certain"), [(503, False), (504, False), (429, True), (401, True)])
def test_status_alone_says_whether_it_may_have_arrived(status: int, certain: bool) -> None:
    [found] = connector.parse(incoming(supplier(), b"<html>", status=status))

    assert (found.refusal.category, found.refusal.definitive) == (Category.TRANSPORT, certain)


def test_correction_keeps_every_other_byte() -> None:
    payload = supplier(iban="NL91ABNA0417164301")
    steps = connector.operations_for(payload, {"/iban": "NL91ABNA0417164300", "/version": "3"})

    corrected = connector.correct(payload, steps)

    assert json.loads(corrected) == json.loads(supplier()) | {"version": "3"}
    assert corrected.startswith(payload[: payload.index(b'"iban"')])
