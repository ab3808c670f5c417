"""Every way an exception can move, as data: the page, the API, the documentation and the tests read this table.

A move names the states it may start from, the state it leads to, the verb a person needs on the queue and on
the legal entity, and the kinds of exception it is for. What has no row here cannot happen.
"""

from dataclasses import dataclass
from enum import StrEnum

from exceptions_app.wording import say


class State(StrEnum):
    NEW = "new"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    AWAITING_APPROVAL = "awaiting_approval"
    REPLAYING = "replaying"
    OUTCOME_UNKNOWN = "outcome_unknown"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"


OPEN_STATES = frozenset(State) - {State.RESOLVED, State.DISMISSED}


class Kind(StrEnum):
    FAILED = "failed"
    HELD = "held"


class WakesOn(StrEnum):
    """What a snoozed exception may wait for, beside a time."""

    ARRIVAL = "arrival"
    TARGET_WELL = "target_well"
    COMMENT = "comment"


class Clock(StrEnum):
    """Under which statutory rule an exception stands; the route by which it came says so."""

    SDI = "sdi"
    KSEF = "ksef"


CLOCK_WORDS: dict[Clock, str] = {Clock.SDI: "SdI", Clock.KSEF: "KSeF"}
CLOCK_RULES: dict[Clock, str] = {
    Clock.SDI: "Italy, SdI: five days after the rejection, counted by the calendar",
    Clock.KSEF: "Poland, KSeF: the next business day",
}


class Outcome(StrEnum):
    """How a closed exception ended."""

    REPLAYED = "replayed"
    RELEASED = "released"
    ALREADY_THERE = "already_there"
    FIXED_AT_SOURCE = "fixed_at_source"
    LINKED_DUPLICATE = "linked_duplicate"
    WRITTEN_OFF = "written_off"
    DECLINED = "declined"
    REVERSED = "reversed"


CLOSED_WITHOUT_SENDING = (Outcome.FIXED_AT_SOURCE, Outcome.LINKED_DUPLICATE, Outcome.WRITTEN_OFF)


class Verb(StrEnum):
    """What a role may be granted on a queue and on a legal entity; both are needed."""

    SEE = "see"
    COMMENT = "comment"
    CORRECT = "correct"
    PROPOSE = "propose"
    APPROVE = "approve"
    EXPORT = "export"
    REVEAL = "reveal"
    EMERGENCY = "emergency"


class ProposalKind(StrEnum):
    """What a second person is asked to agree to."""

    REPLAY = "replay"
    RELEASE = "release"
    DECLINE = "decline"
    DISMISS = "dismiss"
    REVERSE = "reverse"
    CONFIRM_BOOKED = "confirm_booked"
    DECLARE_ABSENT = "declare_absent"


SENDING_KINDS = frozenset({ProposalKind.REPLAY, ProposalKind.RELEASE, ProposalKind.REVERSE})
CLOSING_KINDS = frozenset({ProposalKind.DECLINE, ProposalKind.DISMISS})
STATING_KINDS = frozenset({ProposalKind.CONFIRM_BOOKED, ProposalKind.DECLARE_ABSENT})
"""What a person found out about a sending of unknown outcome, with proof."""


class Action(StrEnum):
    CLAIM = "claim"
    ASSIGN = "assign"
    HOLD = "hold"
    RESUME = "resume"
    SNOOZE = "snooze"
    WAKE = "wake"
    TAG = "tag"
    REGROUP = "regroup"
    UNDO = "undo"
    UNDO_TO_NEW = "undo_to_new"
    UNDO_TO_WORK = "undo_to_work"
    CORRECT = "correct"
    TRANSLATE = "translate"
    PROPOSE = "propose"
    RELEASE = "release"
    DECLINE = "decline"
    DISMISS = "dismiss"
    REVERSE = "reverse"
    REPORT_WRONG_BOOKING = "report_wrong_booking"
    WITHDRAW = "withdraw"
    APPROVE = "approve"
    APPROVE_CLOSURE = "approve_closure"
    APPROVE_FIRST = "approve_first"
    REJECT = "reject"
    REOPEN = "reopen"
    COMMENT = "comment"
    ASK_AGAIN = "ask_again"
    CONFIRM_BOOKED = "confirm_booked"
    DECLARE_ABSENT = "declare_absent"
    APPROVE_BOOKED = "approve_booked"
    APPROVE_ABSENT = "approve_absent"
    # Moves of the machine: no person has a button for them.
    RECUR = "recur"
    END_HOLD = "end_hold"
    END_SNOOZE = "end_snooze"
    RETRY = "retry"
    SEND_LOST_SIGHT = "send_lost_sight"
    SEND_REFUSED = "send_refused"
    SEND_CONFLICTED = "send_conflicted"
    SEND_STOPPED = "send_stopped"
    RESOLVE = "resolve"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table. `to` is None when the state stays, and it stays in `stays_in` whatever `to` says.

    `verb` is None for a move of the machine.
    """

    label: str
    sources: frozenset[State]
    to: State | None
    verb: Verb | None
    past: str  # the audit event's name
    kinds: frozenset[Kind] = frozenset(Kind)
    stays_in: frozenset[State] = frozenset()

    def leads_to(self, state: State) -> State:
        return state if self.to is None or state in self.stays_in else self.to

    @property
    def by_machine(self) -> bool:
        return self.verb is None


_WORKABLE = frozenset({State.NEW, State.IN_PROGRESS})
SNOOZED_IN = _WORKABLE | {State.WAITING}
"""Where it may be snoozed: where somebody works on it or could."""
_UNDECIDED = frozenset({State.NEW, State.IN_PROGRESS, State.WAITING, State.AWAITING_APPROVAL})
_IN_FLIGHT = frozenset({State.REPLAYING, State.OUTCOME_UNKNOWN})
_UNKNOWN = frozenset({State.OUTCOME_UNKNOWN})
# Where something may be proposed while the exception stays where it is, and goes on by itself meanwhile.
_PROPOSED_BESIDE = _UNKNOWN
DECIDED_IN = frozenset({State.AWAITING_APPROVAL}) | _PROPOSED_BESIDE
"""Where an open proposal may wait for its decision."""

_FAILED = frozenset({Kind.FAILED})
_HELD = frozenset({Kind.HELD})

TRANSITIONS: dict[Action, Transition] = {
    Action.CLAIM: Transition("Claim", _WORKABLE, State.IN_PROGRESS, Verb.CORRECT, "case.claimed"),
    Action.ASSIGN: Transition("Assign", OPEN_STATES, None, Verb.CORRECT, "case.assigned"),
    Action.HOLD: Transition("Put on hold", _WORKABLE, State.WAITING, Verb.CORRECT, "case.put_on_hold"),
    Action.RESUME: Transition("Resume", frozenset({State.WAITING}), State.IN_PROGRESS, Verb.CORRECT, "case.resumed"),
    # Out of the work lists for a while. Not where somebody decides, nor while something is on its way.
    Action.SNOOZE: Transition("Snooze", SNOOZED_IN, None, Verb.CORRECT, "case.snoozed"),
    Action.WAKE: Transition("Wake", SNOOZED_IN, None, Verb.CORRECT, "case.woken"),
    # Words to find it again by: they change nothing of what is done with it.
    Action.TAG: Transition("Tag", OPEN_STATES, None, Verb.CORRECT, "case.tagged"),
    # Under another cause: what it has in common with others was judged anew. Closed ones too, for what they tell.
    Action.REGROUP: Transition("Put under another cause", frozenset(State), None, Verb.CORRECT, "case.cause_changed"),
    # Taking back the last move while nothing else has happened: what it changed is as it was before.
    Action.UNDO: Transition("Undo", _UNDECIDED, None, Verb.CORRECT, "case.move_undone"),
    Action.UNDO_TO_NEW: Transition(
        "Undo", frozenset({State.IN_PROGRESS, State.WAITING}), State.NEW, Verb.CORRECT, "case.move_undone"
    ),
    Action.UNDO_TO_WORK: Transition(
        "Undo", frozenset({State.WAITING}), State.IN_PROGRESS, Verb.CORRECT, "case.move_undone"
    ),
    # A correction of what waits for approval takes it back to work: the approval would be for other bytes.
    Action.CORRECT: Transition("Correct", _UNDECIDED, State.IN_PROGRESS, Verb.CORRECT, "case.corrected"),
    # Of what a field map held: the source's message anew, by the maps that are in use now.
    Action.TRANSLATE: Transition(
        "Translate again", _UNDECIDED, State.IN_PROGRESS, Verb.CORRECT, "case.translated_again", _FAILED
    ),
    Action.PROPOSE: Transition(
        "Propose replay", _WORKABLE, State.AWAITING_APPROVAL, Verb.PROPOSE, "case.replay_proposed", _FAILED
    ),
    Action.RELEASE: Transition(
        "Propose release", _WORKABLE, State.AWAITING_APPROVAL, Verb.PROPOSE, "case.release_proposed", _HELD
    ),
    Action.DECLINE: Transition(
        "Propose decline", _WORKABLE, State.AWAITING_APPROVAL, Verb.PROPOSE, "case.decline_proposed", _HELD
    ),
    Action.DISMISS: Transition(
        "Propose dismissal", _WORKABLE, State.AWAITING_APPROVAL, Verb.PROPOSE, "case.dismissal_proposed"
    ),
    # Of what stands at the target and should not: the entry that takes it back is sent as any other document.
    Action.REVERSE: Transition(
        "Propose reversal", _WORKABLE, State.AWAITING_APPROVAL, Verb.PROPOSE, "case.reversal_proposed"
    ),
    # It stays resolved; what is wrong with its booking is the work of the exception that follows it.
    Action.REPORT_WRONG_BOOKING: Transition(
        "Report a wrong booking", frozenset({State.RESOLVED}), None, Verb.PROPOSE, "case.wrong_booking_reported"
    ),
    Action.WITHDRAW: Transition(
        "Withdraw", DECIDED_IN, State.IN_PROGRESS, Verb.PROPOSE, "case.proposal_withdrawn", stays_in=_PROPOSED_BESIDE
    ),
    Action.APPROVE: Transition(
        "Approve", frozenset({State.AWAITING_APPROVAL}), State.REPLAYING, Verb.APPROVE, "case.approved"
    ),
    Action.APPROVE_CLOSURE: Transition(
        "Approve", frozenset({State.AWAITING_APPROVAL}), State.DISMISSED, Verb.APPROVE, "case.closure_approved"
    ),
    # By the first of two; what was proposed waits for the second.
    Action.APPROVE_FIRST: Transition("Approve", DECIDED_IN, None, Verb.APPROVE, "case.approved_first"),
    Action.REJECT: Transition(
        "Reject", DECIDED_IN, State.IN_PROGRESS, Verb.APPROVE, "case.rejected", stays_in=_PROPOSED_BESIDE
    ),
    # Only what was closed without sending: a resolved exception has a document at the target.
    Action.REOPEN: Transition("Reopen", frozenset({State.DISMISSED}), State.IN_PROGRESS, Verb.CORRECT, "case.reopened"),
    Action.COMMENT: Transition("Comment", frozenset(State), None, Verb.COMMENT, "case.commented"),
    # Of a sending of unknown outcome: the target is asked at once, or a person who found out states it, with proof.
    Action.ASK_AGAIN: Transition("Ask the target again", _UNKNOWN, None, Verb.PROPOSE, "case.asked_again"),
    Action.CONFIRM_BOOKED: Transition("State that it is booked", _UNKNOWN, None, Verb.PROPOSE, "case.booking_stated"),
    Action.DECLARE_ABSENT: Transition(
        "State that it is not there", _UNKNOWN, None, Verb.PROPOSE, "case.absence_stated"
    ),
    Action.APPROVE_BOOKED: Transition("Approve", _UNKNOWN, State.RESOLVED, Verb.APPROVE, "case.booking_confirmed"),
    Action.APPROVE_ABSENT: Transition("Approve", _UNKNOWN, State.IN_PROGRESS, Verb.APPROVE, "case.absence_confirmed"),
    Action.RECUR: Transition("Came in again", OPEN_STATES, None, None, "case.recurred"),
    # The target's own list does not agree with what is known here, such as when it booked the document twice.
    Action.FLAG: Transition("Found by a comparison", OPEN_STATES, None, None, "case.disagreement_found"),
    Action.END_HOLD: Transition("Hold ended", frozenset({State.WAITING}), State.IN_PROGRESS, None, "case.hold_ended"),
    Action.END_SNOOZE: Transition("Snooze ended", SNOOZED_IN, None, None, "case.snooze_ended"),
    # What was refused for a technical reason alone, by a policy of its connection.
    Action.RETRY: Transition("Tried again", _WORKABLE, State.REPLAYING, None, "case.retried", _FAILED),
    Action.SEND_LOST_SIGHT: Transition(
        "Outcome unknown", frozenset({State.REPLAYING}), State.OUTCOME_UNKNOWN, None, "case.outcome_unknown"
    ),
    Action.SEND_REFUSED: Transition("Refused again", _IN_FLIGHT, State.IN_PROGRESS, None, "case.refused_again"),
    Action.SEND_CONFLICTED: Transition(
        "Conflict at the target", _IN_FLIGHT, State.IN_PROGRESS, None, "case.conflict_found"
    ),
    # The approval does not cover what was to be sent, such as after a change of the target's address, and nothing was
    # sent, or the target was asked and does not have it.
    Action.SEND_STOPPED: Transition("Sending stopped", _IN_FLIGHT, State.IN_PROGRESS, None, "case.sending_stopped"),
    Action.RESOLVE: Transition("Resolved", _IN_FLIGHT, State.RESOLVED, None, "case.resolved"),
}

PROPOSAL_WORDS: dict[ProposalKind, str] = {
    ProposalKind.REPLAY: "replay",
    ProposalKind.RELEASE: "release",
    ProposalKind.DECLINE: "decline",
    ProposalKind.DISMISS: "dismiss",
    ProposalKind.REVERSE: "reverse",
    ProposalKind.CONFIRM_BOOKED: "state as booked",
    ProposalKind.DECLARE_ABSENT: "state as not there",
}

APPROVING: dict[ProposalKind, Action] = {
    ProposalKind.REPLAY: Action.APPROVE,
    ProposalKind.RELEASE: Action.APPROVE,
    ProposalKind.REVERSE: Action.APPROVE,
    ProposalKind.DECLINE: Action.APPROVE_CLOSURE,
    ProposalKind.DISMISS: Action.APPROVE_CLOSURE,
    ProposalKind.CONFIRM_BOOKED: Action.APPROVE_BOOKED,
    ProposalKind.DECLARE_ABSENT: Action.APPROVE_ABSENT,
}
"""By which move a proposal is agreed to; for a person there is one button."""
DECIDING = frozenset(APPROVING.values()) | {Action.APPROVE_FIRST, Action.REJECT}
UNDOING: dict[State | None, Action] = {
    None: Action.UNDO,
    State.NEW: Action.UNDO_TO_NEW,
    State.IN_PROGRESS: Action.UNDO_TO_WORK,
}
"""By which move another one is taken back, by the state that it began from; None when it changed none."""
UNDOABLE = frozenset({Action.CLAIM, Action.ASSIGN, Action.HOLD, Action.SNOOZE, Action.WAKE, Action.TAG})
"""What the person who did it may take back at once. Nothing that a second person agreed to."""
HAS_NO_BUTTON = (DECIDING - {Action.APPROVE, Action.REJECT}) | frozenset(UNDOING.values()) | {Action.REGROUP}
"""What a person does by approving, by taking back or on the page of a cause, and does not ask for by name."""


class TransitionNotAllowed(Exception):
    """The move has no row in the table for this state or kind."""

    def __init__(self, action: Action, state: State, reason: str) -> None:
        super().__init__(reason)
        self.action = action
        self.state = state
        self.reason = reason


STATE_WORDS: dict[State, str] = {
    State.NEW: "new",
    State.IN_PROGRESS: "in progress",
    State.WAITING: "on hold",
    State.AWAITING_APPROVAL: "awaiting approval",
    State.REPLAYING: "being replayed",
    State.OUTCOME_UNKNOWN: "of unknown outcome",
    State.RESOLVED: "resolved",
    State.DISMISSED: "dismissed",
}

WAKES_ON_WORDS: dict[WakesOn, str] = {
    WakesOn.ARRIVAL: "something new arrives for it",
    WakesOn.TARGET_WELL: "its target is well again",
    WakesOn.COMMENT: "somebody comments on it",
}


def refusal_of(action: Action, *, state: State, kind: Kind) -> str:
    """Why the move is not in the table, in plain words; empty when it is."""
    transition = TRANSITIONS[action]
    if kind not in transition.kinds:
        move, other = say(transition.label), say("held") if kind is Kind.FAILED else say("failed")
        return say("“{move}” is for {kind} transactions only.", move=move, kind=other)
    if state not in transition.sources:
        move, words = say(transition.label), say(STATE_WORDS[state])
        return say("“{move}” is not possible while the exception is {state}.", move=move, state=words)
    return ""


def target_of(action: Action, *, state: State, kind: Kind) -> State:
    """The state that a move leads to; raises TransitionNotAllowed."""
    reason = refusal_of(action, state=state, kind=kind)
    if reason:
        raise TransitionNotAllowed(action, state, reason)
    return TRANSITIONS[action].leads_to(state)
