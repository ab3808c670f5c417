"""How long it took until what may have been booked was known to be there, or not."""

from collections.abc import Sequence
from math import ceil
from typing import Final

from integrations.connectors.base import AnswerKind
from workbench.rehearsal.evidence import LIVE, Evidence

# A worker that died before it could write the answer leaves none.
_IN_DOUBT: Final = (None, AnswerKind.UNKNOWN.value, AnswerKind.PENDING.value)


def doubts(evidence: Evidence) -> list[float]:
    """Seconds from the first answer that told nothing to the end of the delivery, of those that ended by a machine."""
    found = []
    for delivery in evidence.deliveries:
        if delivery.state in LIVE or delivery.finished_at is None:
            continue
        sends = (attempt for attempt in evidence.attempts.get(delivery.id, ()) if attempt.phase == "send")
        first = next((attempt for attempt in sends if attempt.outcome in _IN_DOUBT), None)
        if first is not None:
            found.append((delivery.finished_at - (first.finished_at or first.started_at)).total_seconds())
    return sorted(found)


def within(seconds: Sequence[float], share: float) -> float | None:
    """The time in which that share of them ended; None of nothing."""
    return sorted(seconds)[ceil(len(seconds) * share) - 1] if seconds else None
