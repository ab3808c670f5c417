import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.connectors.erp import connector
from tests.integrations.connectors.erp.postings import customer_invoice, journal


def found(payload: bytes) -> list[tuple[str, str]]:
    return [(error.code, error.field_path) for error in connector.check(payload).errors]


def warned(payload: bytes) -> list[tuple[str, str]]:
    return [(error.code, error.field_path) for error in connector.check(payload).warnings]


def line(**changes: Any) -> list[dict[str, Any]]:
    """The lines of the journal with changes of the first; a change of None takes the field out."""
    rows: list[dict[str, Any]] = json.loads(journal())["lines"]
    rows[0] = {name: value for name, value in (rows[0] | changes).items() if value is not None}
    return rows


@pytest.mark.parametrize("payload", [journal(), customer_invoice(), journal(text=None, anything="else")])
def test_right_posting_passes(payload: bytes):
    report = connector.check(payload)

    assert (report.passed, report.errors, report.warnings) == (True, (), ())


def test_check_says_which_check_it_was():
    name = connector.check(journal()).check

    assert name == connector.capabilities.check_name
    assert "not the ERP's master data" in name


@pytest.mark.parametrize(
    ("payload", "errors"),
    [
        pytest.param(journal(company=None), [("STRUCTURE", "/company")], id="a field is missing"),
        pytest.param(journal(reference=" "), [("STRUCTURE", "/reference")], id="a field is empty"),
        pytest.param(journal(company=7), [("STRUCTURE", "/company")], id="a number for a text"),
        pytest.param(journal(lines=None), [("STRUCTURE", "/lines")], id="no lines"),
        pytest.param(journal(lines={}), [("STRUCTURE", "/lines")], id="an object for the lines"),
        pytest.param(journal(lines=[]), [("STRUCTURE", "/lines")], id="too few lines"),
        pytest.param(journal(lines=[*line(), 5]), [("STRUCTURE", "/lines/2")], id="a line that is none"),
        pytest.param(journal(lines=line(account=None)), [("STRUCTURE", "/lines/0/account")], id="no account"),
        pytest.param(journal(posting_date="2026-02-30"), [("DATE", "/posting_date")], id="no such day"),
        pytest.param(journal(posting_date="30.11.2026"), [("DATE", "/posting_date")], id="no date"),
        pytest.param(journal(currency="EUX"), [("CURRENCY", "/currency")], id="no currency"),
        pytest.param(journal(lines=line(debit="1,5")), [("AMOUNT", "/lines/0/debit")], id="no amount"),
        pytest.param(
            journal(lines=line(debit=1250.001)), [("DECIMALS", "/lines/0/debit"), ("BALANCE", "/lines")], id="decimals"
        ),
        pytest.param(journal(currency="JPY", lines=line(debit="1250.50")),
            [("DECIMALS", "/lines/0/debit"), ("BALANCE", "/lines")], id="decimals of yen"),
        pytest.param(journal(lines=line(debit="1250.01")), [("BALANCE", "/lines")], id="out of balance"),
        pytest.param(
            journal(lines=line(credit="1.00")), [("LINE", "/lines/0/debit"), ("BALANCE", "/lines")], id="both sides"
        ),
        pytest.param(
            journal(lines=line(debit=None)), [("LINE", "/lines/0/debit"), ("BALANCE", "/lines")], id="no side"
        ),
        pytest.param(
            journal(lines=line(debit="-1250.00")), [("LINE", "/lines/0/debit"), ("BALANCE", "/lines")], id="negative"
        ),
        pytest.param(customer_invoice(total=1210.01), [("TOTAL", "/total")], id="total"),
        pytest.param(
            customer_invoice(net_amount=1000.01), [("TOTAL", "/net_amount"), ("TOTAL", "/total")], id="net amount"
        ),
        pytest.param(customer_invoice(customer=None), [("STRUCTURE", "/customer")], id="no customer"),
        pytest.param(b"[]", [("JSON", "")], id="no posting"),
    ],
)  # fmt: skip
def test_posting_that_is_wrong_fails_at_the_place(payload: bytes, errors: list[tuple[str, str]]):
    assert found(payload) == errors


def test_words_name_the_field():
    report = connector.check(journal(lines=line(account=None, debit="x")))

    assert [error.plain for error in report.errors] == [
        "G/L account is missing.",
        "Debit “x” is not written as an amount, such as 1234.50.",
    ]


def test_words_say_how_far_out_of_balance():
    [error] = connector.check(journal(lines=line(debit="1300.00"))).errors

    assert error.plain == ("The journal does not balance: debits 1300.00, credits 1250.00. The debits are 50.00 more.")


def test_line_of_an_invoice_that_does_not_multiply_is_a_warning():
    rows = json.loads(customer_invoice())["lines"]
    rows[0]["unit_price"] = 81

    assert connector.check(customer_invoice(lines=rows)).passed
    assert warned(customer_invoice(lines=rows)) == [("LINE", "/lines/0/net_amount")]
    assert warned(customer_invoice(due_date="2026-11-01")) == [("DATE", "/due_date")]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
NAMES = st.sampled_from(
    ["company", "reference", "posting_date", "currency", "number", "customer", "net_amount", "tax_amount", "total"]
)
LINE_NAMES = st.sampled_from(["account", "cost_center", "debit", "credit", "quantity", "unit_price", "net_amount"])
LINES = st.lists(st.dictionaries(LINE_NAMES, SCALARS, max_size=4) | SCALARS, max_size=3) | SCALARS


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["journal", "customer_invoice"]), st.dictionaries(NAMES, SCALARS | LINES), LINES)
def test_any_posting_is_judged_without_falling_over(kind: str, content: dict[str, Any], lines: Any):
    report = connector.check(json.dumps(content | {"type": kind, "lines": lines}).encode())

    assert all(error.plain and error.code for error in report.errors)
