"""Named places around every commit and every send, at which a test ends the process, to prove that all comes right.

In an installation they do nothing: nothing but a call of `arm` in the same process makes them do anything, and no
setting and no request leads there.
"""

from collections.abc import Callable
from enum import StrEnum


class Point(StrEnum):
    """In the order in which a document passes them. “Written” is before the commit, “intended” after it."""

    MESSAGE_CLAIMED = "message.claimed"
    MESSAGE_READ = "message.read"  # not committed yet
    MESSAGE_DONE = "message.done"
    DECISION_WRITTEN = "decision.written"
    BELL_DUE = "bell.due"  # committed, and no worker told

    CLAIM_WRITTEN = "claim.written"
    CLAIMED = "claim.committed"
    APPROVAL_SEEN = "approval.seen"
    HELD_BACK = "delivery.held_back"  # the approval does not hold; not written yet

    PROBE_WRITTEN = "probe.written"
    PROBE_INTENDED = "probe.intended"
    PROBE_ANSWERED = "probe.answered"
    PROBE_NOTED = "probe.noted"

    SEND_WRITTEN = "send.written"
    SEND_INTENDED = "send.intended"
    WIRE_OPEN = "wire.open"  # connected, before the first byte
    WIRE_SENT = "wire.sent"  # all bytes are away, and nothing of the answer is read
    SEND_ANSWERED = "send.answered"
    SEND_NOTED = "send.noted"

    COMPARE_WRITTEN = "compare.written"
    COMPARE_INTENDED = "compare.intended"
    COMPARE_ANSWERED = "compare.answered"
    COMPARE_NOTED = "compare.noted"

    FILE_WRITTEN = "file.written"
    FILE_INTENDED = "file.intended"
    FILE_ANSWERED = "file.answered"
    FILE_NOTED = "file.noted"

    END_LOCKED = "end.locked"
    END_WRITTEN = "end.written"  # the delivery's, and not the exception's
    EXCEPTION_MOVED = "end.exception_moved"
    SOURCE_TO_BE_TOLD = "end.source_to_be_told"
    ENDED = "end.committed"


_ended_by: Callable[[Point], None] | None = None


def arm(end: Callable[[Point], None] | None) -> None:
    """Call `end` at every point that is passed from now on in this process; None disarms."""
    global _ended_by  # noqa: PLW0603 - one process, one end
    _ended_by = end


def passing(point: Point) -> None:
    if _ended_by is not None:
        _ended_by(point)
