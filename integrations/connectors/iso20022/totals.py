"""Control totals of a payment file that came back in parts, checked against what the bank states of its own."""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from integrations.connectors.iso20022.initiation import Payment
from integrations.connectors.iso20022.status import PARTLY, Level, StatusReport, outcome_of
from integrations.refusals import BatchOutcome, BatchTotals, OutcomeTotals

Judged = tuple[Payment, BatchOutcome]

_WITHOUT_THE_FILE = "The payment file did not come with the report; the numbers are the report's own."


def totals_of(
    judged: Sequence[Judged], *, levels: Sequence[tuple[str, Level, str | None]], findings: Sequence[str]
) -> BatchTotals:
    """Totals of a file. `levels` are what the report states: its name, the level, and the block it is about."""
    outcomes = {
        outcome: _total([payment for payment, found in judged if found is outcome])
        for outcome in BatchOutcome
        if any(found is outcome for _, found in judged)
    }
    found = list(findings)
    unreadable = sum(1 for payment, _ in judged if payment.money is None)
    if unreadable:
        found.append(f"The amount of {unreadable} payment(s) cannot be read; the sums leave it out.")
    for name, level, block_id in levels:
        held = [(payment, outcome) for payment, outcome in judged if block_id in (None, payment.block_id)]
        found += _disagreements(name, level, held)
    return BatchTotals(
        sent=_total([payment for payment, _ in judged]), outcomes=outcomes, findings=tuple(dict.fromkeys(found))
    )


def totals_of_the_report(report: StatusReport) -> BatchTotals:
    """What a report says of itself where its file did not come. Its sums name no currency, so they are left out."""
    counts: Counter[BatchOutcome] = Counter()
    for payment in report.payments:
        counts[outcome_of(payment.status or report.level.status)] += 1
    if not counts:
        for row in report.level.counted:
            counts[outcome_of(row.status)] += row.count
    stated = report.level.stated_count
    if not counts and stated.isascii() and stated.isdigit():
        counts[outcome_of(report.level.status)] = int(stated[:15])
    return BatchTotals(
        sent=OutcomeTotals(counts.total(), {}),
        outcomes={outcome: OutcomeTotals(counts[outcome], {}) for outcome in BatchOutcome if counts[outcome]},
        findings=(_WITHOUT_THE_FILE,),
    )


def _total(payments: Sequence[Payment]) -> OutcomeTotals:
    sums: dict[str, Decimal] = {}
    for payment in payments:
        if payment.money is not None:
            currency = payment.money.currency
            sums[currency] = sums.get(currency, Decimal(0)) + payment.money.amount
    return OutcomeTotals(count=len(payments), sums=sums)


def _disagreements(name: str, level: Level, held: Sequence[Judged]) -> Iterator[str]:
    if not held:
        return
    counted = level.stated_count.lstrip("0")
    if level.stated_count and counted != str(len(held)):
        yield f"{name} speaks of {level.stated_count} payments; the file holds {len(held)}."
    total = sum((amount for currency, amount in _sums(held)), Decimal(0))
    readable = all(payment.money is not None for payment, _ in held)
    if level.stated_sum is not None and readable and level.stated_sum != total:
        yield f"{name} speaks of a sum of {level.stated_sum:,}; the payments of the file come to {total:,}."
    yield from _differing_counts(name, level, held)


def _sums(held: Sequence[Judged]) -> Iterator[tuple[str, Decimal]]:
    for payment, _ in held:
        if payment.money is not None:
            yield payment.money.currency, payment.money.amount


def _differing_counts(name: str, level: Level, held: Sequence[Judged]) -> Iterator[str]:
    """Where the bank's own counts per status are not what its report says of the payments."""
    stated: dict[BatchOutcome, int] = {}
    for row in level.counted:
        if row.status != PARTLY:
            outcome = outcome_of(row.status)
            stated[outcome] = stated.get(outcome, 0) + row.count
    for outcome, count in stated.items():
        found = sum(1 for _, judged in held if judged is outcome)
        if found != count:
            yield f"{name} counts {count} payment(s) as {outcome.value}; what it says of them comes to {found}."
