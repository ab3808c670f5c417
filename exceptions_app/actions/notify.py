"""Telling people what happened, in the transaction in which it happens: no notice without its event, and none missing.

A notice has the reference and the words below. What the document says and what a person wrote is read where it is.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from django.contrib.auth.models import AbstractUser

from exceptions_app.models import (
    ArchiveDelivery,
    Emergency,
    ExceptionCase,
    MappingProposal,
    Notification,
    Proposal,
    ReplayBatch,
    Subscription,
)
from exceptions_app.states import DECIDING, UNDOING, Action

Kind = Notification.Kind
Wants = Subscription.Wants

DONE: Mapping[Action, str] = MappingProxyType(
    {
        Action.CLAIM: "claimed it",
        Action.ASSIGN: "assigned it",
        Action.HOLD: "put it on hold",
        Action.RESUME: "resumed it",
        Action.SNOOZE: "snoozed it",
        Action.WAKE: "woke it",
        Action.TAG: "tagged it",
        Action.REGROUP: "put it under another cause",
        **dict.fromkeys(UNDOING.values(), "took back what they did last"),
        Action.CORRECT: "corrected it",
        Action.TRANSLATE: "translated it again",
        Action.PROPOSE: "proposed to replay it",
        Action.RELEASE: "proposed to release it",
        Action.DECLINE: "proposed to decline it",
        Action.DISMISS: "proposed to close it without sending",
        Action.REVERSE: "proposed to reverse its booking",
        Action.REPORT_WRONG_BOOKING: "reported a wrong booking",
        Action.WITHDRAW: "withdrew the proposal",
        Action.APPROVE: "approved what was proposed",
        Action.APPROVE_CLOSURE: "approved to close it without sending",
        Action.APPROVE_FIRST: "approved what was proposed, as the first of two",
        Action.REJECT: "rejected what was proposed",
        Action.REOPEN: "opened it again",
        Action.COMMENT: "commented on it",
        Action.ASK_AGAIN: "had the target asked again",
        Action.CONFIRM_BOOKED: "stated that the target has it",
        Action.DECLARE_ABSENT: "stated that the target does not have it",
        Action.APPROVE_BOOKED: "agreed that the target has it",
        Action.APPROVE_ABSENT: "agreed that the target does not have it",
    }
)
"""What a person did to an exception, after their name."""

HAPPENED: Mapping[Action, str] = MappingProxyType(
    {
        Action.RECUR: "It came in again",
        Action.END_HOLD: "Its hold ended",
        Action.END_SNOOZE: "Its snooze ended",
        Action.RETRY: "It was sent again by the policy of its connection",
        Action.SEND_LOST_SIGHT: "It was sent, and its outcome is not known",
        Action.SEND_REFUSED: "The target refused it again",
        Action.SEND_CONFLICTED: "The target has it with other content",
        Action.SEND_STOPPED: "Its sending was stopped",
        Action.RESOLVE: "It is resolved",
        Action.FLAG: "A comparison with the target found a disagreement",
    }
)
"""What the machine did to it."""

# A person is told these whatever they muted: they are about them and not about the exception.
_WHATEVER_IS_MUTED = frozenset({Kind.MENTION, Kind.ASSIGNED})


def case_moved(
    case: ExceptionCase,
    action: Action,
    *,
    by: AbstractUser,
    at: datetime,
    directly: Mapping[int, Notification.Kind],
    is_watched: bool = True,
) -> None:
    """Tell who subscribed to a locked exception, and `directly` those whom the move is about, by primary key.

    Nobody is told what they did themselves. One query when nobody is told, none when nobody subscribed either.
    """
    if not (is_watched or directly):
        return
    wishes = dict(Subscription.objects.filter(case=case).values_list("person_id", "wants"))
    told = {person: Kind.CHANGED for person, wants in wishes.items() if wants == Wants.CHANGES}
    told |= {
        person: kind
        for person, kind in directly.items()
        if kind in _WHATEVER_IS_MUTED or wishes.get(person) != Wants.NOTHING
    }
    _tell(
        {person: (kind, _words(kind, action, by)) for person, kind in told.items() if person != by.pk},
        reference=case.ref,
        case=case,
        at=at,
    )


def _words(kind: Notification.Kind, action: Action, by: AbstractUser) -> str:
    if kind == Kind.MENTION:
        return f"{by} mentioned you in a comment."
    if kind == Kind.ASSIGNED:
        return f"{by} assigned it to you."
    if kind == Kind.DECIDED and action in DECIDING:
        return f"{by} {'rejected' if action is Action.REJECT else 'approved'} what you prepared."
    return f"{HAPPENED[action]}." if action in HAPPENED else f"{by} {DONE[action]}."


def prepared_by(proposal: Proposal, contributors: frozenset[int]) -> dict[int, Notification.Kind]:
    """Everyone with a hand in what is decided now."""
    return dict.fromkeys(sorted({proposal.proposer_id, *contributors}), Kind.DECIDED)


def batch_decided(batch: ReplayBatch, *, by: AbstractUser, at: datetime, words: str) -> None:
    """Tell the proposer of a batch. Its items are not told one by one."""
    if batch.proposer_id != by.pk:
        told = {batch.proposer_id: (Kind.DECIDED, f"{by} {words} the batch that you prepared.")}
        _tell(told, reference=batch.ref, case=None, at=at)


def batch_over(batch: ReplayBatch, *, at: datetime, words: str) -> None:
    """Tell the proposer that nothing more is sent of a batch, or not until somebody looks at it."""
    _tell({batch.proposer_id: (Kind.BATCH, words)}, reference=batch.ref, case=None, at=at)


def mapping_decided(proposal: MappingProposal, *, by: AbstractUser, at: datetime, words: str) -> None:
    """Tell the proposer of a change of a value mapping; one that goes with a batch is told with the batch."""
    if proposal.batch_id is None and proposal.proposer_id != by.pk:
        told = {proposal.proposer_id: (Kind.DECIDED, f"{by} {words} the mapping that you prepared.")}
        _tell(told, reference=proposal.ref, case=None, at=at)


def mapping_prepared(proposal: MappingProposal, *, at: datetime, number: int) -> None:
    """Tell the proposer that all that goes with the mapping is prepared, and waits for somebody else."""
    words = f"Your mapping is prepared: {number} exceptions go with it. It waits for somebody else's decision."
    _tell({proposal.proposer_id: (Kind.BATCH, words)}, reference=proposal.ref, case=None, at=at)


def emergency_taken(taken: Emergency, people: Iterable[int], *, at: datetime, words: str) -> None:
    """Tell everybody who may review it, and the administrators, at once."""
    _tell(dict.fromkeys(people, (Kind.EMERGENCY, words)), reference=taken.ref, case=None, at=at)


def emergency_reviewed(taken: Emergency, people: Iterable[int], *, by: AbstractUser, at: datetime) -> None:
    """Tell who took it; and when something is not in order, everybody who was told of it."""
    questioned = taken.verdict == Emergency.Verdict.QUESTIONED
    words = f"{by} reviewed it: {taken.get_verdict_display()}."
    told = {taken.person_id, *(people if questioned else ())}
    _tell(dict.fromkeys(told, (Kind.EMERGENCY, words)), reference=taken.ref, case=None, at=at)


def archive_waits(delivery: ArchiveDelivery, people: Iterable[int], *, at: datetime, words: str) -> None:
    """Tell the administrators that evidence does not get into the archive."""
    _tell(dict.fromkeys(people, (Kind.ARCHIVE, words)), reference=delivery.ref, case=None, at=at)


def _tell(
    told: Mapping[int, tuple[Notification.Kind, str]], *, reference: str, case: ExceptionCase | None, at: datetime
) -> None:
    if told:
        Notification.objects.bulk_create(
            Notification(person_id=person, kind=kind, case=case, reference=reference, words=words[:300], told_at=at)
            for person, (kind, words) in sorted(told.items())
        )
