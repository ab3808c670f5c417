"""What became of every payment of a file, by the bank's report: each one accepted, rejected, pending or unclear."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from integrations.connectors.iso20022.initiation import Payment, PaymentFile
from integrations.connectors.iso20022.matching import Match, match
from integrations.connectors.iso20022.status import (
    PARTLY,
    Level,
    PaymentStatus,
    PerStatus,
    StatusReason,
    StatusReport,
    outcome_of,
)
from integrations.connectors.iso20022.totals import totals_of
from integrations.connectors.iso20022.values import NOT_PROVIDED
from integrations.refusals import BatchOutcome, BatchTotals, MessageNotUnderstood


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the bank said of one payment. `level` is where it said so: `payment`, `block` or `file`."""

    payment: Payment
    outcome: BatchOutcome
    status: str
    reasons: tuple[StatusReason, ...]
    level: str
    entry: PaymentStatus | None = None
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Outcomes:
    verdicts: tuple[Verdict, ...]
    totals: BatchTotals


@dataclass(slots=True)
class _Judged:
    """The verdicts while they are being found, with what does not agree."""

    verdicts: list[Verdict] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def outcomes_of(file: PaymentFile, report: StatusReport) -> Outcomes:
    """Join a file with the report on it; raises MessageNotUnderstood when the report is about another file."""
    matched = match(file, report)
    judged = _Judged()
    judged.findings += _not_the_same(file, report, matched)
    judged.findings += [words for _, _, words in file.total_findings()]
    judged.findings += matched.findings
    levels = {block.block_id: block.level for block in report.blocks if block.block_id}
    unlisted: list[Payment] = []
    for payment in file.payments:
        entry = matched.entries.get(payment)
        if payment in matched.unclear:
            judged.verdicts.append(_unclear(payment, matched.unclear[payment]))
        elif entry is not None and entry.status:
            judged.verdicts.append(_by_entry(payment, entry, levels.get(payment.block_id), report.level, judged))
        else:
            unlisted.append(payment)
    judged.verdicts += _by_levels(unlisted, levels, report.level, matched, tuple(judged.verdicts))
    judged.verdicts.sort(key=lambda verdict: verdict.payment.position)
    totals = totals_of(
        [(verdict.payment, verdict.outcome) for verdict in judged.verdicts],
        levels=[
            ("The report", report.level, None),
            *((f"Block {name}", level, name) for name, level in levels.items()),
        ],
        findings=judged.findings,
    )
    return Outcomes(verdicts=tuple(judged.verdicts), totals=totals)


def _not_the_same(file: PaymentFile, report: StatusReport, matched: Match) -> Iterator[str]:
    named = report.message_id
    if named and named.upper() != NOT_PROVIDED and named != file.message_id:
        raise MessageNotUnderstood(
            f"The status report is about the file {named}; the payment file is {file.message_id or 'without a name'}.",
            field="refusal",
            remedy=f"Send the report together with the pain.001 whose message identifier is {named}.",
        )
    if not named or named.upper() == NOT_PROVIDED:
        if report.payments and not matched.entries:
            raise MessageNotUnderstood(
                "The status report names no file, and none of its payments is in this one.",
                field="refusal",
                remedy="Send the report together with the pain.001 that it answers.",
            )
        yield "The report does not name the file; it is taken for the file it came with."


def _unclear(payment: Payment, entry: PaymentStatus) -> Verdict:
    return Verdict(payment, BatchOutcome.UNCLEAR, entry.status, entry.reasons, "payment", entry, is_certain=False)


def _by_entry(payment: Payment, entry: PaymentStatus, block: Level | None, group: Level, judged: _Judged) -> Verdict:
    """The bank names the payment. Above it a rejection wins: what is rejected as a whole has no accepted part."""
    outcome = outcome_of(entry.status)
    above = next((level for level in (block, group) if level and _rejects(level)), None)
    if above is None or outcome is BatchOutcome.REJECTED:
        inherited = next((level.reasons for level in (block, group) if level is not None and level.reasons), ())
        return Verdict(payment, outcome, entry.status, entry.reasons or inherited, "payment", entry)
    judged.findings.append(
        f"Payment {entry.name} is reported as {entry.status}, and what it belongs to as {above.status}."
    )
    return Verdict(
        payment, BatchOutcome.REJECTED, above.status, entry.reasons or above.reasons, "payment", entry, is_certain=False
    )


def _by_levels(
    unlisted: Sequence[Payment],
    levels: Mapping[str, Level],
    group: Level,
    matched: Match,
    listed: Sequence[Verdict],
) -> Iterator[Verdict]:
    """The bank does not name these payments, or gives them no status: the nearest level above speaks for them."""
    nearest = {payment: _nearest(payment, levels, group) for payment in unlisted}
    counts = Counter(block_id for _, block_id in nearest.values())
    rest = {
        block_id: _rest_of(
            group.counted if block_id is None else levels[block_id].counted,
            [verdict for verdict in listed if block_id in (None, verdict.payment.block_id)],
            count,
        )
        for block_id, count in counts.items()
    }
    for payment, (level, block_id) in nearest.items():
        entry = matched.entries.get(payment)
        own = entry.reasons if entry is not None else ()
        name = "file" if block_id is None else "block"
        if level.status == PARTLY:
            outcome = rest[block_id]
            yield Verdict(payment, outcome, "", own, name, entry, is_certain=outcome is not BatchOutcome.REJECTED)
        else:
            yield Verdict(payment, outcome_of(level.status), level.status, own or level.reasons, name, entry)


def _nearest(payment: Payment, levels: Mapping[str, Level], group: Level) -> tuple[Level, str | None]:
    """The level that speaks for an unnamed payment, and the block it is about; a rejected file speaks for all."""
    block = levels.get(payment.block_id)
    if block is None or not block.status or _rejects(group):
        return group, None
    return block, payment.block_id


def _rejects(level: Level) -> bool:
    return outcome_of(level.status) is BatchOutcome.REJECTED


def _rest_of(counted: Sequence[PerStatus], listed: Sequence[Verdict], unlisted: int) -> BatchOutcome:
    """What the unnamed payments of a partly accepted block are: accepted, unless the bank's own counts say other."""
    left: dict[BatchOutcome, int] = {}
    for row in counted:
        outcome = outcome_of(row.status)
        left[outcome] = left.get(outcome, 0) + row.count
    for verdict in listed:
        left[verdict.outcome] = left.get(verdict.outcome, 0) - 1
    fitting = [outcome for outcome, count in left.items() if count == unlisted]
    return fitting[0] if len(fitting) == 1 else BatchOutcome.ACCEPTED
