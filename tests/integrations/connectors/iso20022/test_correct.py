"""Corrections of a payment, and what follows from them."""

import pytest

from integrations.connectors.base import CorrectionError, Operation
from integrations.connectors.registry import get_connector
from integrations.records.payment import PaymentRecord
from tests.integrations.connectors.iso20022.payment_files import (
    VERSIONS,
    Wire,
    incoming,
    message_id,
    payment_file,
    reason,
    status_report,
    value_of,
)

BANK = get_connector("iso20022")


def one_case(version: str = "pain.001.001.09", wire: Wire | None = None) -> bytes:
    content = payment_file(wire or Wire("INV-1"), Wire("INV-2"), version=version)
    report = status_report(message_id(content), status="RJCT", reasons=reason("AC04"))
    return BANK.parse(incoming(content, report))[0].payload


def path_of(payload: bytes, label: str) -> str:
    return next(field.path for field in BANK.read(payload).fields if field.label == label)


def read(payload: bytes) -> PaymentRecord:
    record = BANK.read(payload)
    assert isinstance(record, PaymentRecord)
    return record


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("Payee's account (IBAN)", "GB29NWBK60161331926819"),
        ("Payee's bank (BIC)", "NWBKGB2L"),
        ("Execution date", "2026-12-01"),
        ("Amount", "99.90"),
        ("Remittance information", "Invoice 4712 & 4713"),
        ("Payee", "Müller & Söhne"),
        ("Town", "Berlin"),
        ("Country", "DE"),
        ("Our bank (BIC)", "INGBNL2A"),
    ],
)
def test_changed_field_makes_a_valid_file(version: str, label: str, text: str) -> None:
    payload = one_case(version)

    operations = BANK.operations_for(payload, {path_of(payload, label): text})
    mended = BANK.correct(payload, operations)

    assert next(field.value for field in BANK.read(mended).fields if field.label == label) == text
    assert BANK.check(mended).errors == ()
    assert BANK.business_key(mended) == BANK.business_key(payload)


def test_totals_and_identifiers_follow_a_change_as_steps_with_a_test() -> None:
    payload = one_case()

    operations = BANK.operations_for(payload, {path_of(payload, "Amount"): "99.90"})

    tests = [(operation["path"], operation["value"]) for operation in operations if operation["op"] == "test"]
    assert [path.removeprefix("/Document/CstmrCdtTrfInitn/") for path, _ in tests] == [
        "PmtInf/CdtTrfTxInf/Amt/InstdAmt",
        "GrpHdr/CtrlSum",
        "PmtInf/CtrlSum",
        "GrpHdr/MsgId",
        "PmtInf/PmtInfId",
    ]
    assert tests[3][1] == value_of(payload, "MsgId")


def test_each_version_has_an_identifier_of_its_own_and_the_same_correction_the_same_one() -> None:
    payload = one_case()
    path = path_of(payload, "Amount")

    ones = [BANK.correct(payload, BANK.operations_for(payload, {path: "1.00"})) for _ in range(2)]
    other = BANK.correct(payload, BANK.operations_for(payload, {path: "2.00"}))
    later = BANK.correct(other, BANK.operations_for(other, {path: "1.00"}))

    assert ones[0] == ones[1]
    identifiers = {value_of(content, "MsgId") for content in (payload, ones[0], other, later)}
    assert len(identifiers) == 4
    assert all(len(identifier) <= 35 for identifier in identifiers)


def test_form_that_changes_nothing_makes_no_step() -> None:
    payload = one_case()

    assert BANK.operations_for(payload, {path_of(payload, "Payee"): "Muster GmbH"}) == []


def test_identifier_that_a_person_chose_stays() -> None:
    payload = one_case()

    mended = BANK.correct(payload, BANK.operations_for(payload, {path_of(payload, "Message identifier"): "OURS-1"}))

    assert value_of(mended, "MsgId") == "OURS-1"


def test_optional_field_can_be_emptied_and_takes_its_group_along() -> None:
    payload = one_case()

    mended = BANK.correct(payload, BANK.operations_for(payload, {path_of(payload, "Payee's bank (BIC)"): ""}))

    assert b"CdtrAgt" not in mended
    assert read(mended).creditor_bic == ""
    assert BANK.check(mended).errors == ()


def test_change_of_what_has_changed_since_is_refused() -> None:
    payload = one_case()
    path = path_of(payload, "Amount")
    operations = BANK.operations_for(payload, {path: "1.00"})
    meanwhile = BANK.correct(payload, BANK.operations_for(payload, {path: "2.00"}))

    with pytest.raises(CorrectionError) as caught:
        BANK.correct(meanwhile, operations)

    assert caught.value.path == path


def test_raw_view_leads_to_the_same_document() -> None:
    payload = one_case()
    edited = payload.replace(b"Invoice 4711", b"Invoice 4712").replace(b"COBADEFFXXX", b"DEUTDEFF")

    operations = BANK.operations_between(payload, edited)

    assert BANK.correct(payload, operations) == edited
    assert [operation["op"] for operation in operations] == ["test", "replace", "test", "replace"]


def test_steps_may_add_what_is_missing_at_its_place_in_the_schema() -> None:
    payload = one_case()
    steps: list[Operation] = [
        {"op": "add", "path": "/Document/CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf/PmtId/InstrId", "value": "INS-1"},
        {"op": "add", "path": "/Document/CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf/Purp/Cd", "value": "SUPP"},
    ]

    mended = BANK.correct(payload, steps)

    assert BANK.check(mended).errors == ()
    assert read(mended).instruction_id == "INS-1"


def test_document_does_not_become_another_one() -> None:
    with pytest.raises(CorrectionError):
        BANK.operations_between(one_case(), b"<other/>")
