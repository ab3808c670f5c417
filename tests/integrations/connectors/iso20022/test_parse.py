"""Which payments become exceptions, by the status of the file, of its blocks and of single payments."""

from decimal import Decimal

import pytest

from integrations.connectors.registry import get_connector
from integrations.refusals import BatchOutcome, Category, MessageNotUnderstood, RefusedTransaction
from tests.integrations.connectors.iso20022.payment_files import (
    DEBTOR_IBAN,
    IBANS,
    VERSIONS,
    Wire,
    block,
    incoming,
    message_id,
    payment_file,
    reason,
    status_report,
    transaction,
    value_of,
    wires,
    with_prefix,
)

BANK = get_connector("iso20022")
FOUR = payment_file(*wires(4))
FOUR_ID = message_id(FOUR)
BLOCK = value_of(FOUR, "PmtInfId")


def parse(payload: bytes, refusal: bytes) -> list[RefusedTransaction]:
    return BANK.parse(incoming(payload, refusal))


def names(cases: list[RefusedTransaction]) -> list[str]:
    return [case.business_key.removeprefix(f"{DEBTOR_IBAN}|") for case in cases]


def codes(case: RefusedTransaction) -> list[str]:
    return [error.code for error in case.refusal.errors]


def totals_in_words(case: RefusedTransaction) -> str:
    assert case.refusal.batch is not None
    assert case.refusal.batch.totals is not None
    return case.refusal.batch.totals.in_words(unit="payments")


def findings(case: RefusedTransaction) -> tuple[str, ...]:
    assert case.refusal.batch is not None
    assert case.refusal.batch.totals is not None
    return case.refusal.batch.totals.findings


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("prefixes", ["", "p", "ns2"])
def test_partly_accepted_file_gives_one_case_for_each_rejected_payment(version: str, prefixes: str) -> None:
    content = payment_file(*wires(4), version=version)
    report = status_report(
        message_id(content),
        block(
            value_of(content, "PmtInfId"),
            transaction("INV-1", status="ACSC"),
            transaction("INV-2", reasons=reason("AC04")),
            transaction("INV-4", reasons=reason("AM04")),
        ),
        status="PART",
        name=version,
    )
    if prefixes:
        content, report = with_prefix(content, prefixes), with_prefix(report, f"{prefixes}r")

    cases = parse(content, report)

    assert names(cases) == ["INV-2", "INV-4"]
    assert [case.refusal.category for case in cases] == [Category.MASTER_DATA, Category.PAYMENT_FAILURE]
    assert totals_in_words(cases[0]) == "2 of 4 payments rejected; 2 accepted, 400.00 EUR; totals agree"
    assert [case.refusal.batch.position for case in cases if case.refusal.batch] == [2, 4]
    assert [BANK.check(case.payload).errors for case in cases] == [(), ()]


@pytest.mark.parametrize("status", ["ACCP", "ACSC", "ACTC", "RCVD", "PDNG", "ACWC"])
def test_file_without_a_rejection_gives_no_case(status: str) -> None:
    assert parse(FOUR, status_report(FOUR_ID, status=status)) == []


def test_rejected_file_rejects_every_payment_with_its_reason() -> None:
    cases = parse(FOUR, status_report(FOUR_ID, status="RJCT", reasons=reason("TM01", ["Cut-off 14:00"])))

    assert names(cases) == ["INV-1", "INV-2", "INV-3", "INV-4"]
    assert {(case.refusal.category, case.refusal.sub) for case in cases} == {(Category.PAYMENT_FAILURE, "cut_off")}
    assert {case.refusal.errors[0].text for case in cases} == {"Cut-off 14:00"}
    assert {case.refusal.errors[0].field for case in cases} == {"Execution date"}


def test_rejected_block_rejects_its_payments_alone() -> None:
    content = payment_file(*wires(3), batch=False)
    first = value_of(content, "PmtInfId")
    report = status_report(message_id(content), block(first, status="RJCT", reasons=reason("AC06")), status="PART")

    cases = parse(content, report)

    assert names(cases) == ["INV-1"]
    assert codes(cases[0]) == ["AC06"]
    assert totals_in_words(cases[0]) == "1 of 3 payments rejected; 2 accepted, 500.00 EUR; totals agree"


def test_rejection_above_wins_over_an_acceptance_below() -> None:
    report = status_report(
        FOUR_ID, block(BLOCK, transaction("INV-1", status="ACCP")), status="RJCT", reasons=reason("FF01")
    )

    cases = parse(FOUR, report)

    assert len(cases) == 4
    assert [case.refusal.definitive for case in cases] == [False, True, True, True]
    assert findings(cases[0]) == ("Payment INV-1 is reported as ACCP, and what it belongs to as RJCT.",)


def test_pending_payment_is_no_case_and_not_lost() -> None:
    report = status_report(
        FOUR_ID,
        block(BLOCK, transaction("INV-1", reasons=reason("AC01")), transaction("INV-2", status="PDNG")),
        status="PART",
    )

    [case] = parse(FOUR, report)

    assert totals_in_words(case) == (
        "1 of 4 payments rejected; 2 accepted, 700.00 EUR; 1 pending, 200.00 EUR; totals agree"
    )


def test_payments_without_any_status_are_pending() -> None:
    report = status_report(FOUR_ID, block(BLOCK, transaction("INV-1", reasons=reason("AC01"))))

    [case] = parse(FOUR, report)

    assert totals_in_words(case) == "1 of 4 payments rejected; 3 pending, 900.00 EUR; totals agree"


def test_counts_of_the_bank_say_what_unnamed_payments_are() -> None:
    counted = "".join(
        f"<NbOfTxsPerSts><DtldNbOfTxs>{count}</DtldNbOfTxs><DtldSts>{status}</DtldSts></NbOfTxsPerSts>"
        for status, count in (("RJCT", 1), ("PDNG", 3))
    )
    report = status_report(
        FOUR_ID, block(BLOCK, transaction("INV-1", reasons=reason("AC01"))), status="PART", counted=counted
    )

    [case] = parse(FOUR, report)

    assert totals_in_words(case) == "1 of 4 payments rejected; 3 pending, 900.00 EUR; totals agree"


def test_counts_that_do_not_agree_are_said() -> None:
    counted = "<NbOfTxsPerSts><DtldNbOfTxs>2</DtldNbOfTxs><DtldSts>RJCT</DtldSts></NbOfTxsPerSts>"
    report = status_report(
        FOUR_ID,
        block(BLOCK, transaction("INV-1", reasons=reason("AC01"))),
        status="PART",
        counted=counted,
        count=5,
        total=Decimal("999.00"),
    )

    [case] = parse(FOUR, report)

    assert totals_in_words(case).endswith("totals need a look")
    assert findings(case) == (
        "The report speaks of 5 payments; the file holds 4.",
        "The report speaks of a sum of 999.00; the payments of the file come to 1,000.00.",
        "The report counts 2 payment(s) as rejected; what it says of them comes to 1.",
    )


@pytest.mark.parametrize("count", ["²", "-4", "4.0", "٤", "many"])
def test_count_that_is_no_number_is_a_finding(count: str) -> None:
    report = status_report(FOUR_ID, status="RJCT", count=4).replace(
        b"<OrgnlNbOfTxs>4<", f"<OrgnlNbOfTxs>{count}<".encode()
    )

    assert findings(parse(FOUR, report)[0]) == (f"The report speaks of {count} payments; the file holds 4.",)


def test_count_with_leading_zeros_agrees() -> None:
    report = status_report(FOUR_ID, status="RJCT", count=4).replace(b"<OrgnlNbOfTxs>4<", b"<OrgnlNbOfTxs>004<")

    assert findings(parse(FOUR, report)[0]) == ()


def test_file_with_wrong_totals_of_its_own_is_split_and_the_totals_set_right() -> None:
    content = FOUR.replace(b"<CtrlSum>1000.00</CtrlSum>", b"<CtrlSum>1000.01</CtrlSum>")

    cases = parse(content, status_report(FOUR_ID, status="RJCT", reasons=reason("AM10")))

    assert findings(cases[0])[0] == "The file states a control sum of 1000.01; its payments come to 1,000.00."
    assert (cases[0].refusal.category, cases[0].refusal.sub) == (Category.BUSINESS_VALIDATION, "arithmetic")
    assert [BANK.check(case.payload).errors for case in cases] == [()] * 4


def test_several_reasons_are_all_kept_and_the_first_that_says_something_decides() -> None:
    reasons = reason("NARR", ["Zurückgewiesen"]) + reason("RR03", ["Anschrift fehlt", "(Empfänger)"]) + reason("AC01")

    [case] = parse(FOUR, status_report(FOUR_ID, block(BLOCK, transaction("INV-3", reasons=reasons)), status="PART"))

    assert codes(case) == ["NARR", "RR03", "AC01"]
    assert case.refusal.category is Category.COMPLIANCE
    assert case.refusal.errors[1].text == "Anschrift fehlt (Empfänger)"
    assert case.refusal.errors[0].plain == "The bank says: Zurückgewiesen"
    assert case.refusal.errors[1].language == "und"


def test_machine_may_try_again_only_when_every_reason_allows_it() -> None:
    report = status_report(
        FOUR_ID,
        block(
            BLOCK,
            transaction("INV-1", reasons=reason("AB05")),
            transaction("INV-2", reasons=reason("AB05") + reason("AC04")),
        ),
        status="PART",
    )

    assert [case.refusal.auto_retry for case in parse(FOUR, report)] == [True, False]


def test_code_of_the_bank_keeps_its_text_and_goes_to_a_person() -> None:
    reasons = reason(proprietary="X4711", text=["Tili ei ole voimassa"])

    [case] = parse(FOUR, status_report(FOUR_ID, block(BLOCK, transaction("INV-3", reasons=reasons)), status="PART"))

    assert (case.refusal.category, codes(case)) == (Category.UNCLASSIFIED, ["X4711"])
    assert case.refusal.errors[0].text == "Tili ei ole voimassa"


def test_rejection_without_any_reason_says_so() -> None:
    [case] = parse(FOUR, status_report(FOUR_ID, block(BLOCK, transaction("INV-3")), status="PART"))

    assert (case.refusal.category, case.refusal.sub) == (Category.UNCLASSIFIED, "no_reason")
    assert case.refusal.errors[0].plain == "The bank rejects it and gives no reason. Ask it for the reason."


def test_repeat_is_looked_up_before_anything_is_sent() -> None:
    report = status_report(FOUR_ID, block(BLOCK, transaction("INV-3", reasons=reason("AM05"))), status="PART")

    [case] = parse(FOUR, report)

    assert (case.refusal.category, case.refusal.definitive) == (Category.DUPLICATE, False)


def test_report_on_another_file_is_not_understood() -> None:
    with pytest.raises(MessageNotUnderstood) as caught:
        parse(FOUR, status_report("ANOTHER", status="RJCT"))

    assert caught.value.field == "refusal"
    assert "ANOTHER" in caught.value.remedy


def test_report_that_does_not_name_the_file_is_taken_for_the_one_it_came_with() -> None:
    report = status_report("NOTPROVIDED", status="RJCT", reasons=reason("FF01"))

    cases = parse(FOUR, report)

    assert len(cases) == 4
    assert findings(cases[0]) == ("The report does not name the file; it is taken for the file it came with.",)


def test_entry_that_the_file_does_not_hold_is_a_finding() -> None:
    report = status_report(
        FOUR_ID,
        block(BLOCK, transaction("INV-1", reasons=reason("AC01")), transaction("INV-77", reasons=reason("AC01"))),
        status="PART",
    )

    [case] = parse(FOUR, report)

    assert findings(case) == ("The report speaks of a payment INV-77, which the file does not hold.",)


def test_both_documents_are_found_whichever_place_they_were_sent_in() -> None:
    report = status_report(FOUR_ID, status="RJCT", reasons=reason("FF01"))

    assert names(parse(report, FOUR)) == names(parse(FOUR, report))


@pytest.mark.parametrize(
    ("payload", "refusal", "problem"),
    [
        (b"<x/>", b"", "The document is empty."),
        (b"<Document><Other/></Document>", b"", "The document is “Other”, neither a pain.001 nor a pain.002."),
        (FOUR, b"", "The refusal is empty."),
        (FOUR, b"<Document", "The document ends inside a tag."),
        (FOUR, b"[]", "The refusal names no code and no reason."),
    ],
)
def test_what_is_no_pair_of_documents_is_not_understood(payload: bytes, refusal: bytes, problem: str) -> None:
    with pytest.raises(MessageNotUnderstood) as caught:
        parse(payload, refusal)

    assert caught.value.problem == problem
    assert caught.value.remedy


def test_time_out_of_the_bank_leaves_open_whether_it_booked() -> None:
    cases = BANK.parse(incoming(FOUR, b"", status=504))

    assert len(cases) == 4
    assert {(case.refusal.category, case.refusal.sub) for case in cases} == {(Category.TRANSPORT, "timeout")}
    assert {(case.refusal.definitive, case.refusal.auto_retry) for case in cases} == {(False, True)}


def test_same_message_gives_the_same_cases_again() -> None:
    report = status_report(FOUR_ID, status="RJCT", reasons=reason("FF01"))

    assert [case.payload for case in parse(FOUR, report)] == [case.payload for case in parse(FOUR, report)]


def test_each_case_has_a_file_of_its_own_with_new_identifiers() -> None:
    cases = parse(FOUR, status_report(FOUR_ID, status="RJCT", reasons=reason("FF01")))

    identifiers = [value_of(case.payload, name) for case in cases for name in ("MsgId", "PmtInfId")]
    assert len(set(identifiers)) == len(identifiers)
    assert max(map(len, identifiers)) <= 35
    assert not {FOUR_ID, BLOCK} & set(identifiers)
    assert [BANK.read(case.payload).headline.number for case in cases] == ["INV-1", "INV-2", "INV-3", "INV-4"]


@pytest.mark.parametrize("name", ["INV-1", "NOTPROVIDED"])
def test_payment_that_is_rejected_again_in_its_own_file_is_the_same_one(name: str) -> None:
    content = payment_file(Wire(name, cents=10_00), Wire(name, cents=20_00))
    first = parse(content, status_report(message_id(content), status="RJCT", reasons=reason("AC04")))[1]

    [again] = parse(first.payload, status_report(message_id(first.payload), status="RJCT", reasons=reason("AC06")))

    assert again.business_key == first.business_key
    assert message_id(again.payload) != message_id(first.payload)


def test_unclear_outcome_is_part_of_the_totals() -> None:
    content = payment_file(Wire("SAME", cents=10_00), Wire("SAME", cents=20_00), Wire("OTHER", cents=5_00))
    report = status_report(
        message_id(content),
        block(value_of(content, "PmtInfId"), transaction("SAME", reasons=reason("AC01"))),
        status="PART",
    )

    cases = parse(content, report)

    batch = cases[0].refusal.batch
    assert batch is not None
    assert batch.totals is not None
    assert {outcome: total.count for outcome, total in batch.totals.outcomes.items()} == {
        BatchOutcome.ACCEPTED: 1,
        BatchOutcome.UNCLEAR: 2,
    }
    assert [case.refusal.definitive for case in cases] == [False, False]
    assert len({case.business_key for case in cases}) == 2
    assert IBANS[0] in cases[0].record.headline.counterparty.known_by
