"""Exports of the audit trail that are made in the background, as data: how one stands, and what may be done with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from exceptions_app.wording import say

KEPT = timedelta(days=7)
"""How long a file is there once it is made; then it goes, and its manifest stays."""
MOST_AT_ONCE = 3  # of one person, not finished


class ExportState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    GONE = "gone"


EXPORT_WORDS: Mapping[ExportState, str] = {
    ExportState.QUEUED: "waiting for its turn",
    ExportState.RUNNING: "being made",
    ExportState.PAUSED: "paused",
    ExportState.DONE: "ready",
    ExportState.FAILED: "failed",
    ExportState.CANCELLED: "cancelled",
    ExportState.GONE: "removed after its time",
}
BEING_MADE = frozenset({ExportState.QUEUED, ExportState.RUNNING})
UNFINISHED = BEING_MADE | {ExportState.PAUSED, ExportState.FAILED}


class ExportAction(StrEnum):
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: what the person who asked may do, from which states, and where it leads."""

    label: str
    sources: frozenset[ExportState]
    to: ExportState
    past: str  # the audit event's name


EXPORT_MOVES: Mapping[ExportAction, Row] = {
    ExportAction.PAUSE: Row("Pause", BEING_MADE, ExportState.PAUSED, "audit.export_paused"),
    ExportAction.RESUME: Row(
        "Resume", frozenset({ExportState.PAUSED, ExportState.FAILED}), ExportState.QUEUED, "audit.export_resumed"
    ),
    ExportAction.CANCEL: Row("Cancel", UNFINISHED, ExportState.CANCELLED, "audit.export_cancelled"),
}


class ExportMoveNotAllowed(Exception):
    """The action has no row in the table for this state."""

    def __init__(self, action: ExportAction, state: ExportState) -> None:
        move, words = say(EXPORT_MOVES[action].label), say(EXPORT_WORDS[state])
        super().__init__(say("“{move}” is not possible: the export is {state}.", move=move, state=words))
        self.action = action
        self.state = state


def export_destination(action: ExportAction, *, state: ExportState) -> ExportState:
    """The state that an action leads to; raises ExportMoveNotAllowed."""
    row = EXPORT_MOVES[action]
    if state not in row.sources:
        raise ExportMoveNotAllowed(action, state)
    return row.to
