"""How a proposed change of a value mapping stands, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

POLICY = "mapping/1"
"""The rules by which a mapping is decided on; part of what a decision is bound to."""

MOST_ROWS = 5_000  # of one proposal
LONGEST_VALUE = 100  # characters


class MappingState(StrEnum):
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


MAPPING_STATE_WORDS: Mapping[MappingState, str] = {
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
    """One row of the table: what a person may do with a proposal that waits, and where it leads."""

    label: str
    to: MappingState
    past: str  # the audit event's name


MAPPING_MOVES: Mapping[MappingAction, Row] = {
    MappingAction.APPROVE: Row("Approve", MappingState.APPROVED, "value_mapping.approved"),
    MappingAction.REJECT: Row("Reject", MappingState.REJECTED, "value_mapping.rejected"),
    MappingAction.WITHDRAW: Row("Withdraw", MappingState.WITHDRAWN, "value_mapping.withdrawn"),
}


class MappingMoveNotAllowed(Exception):
    """What waits for no decision any more can neither be decided on nor withdrawn."""

    def __init__(self, action: MappingAction, state: MappingState) -> None:
        words = MAPPING_STATE_WORDS[state]
        super().__init__(f"“{MAPPING_MOVES[action].label}” is not possible: the proposal is {words}.")
        self.action = action
        self.state = state


def mapping_destination(action: MappingAction, *, state: MappingState) -> MappingState:
    """The state that an action leads to; raises MappingMoveNotAllowed."""
    if state is not MappingState.AWAITING_APPROVAL:
        raise MappingMoveNotAllowed(action, state)
    return MAPPING_MOVES[action].to
