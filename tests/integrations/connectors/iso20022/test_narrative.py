"""Refusals whose reason is a text: what leads to a field, and what does not."""

import pytest

from integrations.connectors.registry import get_connector
from integrations.refusals import Category, RefusedTransaction
from tests.integrations.connectors.iso20022.payment_files import (
    IBANS,
    Wire,
    incoming,
    message_id,
    payment_file,
    reason,
    status_report,
)

BANK = get_connector("iso20022")
WITH_COMMA = payment_file(Wire("INV-1", cents=4847_37), Wire("INV-2", cents=55_00, iban=IBANS[1])).replace(
    b">4847.37<", b">4847,37<"
)


def rejected(content: bytes, text: str, code: str = "NARR") -> list[RefusedTransaction]:
    report = status_report(message_id(content), status="RJCT", reasons=reason(code, [text]))
    return BANK.parse(incoming(content, report))


@pytest.mark.parametrize(
    "text",
    [
        "4847,37 is not a valid value for decimal",
        "'4847,37' is not a valid value for 'decimal'.",
        "cvc-datatype-valid.1.2.1: '4847,37' is not a valid value for 'decimal'.",
        "Element 'InstdAmt': '4847,37' is not a valid value of the atomic type 'ActiveOrHistoricCurrencyAndAmount'.",
        "The value '4847,37' is invalid according to its datatype 'decimal'",
        "Line 41: “4847,37” is not a valid value for decimal",
    ],
)
@pytest.mark.parametrize("code", ["NARR", "FF01", ""])
def test_value_that_a_validator_objects_to_leads_to_its_payment(text: str, code: str) -> None:
    guilty, other = rejected(WITH_COMMA, text, code)

    error = guilty.refusal.errors[0]
    assert (guilty.refusal.category, guilty.refusal.sub) == (Category.SCHEMA, "format")
    assert (error.field, error.proposed_value) == ("Amount", "4847.37")
    assert error.field_path == "/Document/CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf/Amt/InstdAmt"
    assert error.plain == "Amount: “4847,37” is not written as the format asks."
    assert other.refusal.sub == "file_refused"
    assert other.refusal.errors[0].plain == (
        "The bank refused the whole file; its text names payment INV-1. Nothing is said against this one."
    )


def test_proposed_value_makes_the_payment_right() -> None:
    guilty, _ = rejected(WITH_COMMA, "4847,37 is not a valid value for decimal")
    error = guilty.refusal.errors[0]
    before = BANK.check(guilty.payload)

    operations = BANK.operations_for(guilty.payload, {error.field_path: error.proposed_value or ""})
    mended = BANK.correct(guilty.payload, operations)

    assert [found.code for found in before.errors] == ["AMOUNT"]
    assert before.errors[0].proposed_value == "4847.37"
    assert BANK.check(mended).errors == ()
    assert b"<CtrlSum>4847.37</CtrlSum>" in mended


def test_control_sum_with_a_comma_is_nobody_s_fault_and_right_in_the_new_files() -> None:
    content = payment_file(Wire("INV-1", cents=4000_37), Wire("INV-2", cents=847_00)).replace(
        b"<CtrlSum>4847.37</CtrlSum>", b"<CtrlSum>4847,37</CtrlSum>"
    )

    cases = rejected(content, "4847,37 is not a valid value for decimal")

    assert {case.refusal.category for case in cases} == {Category.SCHEMA}
    assert {case.refusal.errors[0].plain for case in cases} == {
        "The file states a control sum of “4847,37”, which is not written as a number."
    }
    assert [BANK.check(case.payload).errors for case in cases] == [(), ()]


def test_text_that_names_an_account_points_at_it_and_stays_unclassified() -> None:
    content = payment_file(Wire("INV-1"), Wire("INV-2", iban=IBANS[1]))

    other, named = rejected(content, f"Saajan tilinumero {IBANS[1]} on virheellinen")

    assert (named.refusal.category, named.refusal.errors[0].field) == (Category.UNCLASSIFIED, "Payee's account (IBAN)")
    assert other.refusal.sub == "file_refused"


def test_text_that_names_nothing_is_kept_for_a_person() -> None:
    cases = rejected(payment_file(Wire("INV-1"), Wire("INV-2")), "Virhe aineistossa, ottakaa yhteys pankkiin")

    assert {case.refusal.category for case in cases} == {Category.UNCLASSIFIED}
    assert {case.refusal.errors[0].plain for case in cases} == {
        "The bank says: Virhe aineistossa, ottakaa yhteys pankkiin"
    }
    assert {case.refusal.errors[0].field_path for case in cases} == {""}
