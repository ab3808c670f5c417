"""Who may do what with an exception, and why not: one answer for the pages, the API and the actions."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import PermissionDenied

from exceptions_app.duties import Decider, deciders_for, deciders_of, who_can
from exceptions_app.granted import ON_ENTITIES, ON_QUEUES, granted_to
from exceptions_app.granted import Kind as Granted
from exceptions_app.hands import APPROVED_FIRST, HAD_A_HAND, hands_of, own_part
from exceptions_app.machines import is_machine
from exceptions_app.models import ExceptionCase, Proposal
from exceptions_app.models.case import HELD_BY_FIELD_MAP
from exceptions_app.states import (
    APPROVING,
    DECIDED_IN,
    DECIDING,
    TRANSITIONS,
    Action,
    Kind,
    ProposalKind,
    State,
    Verb,
    refusal_of,
)
from exceptions_app.wording import say, together
from integrations.connectors.base import Reversing
from integrations.connectors.registry import CONNECTORS

# Part of what a decision is bound to: raised when the rules of approval change.
POLICY_VERSION = "four-eyes/2"

ERASED = say("What it held was erased under a policy of retention, so nothing can be done with it any more.")
VERB_WORDS: Mapping[Verb, str] = {
    Verb.SEE: "see exceptions",
    Verb.COMMENT: "comment",
    Verb.CORRECT: "work on exceptions",
    Verb.PROPOSE: "propose",
    Verb.APPROVE: "approve or reject",
    Verb.EXPORT: "read the audit trail",
    Verb.REVEAL: "have masked values shown",
    Verb.EMERGENCY: "take emergency access",
}

# What a comparison found to stand at the target already: to send it again could only make it worse.
_VERBS = frozenset(Verb)
WRONG_BOOKING = "wrong_booking"
TWICE_THERE = "twice_there"
OTHER_CONTENT_THERE = "other_content_there"  # and not merely handed over before with other content
STANDS_THERE = frozenset({TWICE_THERE, OTHER_CONTENT_THERE, "not_confirmed_here", WRONG_BOOKING})
# What a reversing entry can answer: the target has it, with the content that we know.
REVERSIBLE = STANDS_THERE - {OTHER_CONTENT_THERE}
_SENDING = frozenset({Action.PROPOSE, Action.RELEASE})
_STATING = frozenset({Action.CONFIRM_BOOKED, Action.DECLARE_ABSENT})
_WORKING = frozenset(
    {
        Action.HOLD, Action.RESUME, Action.SNOOZE, Action.WAKE, Action.CORRECT, Action.TRANSLATE, Action.PROPOSE,
        Action.RELEASE, Action.DECLINE, Action.DISMISS, Action.REVERSE,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ruling:
    """May they, and if not, why: a sentence for the person."""

    allowed: bool
    reason: str = ""


ALLOWED = Ruling(True)


class NotPermitted(PermissionDenied):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def verbs_of(user: AbstractUser, case: ExceptionCase) -> frozenset[Verb]:
    """The verbs that the person holds on this exception: granted on its queue and on its legal entity.

    To approve also where somebody holds both who let them decide in their place.
    """
    if not user.is_active:
        return frozenset()
    on_queue = _codenames(user, ON_QUEUES, case.queue_id)
    on_entity = _codenames(user, ON_ENTITIES, case.entity_id)
    return frozenset(Verb(codename) for codename, _ in on_queue & on_entity if codename in _VERBS)


def _codenames(user: AbstractUser, kind: Granted, place: int) -> set[tuple[str, int]]:
    """What is granted there, and to whom: to the person, or to somebody in whose place they decide."""
    return {(codename, holder) for _, codename, holder in granted_to(user, kind, place=place)}


@dataclass(frozen=True, slots=True)
class Standing:
    """All that a ruling looks at, read once: the verbs, the open proposal and who had a hand in it.

    `own_part` says what the person themselves did; `deciders` are those who hold the verb there, None in a list, where
    they are not asked for, and themselves alone while they decide and may.
    """

    user: AbstractUser
    verbs: frozenset[Verb]
    proposal: Proposal | None = None
    contributors: frozenset[int] = frozenset()
    own_part: str = ""
    deciders: tuple[Decider, ...] | None = None

    @property
    def missing(self) -> int:
        """How many approvals the open proposal takes still, for somebody who may approve it."""
        return next((one.missing for one in self.deciders or () if one.pk == self.user.pk), 1)


def standing(user: AbstractUser, case: ExceptionCase, *, decides: bool = False) -> Standing:
    """Two queries, and three more while something is proposed.

    Of somebody who decides now, the others who could are read only when they may not.
    """
    verbs = verbs_of(user, case)
    proposal = None
    if State(case.state) in DECIDED_IN:
        proposal = Proposal.objects.filter(case=case, state=Proposal.State.OPEN).select_related("version").first()
    if proposal is None:
        return Standing(user, verbs)
    hands = hands_of(proposal)
    people = frozenset(hand.person for hand in hands if hand.in_words != APPROVED_FIRST)
    deciders = deciders_for(user, proposal) if decides else deciders_of(proposal)
    return Standing(user, verbs, proposal, people, own_part(hands, user.pk), deciders)


def contributors_of(proposal: Proposal) -> frozenset[int]:
    """Everyone with a hand in what is proposed: whoever proposed it, or made a version or a value on the way to it."""
    return frozenset(hand.person for hand in hands_of(proposal))


def may(action: Action, case: ExceptionCase, by: Standing) -> Ruling:
    """The one place where it is decided. Permission first: without it, nothing is learned about the state.

    Only those with a hand in a proposal are told that before anything else: no grant would change it.
    """
    transition = TRANSITIONS[action]
    if transition.by_machine:
        return ALLOWED if is_machine(by.user) else Ruling(False, say("Only the machine makes this move."))
    own = _own_part(action, by, case) if action in DECIDING else ""
    if own:
        return Ruling(False, own)
    if transition.verb not in by.verbs:
        return Ruling(False, _missing_verb(transition.verb or Verb.SEE, case))
    state_reason = refusal_of(action, state=State(case.state), kind=Kind(case.kind))
    if state_reason:
        return Ruling(False, state_reason)
    return _may_in_this_state(action, case, by)


def _missing_verb(verb: Verb, case: ExceptionCase) -> str:
    return say(
        "You may not {do} in {queue} for {entity}. An administrator can grant it on both.",
        do=say(VERB_WORDS[verb]), queue=case.queue.name, entity=case.entity.name,
    )  # fmt: skip


def _may_in_this_state(action: Action, case: ExceptionCase, by: Standing) -> Ruling:
    if action in DECIDING:
        return _may_decide(action, case, by)
    if action in _WORKING and case.assignee_id not in (None, by.user.pk):
        return Ruling(False, say("{assignee} is working on this. Assign it to yourself first.", assignee=case.assignee))
    if action is Action.SNOOZE and case.snoozed_by_id is not None:
        return Ruling(False, say("It is snoozed already. Wake it first."))
    if action is Action.WAKE and case.snoozed_by_id is None:
        return Ruling(False, say("It is not snoozed."))
    if action is Action.TRANSLATE and case.sub != HELD_BY_FIELD_MAP:
        return Ruling(False, say("No field map held this exception: there is nothing to translate again."))
    if action in _SENDING and case.sub in STANDS_THERE:
        return Ruling(False, say("The target has this document already; to send it again could only make it worse."))
    if action in (Action.REVERSE, Action.REPORT_WRONG_BOOKING):
        return _may_reverse(action, case)
    if action is Action.CLAIM and case.assignee_id == by.user.pk:
        return Ruling(False, say("You have this exception already."))
    if action is Action.CLAIM and case.assignee_id is not None:
        return Ruling(
            False, say("{assignee} has this exception. Assign it to yourself to take it over.", assignee=case.assignee)
        )
    return _may_withdraw(by) if action is Action.WITHDRAW else ALLOWED


def _may_withdraw(by: Standing) -> Ruling:
    if by.proposal is None:
        return Ruling(False, say("Nothing is proposed here."))
    if by.proposal.proposer_id != by.user.pk:
        return Ruling(False, say("Only the person who proposed it may withdraw it."))
    return ALLOWED


def proposed_already(action: Action, by: Standing) -> str:
    """Why nothing more can be stated now; empty when it can. For the button, and before a statement is written."""
    waits = action in _STATING and by.proposal is not None
    return say("Something is proposed already. It is decided or withdrawn first.") if waits else ""


def _may_reverse(action: Action, case: ExceptionCase) -> Ruling:
    if action is Action.REVERSE and case.sub not in REVERSIBLE:
        return Ruling(False, say("Nothing that was booked wrongly is known of this exception."))
    if not isinstance(CONNECTORS.get(case.connection.connector), Reversing):
        return Ruling(
            False, say("This target takes no reversing entry. Have it reversed there, and say so when you close this.")
        )
    return ALLOWED


def _may_decide(action: Action, case: ExceptionCase, by: Standing) -> Ruling:
    if by.proposal is None:
        return Ruling(False, say("Nothing is proposed here."))
    if action not in (Action.REJECT, Action.APPROVE_FIRST, APPROVING[ProposalKind(by.proposal.kind)]):
        return Ruling(False, say("This proposal is of another kind."))
    mine = [one for one in by.deciders or () if one.pk == by.user.pk]
    kept = next((one.why_not for one in mine), "")
    if action is Action.REJECT:
        kept = "" if by.own_part == APPROVED_FIRST and kept == HAD_A_HAND else kept
    else:
        kept = kept or next((one.lacks for one in mine), "")
    return Ruling(False, _and_who_else(kept, case, by)) if kept else ALLOWED


def _own_part(action: Action, by: Standing, case: ExceptionCase) -> str:
    """What keeps the person from deciding on the open proposal, whatever they are granted; empty for the others.

    The first of two approvers may still say no.
    """
    if by.proposal is None or (action is Action.REJECT and by.own_part == APPROVED_FIRST):
        return ""
    if by.user.pk == by.proposal.proposer_id:
        return _and_who_else(say("You proposed this; someone else must decide."), case, by)
    if by.own_part or by.user.pk in by.contributors:
        own = by.own_part or say("You prepared this correction; someone else must decide.")
        return _and_who_else(own, case, by)
    return ""


def _and_who_else(reason: str, case: ExceptionCase, by: Standing) -> str:
    """A list names nobody: who else can is on the page of the exception."""
    return reason if by.deciders is None else together(reason, who_can(by.deciders, case))


def require(action: Action, case: ExceptionCase, by: AbstractUser, *, where: Standing | None = None) -> Standing:
    """Raise NotPermitted with the reason unless the person may; to be called on the locked row.

    `where` is their standing when it was read in this transaction, since the row was locked.
    """
    where = where or standing(by, case)
    transition = TRANSITIONS[action]
    if action in DECIDING and _own_part(action, where, case):
        raise NotPermitted(_own_part(action, where, case))
    if not transition.by_machine and transition.verb not in where.verbs:
        raise NotPermitted(_missing_verb(transition.verb or Verb.SEE, case))
    if not refusal_of(action, state=State(case.state), kind=Kind(case.kind)):
        ruling = may(action, case, where)
        if not ruling.allowed:
            raise NotPermitted(ruling.reason)
    return where


def require_verb(action: Action, case: ExceptionCase, by: AbstractUser) -> None:
    """Raise NotPermitted unless the person holds what the action asks for, whatever state the exception is in."""
    verb = TRANSITIONS[action].verb
    if verb is not None and verb not in verbs_of(by, case):
        raise NotPermitted(_missing_verb(verb, case))


def may_reveal(case: ExceptionCase, verbs: Collection[Verb]) -> Ruling:
    """Whether who holds these verbs there may have its masked values shown, in any state of the exception."""
    return ALLOWED if Verb.REVEAL in verbs else Ruling(False, _missing_verb(Verb.REVEAL, case))


def require_reveal(case: ExceptionCase, by: AbstractUser) -> None:
    """Raise NotPermitted with the reason unless the person may have the masked values shown."""
    ruling = may_reveal(case, verbs_of(by, case))
    if not ruling.allowed:
        raise NotPermitted(ruling.reason)


@dataclass(frozen=True, slots=True)
class Possibility:
    """A button: what it does, whether the person may, and why not."""

    action: Action
    label: str
    allowed: bool
    reason: str


def possibilities(case: ExceptionCase, by: Standing, actions: Iterable[Action] = tuple(Action)) -> list[Possibility]:
    """Every move a person could make here, with the reason why not for those they may not."""
    found = []
    for action in actions:
        if TRANSITIONS[action].by_machine:
            continue
        ruling = may(action, case, by)
        if ruling.allowed and proposed_already(action, by):
            ruling = Ruling(False, proposed_already(action, by))
        found.append(Possibility(action, TRANSITIONS[action].label, ruling.allowed, ruling.reason))
    return found
