"""Every way a transaction that was handed over for delivery can move, as data.

A move names the states it may start from and the state it leads to; the machine makes all of them. What has no row here
cannot happen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

POLICY = "handover/1"
"""The rule by which a transaction is sent on without a person; raised when what it asks for changes.

It asks that the source may hand in for the connection, that the connector's check finds nothing against the document,
and that no other document of this name is in anybody's care, under way or delivered.
"""


class TransactionState(StrEnum):
    CHECKING = "checking"
    WAITING = "waiting"
    DELIVERING = "delivering"
    OUTCOME_UNKNOWN = "outcome_unknown"
    HELD = "held"
    DELIVERED = "delivered"
    DUPLICATE = "duplicate"
    CLOSED = "closed"


STATE_WORDS: Mapping[TransactionState, str] = {
    TransactionState.CHECKING: "being checked",
    TransactionState.WAITING: "waiting for another one",
    TransactionState.DELIVERING: "on its way",
    TransactionState.OUTCOME_UNKNOWN: "of unknown outcome",
    TransactionState.HELD: "held",
    TransactionState.DELIVERED: "delivered",
    TransactionState.DUPLICATE: "a repeat of another one",
    TransactionState.CLOSED: "closed without delivery",
}
UNDER_WAY = frozenset({TransactionState.DELIVERING, TransactionState.OUTCOME_UNKNOWN})
"""Where a worker may send it, or ask the target about it."""
SETTLED = frozenset({TransactionState.DELIVERED, TransactionState.DUPLICATE, TransactionState.CLOSED})


class Move(StrEnum):
    WAIT = "wait"
    SEND = "send"
    HOLD = "hold"
    RECOGNISE = "recognise"
    LOSE_SIGHT = "lose_sight"
    DELIVER = "deliver"
    CLOSE = "close"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. `tells` is the event that the source receives, empty for none."""

    sources: frozenset[TransactionState]
    to: TransactionState
    past: str  # the audit event's name
    tells: str = ""


_S = TransactionState
# What could not be read is held without an exception, and read once more when a person says so.
_READ = frozenset({_S.CHECKING, _S.HELD})

TRANSACTION_MOVES: Mapping[Move, Row] = {
    Move.WAIT: Row(_READ, _S.WAITING, "transaction.made_to_wait"),
    Move.SEND: Row(_READ | {_S.WAITING}, _S.DELIVERING, "transaction.sent_on"),
    Move.HOLD: Row(_READ | {_S.WAITING} | UNDER_WAY, _S.HELD, "transaction.held", "held"),
    Move.RECOGNISE: Row(_READ, _S.DUPLICATE, "transaction.recognised", "duplicate"),
    Move.LOSE_SIGHT: Row(frozenset({_S.DELIVERING}), _S.OUTCOME_UNKNOWN, "transaction.outcome_unknown"),
    Move.DELIVER: Row(UNDER_WAY | {_S.HELD}, _S.DELIVERED, "transaction.delivered", "delivered"),
    Move.CLOSE: Row(frozenset({_S.HELD}), _S.CLOSED, "transaction.closed", "closed"),
    Move.REOPEN: Row(frozenset({_S.CLOSED}), _S.HELD, "transaction.reopened", "held"),
}


class MoveNotAllowed(Exception):
    """The move has no row in the table for this state."""

    def __init__(self, move: Move, state: TransactionState) -> None:
        super().__init__(f"“{move}” is not possible while the transaction is {STATE_WORDS[state]}.")
        self.move = move
        self.state = state


def destination(move: Move, *, state: TransactionState) -> TransactionState:
    """The state that a move leads to; raises MoveNotAllowed."""
    row = TRANSACTION_MOVES[move]
    if state not in row.sources:
        raise MoveNotAllowed(move, state)
    return row.to
