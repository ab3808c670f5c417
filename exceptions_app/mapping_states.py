"""How a proposed change of a value mapping stands, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from exceptions_app.wording import say

POLICY = "mapping/2"
"""The rules by which a mapping is decided on; part of what a decision is bound to, and raised when they change.

Since mapping/2 who is late, stands in for the proposer, or has an account that the proposer changed does not decide.
"""

MOST_ROWS = 5_000  # of one proposal
MOST_MENDS = 10_000  # open exceptions that go with one proposal
AT_ONCE = 25
"""So many are corrected and proposed while the person waits; more of them by a worker, in the background."""
LONGEST_VALUE = 100  # characters


class MappingState(StrEnum):
    PREPARING = "preparing"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


MAPPING_STATE_WORDS: Mapping[MappingState, str] = {
    MappingState.PREPARING: "being prepared",
    MappingState.AWAITING_APPROVAL: "awaiting approval",
    MappingState.APPROVED: "approved",
    MappingState.REJECTED: "rejected",
    MappingState.WITHDRAWN: "withdrawn",
}


class MappingAction(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: what a person may do with a proposal, from which states, and where it leads."""

    label: str
    sources: frozenset[MappingState]
    to: MappingState
    past: str  # the audit event's name


_WAITS = frozenset({MappingState.AWAITING_APPROVAL})
OPEN = _WAITS | {MappingState.PREPARING}
MAPPING_MOVES: Mapping[MappingAction, Row] = {
    MappingAction.APPROVE: Row("Approve", _WAITS, MappingState.APPROVED, "value_mapping.approved"),
    MappingAction.REJECT: Row("Reject", _WAITS, MappingState.REJECTED, "value_mapping.rejected"),
    MappingAction.WITHDRAW: Row("Withdraw", OPEN, MappingState.WITHDRAWN, "value_mapping.withdrawn"),
}


class MappingMoveNotAllowed(Exception):
    """Only what waits can be decided on, and what is closed cannot be withdrawn."""

    def __init__(self, action: MappingAction, state: MappingState) -> None:
        move, words = say(MAPPING_MOVES[action].label), say(MAPPING_STATE_WORDS[state])
        super().__init__(say("“{move}” is not possible: the proposal is {state}.", move=move, state=words))
        self.action = action
        self.state = state


def mapping_destination(action: MappingAction, *, state: MappingState) -> MappingState:
    """The state that an action leads to; raises MappingMoveNotAllowed."""
    row = MAPPING_MOVES[action]
    if state not in row.sources:
        raise MappingMoveNotAllowed(action, state)
    return row.to
