"""Replay batches as data: how one and its items stand, how it grows, and when it stops by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from exceptions_app.wording import say

POLICY = "batch/2"
"""How batches grow and stop, and who decides on them: part of what a decision is bound to, and raised when either
changes. Since batch/2 who is late, stands in for a contributor, or has an account that one changed does not decide.
"""

GROWTH = 5  # each step is this many times the one before: 1, 5, 25, 125, …
MOST_AT_ONCE = 25  # more would wait in the outbox: a connection has no more under way than a few claims take
MOST_ITEMS = 1_000  # of one that is proposed in one go
MOST_PREPARED = 10_000  # of one whose items were proposed one by one before, in the background
RATE_COUNTED_FROM = 10  # ended items; of fewer a rate says nothing
USUAL_FAILURE_LIMIT = 5  # per cent

NOT_PERMITTED = "not_permitted"
FAILURE_RATE = "failure_rate"


class BatchState(StrEnum):
    AWAITING_APPROVAL = "awaiting_approval"
    RUNNING = "running"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    COMPLETE = "complete"
    ENDED = "ended"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


STATE_WORDS: Mapping[BatchState, str] = {
    BatchState.AWAITING_APPROVAL: "awaiting approval",
    BatchState.RUNNING: "running",
    BatchState.STOPPED: "stopped by itself",
    BatchState.SUSPENDED: "suspended",
    BatchState.COMPLETE: "complete",
    BatchState.ENDED: "ended, not all proven",
    BatchState.CANCELLED: "cancelled",
    BatchState.REJECTED: "rejected",
}
BEGUN = frozenset({BatchState.RUNNING, BatchState.STOPPED, BatchState.SUSPENDED})
LIVE = BEGUN | {BatchState.AWAITING_APPROVAL}
GIVING_BACK = frozenset({BatchState.CANCELLED, BatchState.REJECTED})
"""What such a batch has not sent goes back to work, proposal by proposal."""


class ItemState(StrEnum):
    WAITING = "waiting"
    UNDER_WAY = "under_way"
    PROVEN = "proven"
    FAILED = "failed"
    SKIPPED = "skipped"
    GIVEN_BACK = "given_back"


ITEM_WORDS: Mapping[ItemState, str] = {
    ItemState.WAITING: "not sent yet",
    ItemState.UNDER_WAY: "under way",
    ItemState.PROVEN: "proven",
    ItemState.FAILED: "failed",
    ItemState.SKIPPED: "left out",
    ItemState.GIVEN_BACK: "given back",
}


class BatchAction(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    SUSPEND = "suspend"
    RESUME = "resume"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: what a person may do with a batch, from which states, and where it leads."""

    label: str
    sources: frozenset[BatchState]
    to: BatchState
    past: str  # the audit event's name


_S = BatchState
BATCH_MOVES: Mapping[BatchAction, Row] = {
    BatchAction.APPROVE: Row("Approve", frozenset({_S.AWAITING_APPROVAL}), _S.RUNNING, "batch.approved"),
    BatchAction.REJECT: Row("Reject", frozenset({_S.AWAITING_APPROVAL}), _S.REJECTED, "batch.rejected"),
    BatchAction.SUSPEND: Row("Suspend", frozenset({_S.RUNNING}), _S.SUSPENDED, "batch.suspended"),
    BatchAction.RESUME: Row("Resume", frozenset({_S.STOPPED, _S.SUSPENDED}), _S.RUNNING, "batch.resumed"),
    BatchAction.CANCEL: Row("Cancel", LIVE, _S.CANCELLED, "batch.cancelled"),
}


class BatchMoveNotAllowed(Exception):
    """The action has no row in the table for this state."""

    def __init__(self, action: BatchAction, state: BatchState) -> None:
        move, words = say(BATCH_MOVES[action].label), say(STATE_WORDS[state])
        super().__init__(say("“{move}” is not possible: the batch is {state}.", move=move, state=words))
        self.action = action
        self.state = state


def destination(action: BatchAction, *, state: BatchState) -> BatchState:
    """The state that an action leads to; raises BatchMoveNotAllowed."""
    row = BATCH_MOVES[action]
    if state not in row.sources:
        raise BatchMoveNotAllowed(action, state)
    return row.to


def last_of_step(step: int) -> int:
    """The position of the last item of a step, counted from 1: 1, 6, 31, 156, …"""
    return int((GROWTH**step - 1) // (GROWTH - 1))


def step_of(position: int) -> int:
    """The step, from 1, in which the item at a position is sent."""
    step = 1
    while last_of_step(step) < position:
        step += 1
    return step


def at_once(step: int) -> int:
    """How many items of a step may be under way once its first is proven: as many as the step before had."""
    return min(max(1, int(GROWTH ** max(0, step - 2))), MOST_AT_ONCE)


def plan_of(count: int) -> list[tuple[int, int]]:
    """The steps of a batch of that size: first and last position of each."""
    steps: list[tuple[int, int]] = []
    first = 1
    while first <= count:
        last = min(last_of_step(len(steps) + 1), count)
        steps.append((first, last))
        first = last + 1
    return steps
