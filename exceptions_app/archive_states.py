"""Deliveries of evidence to an archive, as data: how one stands, and when somebody is told."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

GRACE = timedelta(hours=1)
"""How long after its end a period is taken up: what was closed in its last moments is committed by then."""
OVERDUE = timedelta(hours=6)
"""Administrators are told of what is not delivered by then."""
MOST_IN_ONE = 5_000  # exceptions; what is more of a day goes as another pack of that day


class ArchiveState(StrEnum):
    WAITING = "waiting"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    FAILED = "failed"


ARCHIVE_WORDS: Mapping[ArchiveState, str] = {
    ArchiveState.WAITING: "waiting",
    ArchiveState.DELIVERING: "being delivered",
    ArchiveState.DELIVERED: "delivered",
    ArchiveState.FAILED: "failed, waits for a person",
}
UNDELIVERED = frozenset({ArchiveState.WAITING, ArchiveState.DELIVERING, ArchiveState.FAILED})
AGAIN_FROM = frozenset({ArchiveState.FAILED, ArchiveState.DELIVERED})
"""From these a person has it delivered again."""
