"""The batch of a message as JSON."""

from typing import Any

from exceptions_app.api.responses import money_of
from exceptions_app.queries.batches import BatchInWords
from integrations.refusals import OutcomeTotals


def batch_as_json(batch: BatchInWords) -> dict[str, Any]:
    totals = batch.totals
    return {
        "reference": batch.reference,
        "unit": batch.unit,
        "summary": batch.words,
        "totals_agree": batch.agree,
        "findings": list(totals.findings),
        "sent": _totals(totals.sent),
        "outcomes": {outcome.value: _totals(found) for outcome, found in totals.outcomes.items()},
    }


def _totals(totals: OutcomeTotals) -> dict[str, Any]:
    return {
        "count": totals.count,
        "sums": [money_of(amount, currency) for currency, amount in sorted(totals.sums.items())],
    }
