"""One action on many exceptions, carried out in the background, as data: what can be asked, and how it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Self

from exceptions_app.field_classes import masked_value
from exceptions_app.states import Action
from exceptions_app.wording import say

MOST_ITEMS = 10_000
MOST_READ = 1_000
"""Documents that a preview opens; of the others it says that they are looked at when their turn comes."""
LONGEST_REASON = 450  # characters: the number of the run is written behind it
LONGEST_VALUE = 500
LONGEST_TEXT = 5_000


class BulkKind(StrEnum):
    ASSIGN = "assign"
    GIVE_BACK = "give_back"
    SET_VALUE = "set_value"
    PROPOSE = "propose"
    WRITE_OFF = "write_off"
    COMMENT = "comment"
    TAG = "tag"
    UNTAG = "untag"
    PLAYBOOK = "playbook"


KIND_WORDS: Mapping[BulkKind, str] = {
    BulkKind.ASSIGN: "Assign",
    BulkKind.GIVE_BACK: "Give back to the queue",
    BulkKind.SET_VALUE: "Set a value",
    BulkKind.PROPOSE: "Propose replay",
    BulkKind.WRITE_OFF: "Write off",
    BulkKind.COMMENT: "Comment",
    BulkKind.TAG: "Tag",
    BulkKind.UNTAG: "Take tags off",
    BulkKind.PLAYBOOK: "Use a playbook",
}
KIND_ACTIONS: Mapping[BulkKind, Action] = {
    BulkKind.ASSIGN: Action.ASSIGN,
    BulkKind.GIVE_BACK: Action.ASSIGN,
    BulkKind.SET_VALUE: Action.CORRECT,
    BulkKind.PROPOSE: Action.PROPOSE,
    BulkKind.WRITE_OFF: Action.DISMISS,
    BulkKind.COMMENT: Action.COMMENT,
    BulkKind.TAG: Action.TAG,
    BulkKind.UNTAG: Action.TAG,
    BulkKind.PLAYBOOK: Action.TAG,
}
"""The button that is pressed for each exception: its rules are those of the run.

Many at once by a playbook are for who works on them; each of its steps has a button of its own, which is asked as well.
"""
NEEDS_REASON = frozenset({BulkKind.SET_VALUE, BulkKind.PROPOSE, BulkKind.WRITE_OFF})


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """What shall be done with each exception. What a kind does not need is empty."""

    kind: BulkKind
    because: str = ""
    to: str = ""  # user name
    term: str = ""  # of the field, as the standard calls it
    label: str = ""  # of the field, as people call it
    was: str = ""  # empty: where the field is missing
    will_be: str = ""  # empty: the field is taken away
    text: str = ""
    tags: str = ""  # with commas between them
    playbook: str = ""  # reference of the version

    def parameters(self) -> dict[str, str]:
        """What is kept with the run beside its kind and reason."""
        names = [field.name for field in fields(self) if field.name not in ("kind", "because")]
        return {name: value for name in names if (value := getattr(self, name))}

    @classmethod
    def kept(cls, kind: str, because: str, parameters: Mapping[str, str]) -> Self:
        known = {field.name for field in fields(cls)}
        return cls(
            kind=BulkKind(kind),
            because=because,
            **{name: value for name, value in parameters.items() if name in known},
        )

    @property
    def words(self) -> str:
        """“Assign to cem”, “Set Issue date: “” → “2026-11-02””."""
        if self.kind is BulkKind.ASSIGN:
            return f"Assign to {self.to}"
        if self.kind is BulkKind.SET_VALUE:
            was, will_be = (masked_value(text, term=self.term) for text in (self.was, self.will_be))
            return f"Set {self.label}: “{was}” → “{will_be}”"
        if self.kind in (BulkKind.TAG, BulkKind.UNTAG):
            return f"{KIND_WORDS[self.kind]}: {self.tags}"
        if self.kind is BulkKind.PLAYBOOK:
            return f"Use playbook {self.playbook}"
        return KIND_WORDS[self.kind]


class RunState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


RUN_WORDS: Mapping[RunState, str] = {
    RunState.RUNNING: "running",
    RunState.PAUSED: "paused",
    RunState.FINISHED: "finished",
    RunState.CANCELLED: "cancelled",
}
OVER = frozenset({RunState.FINISHED, RunState.CANCELLED})


class OutcomeState(StrEnum):
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


LEFT = "left"
"""The name of what has no outcome yet."""
OUTCOME_WORDS: Mapping[str, str] = {
    OutcomeState.DONE: "done",
    OutcomeState.FAILED: "failed",
    OutcomeState.SKIPPED: "skipped",
    LEFT: "left",
}


class RunAction(StrEnum):
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: what the person may do with their run, from which states, and where it leads."""

    label: str
    sources: frozenset[RunState]
    to: RunState
    past: str  # the audit event's name


RUN_MOVES: Mapping[RunAction, Row] = {
    RunAction.PAUSE: Row("Pause", frozenset({RunState.RUNNING}), RunState.PAUSED, "bulk.paused"),
    RunAction.RESUME: Row("Resume", frozenset({RunState.PAUSED}), RunState.RUNNING, "bulk.resumed"),
    RunAction.CANCEL: Row(
        "Cancel", frozenset({RunState.RUNNING, RunState.PAUSED}), RunState.CANCELLED, "bulk.cancelled"
    ),
}


class RunMoveNotAllowed(Exception):
    """The action has no row in the table for this state."""

    def __init__(self, action: RunAction, state: RunState) -> None:
        move, words = say(RUN_MOVES[action].label), say(RUN_WORDS[state])
        super().__init__(say("“{move}” is not possible: the run is {state}.", move=move, state=words))
        self.action = action
        self.state = state


def run_destination(action: RunAction, *, state: RunState) -> RunState:
    """The state that an action leads to; raises RunMoveNotAllowed."""
    row = RUN_MOVES[action]
    if state not in row.sources:
        raise RunMoveNotAllowed(action, state)
    return row.to
