"""The control totals of a batch that came back in parts: kept with its message, and read again."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from audit import log
from integrations.models import InboxMessage, MessageBatch
from integrations.refusals import LONGEST_TEXT, Batch, BatchOutcome, BatchTotals, OutcomeTotals

MOST_FINDINGS = 100
LONGEST_REFERENCE = 200


def record(message: InboxMessage, batch: Batch, *, at: datetime) -> MessageBatch:
    """Keep what became of the whole, in the transaction that reads the message, with its audit event."""
    totals = batch.totals
    findings = [finding[:LONGEST_TEXT].replace("\x00", "") for finding in totals.findings[:MOST_FINDINGS]]
    words = totals.in_words(unit=batch.unit)
    log.record(
        "message.batch_recorded",
        subject=f"message:{message.pk}",
        scope=f"connection/{message.connection.slug}",
        actor="machine:intake",
        actor_kind="machine",
        at=at,
        summary=f"Batch {batch.reference[:LONGEST_REFERENCE]} of {message.connection}: {words}.",
        data={"external_id": message.external_id, "agree": totals.agree, "findings": findings[:20]},
        correlation_id=message.correlation_id,
    )
    return MessageBatch.objects.create(
        message=message,
        reference=batch.reference[:LONGEST_REFERENCE],
        unit=batch.unit,
        sent=_plain(totals.sent),
        outcomes={outcome.value: _plain(found) for outcome, found in totals.outcomes.items()},
        findings=findings,
        agree=totals.agree,
        recorded_at=at,
    )


def totals_of(row: MessageBatch) -> BatchTotals:
    """The totals as they were recorded."""
    return BatchTotals(
        sent=_totals(row.sent),
        # JSON of the database has an order of its own; here they stand as people expect them.
        outcomes={outcome: _totals(row.outcomes[outcome]) for outcome in BatchOutcome if outcome in row.outcomes},
        findings=tuple(row.findings),
    )


def _plain(totals: OutcomeTotals) -> dict[str, Any]:
    return {
        "count": totals.count,
        "sums": {currency: f"{amount:f}" for currency, amount in sorted(totals.sums.items())},
    }


def _totals(kept: Mapping[str, Any]) -> OutcomeTotals:
    sums = {currency: Decimal(amount) for currency, amount in kept["sums"].items()}
    return OutcomeTotals(count=kept["count"], sums=sums)
