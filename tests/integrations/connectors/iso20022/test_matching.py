"""Which payment an entry of a report means, by whatever the bank repeats of it."""

import pytest

from integrations.connectors.registry import get_connector
from integrations.refusals import RefusedTransaction
from tests.integrations.connectors.iso20022.payment_files import (
    IBANS,
    Wire,
    block,
    incoming,
    message_id,
    payment_file,
    reason,
    status_report,
    transaction,
    value_of,
)

BANK = get_connector("iso20022")
CLOSED = reason("AC04")


def with_instruction_ids(content: bytes) -> bytes:
    """INS-1, INS-2 … on the payments of a file, which the library does not write."""
    first, *rest = content.split(b"<PmtId>")
    return first + b"".join(b"<PmtId><InstrId>INS-%d</InstrId>" % n + part for n, part in enumerate(rest, start=1))


def parse(content: bytes, *entries: str, in_block: str | None = None) -> list[RefusedTransaction]:
    name = value_of(content, "PmtInfId") if in_block is None else in_block
    report = status_report(message_id(content), block(name, *entries), status="PART")
    return BANK.parse(incoming(content, report))


def amounts(cases: list[RefusedTransaction]) -> list[str]:
    return [str(case.refusal.money.amount) for case in cases if case.refusal.money]


def repeated(cents: str, iban: str = "") -> str:
    account = f"<CdtrAcct><Id><IBAN>{iban}</IBAN></Id></CdtrAcct>" if iban else ""
    return f'<OrgnlTxRef><Amt><InstdAmt Ccy="EUR">{cents}</InstdAmt></Amt>{account}</OrgnlTxRef>'


def test_payment_is_known_by_its_instruction_identifier_alone() -> None:
    content = with_instruction_ids(payment_file(Wire("A", cents=1_00), Wire("B", cents=2_00)))

    assert amounts(parse(content, transaction(instruction_id="INS-2", reasons=CLOSED))) == ["2.00"]


def test_identifier_of_the_bank_itself_does_not_hide_the_payment() -> None:
    content = payment_file(Wire("A", cents=1_00), Wire("B", cents=2_00))

    assert amounts(parse(content, transaction("B", instruction_id="BANK-99", reasons=CLOSED))) == ["2.00"]


def test_payment_without_an_identifier_is_known_by_amount_and_account() -> None:
    content = payment_file(
        Wire("NOTPROVIDED", cents=1_00, iban=IBANS[1]), Wire("NOTPROVIDED", cents=1_00, iban=IBANS[2])
    )

    [case] = parse(content, transaction("NOTPROVIDED", reasons=CLOSED, more=repeated("1.00", IBANS[2])))

    assert IBANS[2] in case.record.headline.counterparty.known_by
    assert case.business_key.startswith("NL91ABNA0417164300|(no identifier) ")
    assert case.business_key == BANK.business_key(case.payload)


def test_entry_that_repeats_nothing_but_the_amount_is_found() -> None:
    content = payment_file(Wire("A", cents=1_00), Wire("B", cents=2_00))

    assert amounts(parse(content, transaction(reasons=CLOSED, more=repeated("2.00")))) == ["2.00"]


def test_same_identifier_twice_is_told_apart_by_the_amount() -> None:
    content = payment_file(Wire("RENT", cents=1_00), Wire("RENT", cents=2_00))

    [case] = parse(content, transaction("RENT", reasons=CLOSED, more=repeated("2.00")))

    assert (amounts([case]), case.refusal.definitive) == (["2.00"], True)


def test_payments_that_are_alike_may_stand_for_each_other() -> None:
    content = payment_file(Wire("RENT"), Wire("RENT"))

    cases = parse(content, transaction("RENT", status="ACSC"), transaction("RENT", reasons=reason("AM05")))

    assert [case.refusal.errors[0].code for case in cases] == ["AM05"]


def test_payments_that_differ_and_are_not_told_apart_are_unclear() -> None:
    content = payment_file(Wire("RENT", cents=1_00), Wire("RENT", cents=2_00))

    cases = parse(content, transaction("RENT", status="ACSC"), transaction("RENT", reasons=CLOSED))

    assert amounts(cases) == ["1.00", "2.00"]
    assert [case.refusal.definitive for case in cases] == [False, False]
    assert [case.refusal.errors[-1].code for case in cases] == ["UNCLEAR", "UNCLEAR"]
    assert len({case.business_key for case in cases}) == 2


def test_all_payments_of_one_name_rejected_leave_nothing_unclear() -> None:
    content = payment_file(Wire("RENT", cents=1_00), Wire("RENT", cents=2_00))

    cases = parse(content, transaction("RENT", reasons=CLOSED), transaction("RENT", reasons=CLOSED))

    assert [case.refusal.definitive for case in cases] == [True, True]


@pytest.mark.parametrize("in_block", ["", "NOTPROVIDED", "UNKNOWN"])
def test_block_that_the_bank_does_not_name_rightly_hides_nothing(in_block: str) -> None:
    content = payment_file(Wire("A", cents=1_00), Wire("B", cents=2_00))

    assert amounts(parse(content, transaction("B", reasons=CLOSED), in_block=in_block)) == ["2.00"]


def test_entry_named_twice_with_two_statuses_counts_as_rejected_and_is_said() -> None:
    content = payment_file(Wire("A"), Wire("B"))

    [case] = parse(content, transaction("A", reasons=CLOSED), transaction("A", status="ACSC"))

    batch = case.refusal.batch
    assert batch is not None
    assert batch.totals is not None
    assert batch.totals.findings == ("The report speaks of payment A as RJCT and as ACSC.",)
