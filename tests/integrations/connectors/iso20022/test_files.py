"""Payments that travel in one file: which fit together, what the file must hold, what each learns from the answer."""

from decimal import Decimal
from typing import Any

import pytest

from integrations.connectors.base import AnswerKind, CannotBundle
from integrations.connectors.iso20022 import connector
from integrations.connectors.iso20022.files import take_apart
from integrations.http import Exchange, Outcome
from tests.integrations.connectors.iso20022.payment_files import (
    EXECUTION_DATE,
    IBANS,
    Wire,
    block,
    payment_file,
    reason,
    status_report,
    transaction,
    value_of,
    wires,
)

SECOND_DEBTOR = "DE89370400440532013000"


def alone(*names: str, **more: Any) -> list[bytes]:
    return [payment_file(Wire(name), **more) for name in names]


def answered(body: bytes) -> Exchange:
    return Exchange(Outcome.ANSWERED, status=200, headers={"content-type": "application/xml"}, body=body)


def kinds_after(contents: list[bytes], *rows: str, status: str = "PART", reasons: str = "") -> list[AnswerKind]:
    bundle = connector.bundle(contents, name="1")
    listed = block(value_of(bundle.body, "PmtInfId"), *rows)
    report = status_report(bundle.reference, listed, status=status, reasons=reasons, count=len(contents))
    return [own.kind for own in take_apart(answered(report), bundle.body, contents).each]


def test_payments_of_one_account_day_and_version_travel_together():
    later = payment_file(Wire("D", on=EXECUTION_DATE.replace(day=29)))
    contents = [*alone("A", "B"), *alone("C", debtor=SECOND_DEBTOR), later, *alone("E", version="pain.001.001.03")]
    assert connector.arrange(contents) == [[0, 1], [2], [3], [4]]


def test_what_no_answer_could_tell_apart_travels_apart():
    same_name = [payment_file(Wire("A", cents=1_00)), payment_file(Wire("A", cents=2_00))]
    nameless = payment_file(Wire("B")).replace(b"<EndToEndId>B<", b"<EndToEndId>NOTPROVIDED<")
    contents = [*same_name, nameless, payment_file(*wires(2)), b"no payment file", *alone("C")]
    assert connector.arrange(contents) == [[0, 5], [1], [2], [3], [4]]
    with pytest.raises(CannotBundle, match="without an end-to-end identifier"):
        connector.bundle([nameless], name="1")


def test_no_file_holds_more_than_the_target_takes():
    contents = alone(*(f"P-{number}" for number in range(501)))
    assert [len(group) for group in connector.arrange(contents)] == [500, 1]


def test_file_is_valid_tells_its_totals_and_has_a_name_of_its_own_each_time():
    contents = [payment_file(Wire("A", cents=10_50)), payment_file(Wire("B", cents=1_00, iban=IBANS[1]))]
    first, second = connector.bundle(contents, name="1:1|2:1"), connector.bundle(contents, name="1:2|2:2")
    assert (first.count, first.sums) == (2, {"EUR": Decimal("11.50")})
    assert connector.check(first.body).passed
    assert first.reference != second.reference
    assert connector.bundle(contents[::-1], name="1:1|2:1").body == first.body


def test_file_that_would_not_pass_the_check_is_not_made():
    wrong = payment_file(Wire("A")).replace(b"COBADEFFXXX", b"COBADEFFXX")
    with pytest.raises(CannotBundle, match="would not pass the check"):
        connector.bundle([wrong, *alone("B")], name="1")


def test_each_learns_what_was_said_of_it():
    rows = [
        transaction("A", status="ACSC"),
        transaction("B", reasons=reason("AC04")),
        transaction("C", status="PDNG"),
        transaction("D", reasons=reason("AM05")),
    ]
    assert kinds_after(alone("A", "B", "C", "D"), *rows) == ["confirmed", "refused", "pending", "already_exists"]


@pytest.mark.parametrize(
    ("code", "kind"), [("FF01", AnswerKind.REFUSED), ("DU01", AnswerKind.ALREADY_EXISTS), ("MS03", AnswerKind.REFUSED)]
)
def test_what_is_said_of_the_whole_file_is_said_of_each(code: str, kind: AnswerKind):
    assert kinds_after(alone("A", "B"), status="RJCT", reasons=reason(code)) == [kind, kind]


def test_report_on_another_file_tells_nothing():
    contents = alone("A", "B")
    bundle = connector.bundle(contents, name="1")
    report = status_report("SOMETHING-ELSE", status="ACCP", count=2)
    answer = take_apart(answered(report), bundle.body, contents)
    assert {own.kind for own in answer.each} == {AnswerKind.UNKNOWN}
    assert answer.whole.body == report
