"""Control totals: whatever mixture the bank reports, nothing is lost and nothing counted twice."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.connectors.iso20022.initiation import file_of
from integrations.connectors.iso20022.names import read_message
from integrations.connectors.iso20022.outcomes import outcomes_of
from integrations.connectors.iso20022.status import report_of
from integrations.connectors.registry import get_connector
from integrations.refusals import BatchOutcome, BatchTotals, OutcomeTotals
from tests.integrations.connectors.iso20022.payment_files import (
    Wire,
    block,
    incoming,
    message_id,
    payment_file,
    reason,
    status_report,
    transaction,
)

BANK = get_connector("iso20022")
STATUSES = ("RJCT", "ACSC", "ACCP", "PDNG", "RCVD", "CANC", "PART", "BLCK", "XXXX", "")

# Few names and amounts, so that payments often share them.
payments = st.lists(
    st.builds(
        Wire,
        end_to_end_id=st.sampled_from(["A", "B", "C", "D", "NOTPROVIDED"]),
        cents=st.integers(1, 3).map(lambda euros: euros * 100),
    ),
    min_size=1,
    max_size=6,
)
entries = st.lists(st.tuples(st.sampled_from(["A", "B", "C", "D", "E", ""]), st.sampled_from(STATUSES)), max_size=6)


@settings(deadline=None, max_examples=150)
@given(
    wires=payments,
    said=entries,
    group=st.sampled_from(STATUSES),
    of_block=st.sampled_from(STATUSES),
    batch=st.booleans(),
)
def test_totals_of_any_mixture_add_up(
    wires: list[Wire], said: list[tuple[str, str]], group: str, of_block: str, batch: bool
) -> None:
    content = payment_file(*wires, batch=batch)
    file = file_of(read_message(content, field="payload"))
    rows = [transaction(name, status=status, reasons=reason("AC04")) for name, status in said]
    blocks = [block(file.payments[0].block_id, *rows, status=of_block)] if rows or of_block else []
    if not blocks and not group:
        return
    report = status_report(message_id(content), *blocks, status=group)

    outcomes = outcomes_of(file, report_of(read_message(report, field="refusal")))

    totals = outcomes.totals
    assert sum(total.count for total in totals.outcomes.values()) == len(wires) == totals.sent.count
    assert sum((total.sums["EUR"] for total in totals.outcomes.values()), Decimal(0)) == totals.sent.sums["EUR"]
    assert totals.sent.sums["EUR"] == Decimal(sum(wire.cents for wire in wires)) / 100
    assert totals.agree is (totals.findings == ())
    cases = BANK.parse(incoming(content, report))
    refused = (BatchOutcome.REJECTED, BatchOutcome.UNCLEAR)
    assert len(cases) == sum(total.count for outcome, total in totals.outcomes.items() if outcome in refused)
    assert len({case.payload for case in cases}) == len(cases)
    assert len({case.business_key for case in cases}) == len(cases)
    assert all(BANK.check(case.payload).errors == () for case in cases)
    assert all(BANK.business_key(case.payload) == case.business_key for case in cases)


def test_totals_that_leave_something_out_do_not_agree() -> None:
    ten = OutcomeTotals(1, {"EUR": Decimal("10.00")})
    twenty = OutcomeTotals(2, {"EUR": Decimal("20.00")})

    assert BatchTotals(sent=twenty, outcomes={BatchOutcome.REJECTED: ten, BatchOutcome.ACCEPTED: ten}).agree
    assert not BatchTotals(sent=twenty, outcomes={BatchOutcome.REJECTED: ten}).agree
    assert not BatchTotals(sent=ten, outcomes={BatchOutcome.REJECTED: ten}, findings=("Something is wrong.",)).agree


def test_totals_in_several_currencies_are_kept_apart() -> None:
    totals = BatchTotals(
        sent=OutcomeTotals(3, {"EUR": Decimal("41200.00"), "USD": Decimal("5.00")}),
        outcomes={
            BatchOutcome.REJECTED: OutcomeTotals(1, {"USD": Decimal("5.00")}),
            BatchOutcome.ACCEPTED: OutcomeTotals(2, {"EUR": Decimal("41200.00")}),
        },
    )

    assert totals.in_words(unit="payments") == "1 of 3 payments rejected; 2 accepted, 41,200.00 EUR; totals agree"
