"""What became of a proposal, or of the right to decide on it, between what somebody looked at and their decision."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError

from exceptions_app.models import BatchItem, ExceptionCase, Proposal
from exceptions_app.models.replay_batch import BATCH_PREFIX
from exceptions_app.policies import NotPermitted
from exceptions_app.states import STATE_WORDS, State
from exceptions_app.wording import say

_OF_THE_TRIGGERS = re.compile(
    r"four eyes:|authority:|user \d+ (?:decides on no access|cannot decide on their own access)"
)


@contextmanager
def refused_in_words() -> Iterator[None]:
    """Around what writes a decision: who lost the right since the policy looked is refused by the database alone.

    Raises NotPermitted for that; the transaction is lost, so that nothing more can be asked of the database.
    """
    try:
        yield
    except IntegrityError as error:
        if not _OF_THE_TRIGGERS.match(str(error)):
            raise
        raise NotPermitted(
            say("Your right to decide on this changed while you decided. Nothing was done; look at it again.")
        ) from error


def proposal_shown(case: ExceptionCase, frozen_sha256: str) -> Proposal | None:
    """The proposal that the person looked at; the last one, when the same was proposed again."""
    return Proposal.objects.filter(case=case, frozen_sha256=frozen_sha256).order_by("-id").first()


def as_part_of(proposal: Proposal | None) -> str:
    """Of one that a batch had decided: which batch."""
    item = BatchItem.objects.filter(proposal=proposal, progress__by_batch=True).first()
    if item is None:
        return ""
    return say(", as a part of batch {ref}", ref=f"{BATCH_PREFIX}{item.batch_id}")


def why_gone(case: ExceptionCase, frozen_sha256: str) -> str:
    """Why what the person looked at is not there to be decided any more."""
    shown = proposal_shown(case, frozen_sha256)
    if shown is not None and shown.state == Proposal.State.SUPERSEDED:
        return say("This approval no longer holds: {reason} Look at the new version.", reason=shown.closed_because)
    if shown is not None and shown.state != Proposal.State.OPEN:
        state = say(shown.get_state_display().lower())
        return say("Somebody was faster: this proposal is {state}{part}.", state=state, part=as_part_of(shown))
    if not Proposal.objects.filter(case=case, state=Proposal.State.OPEN).exists():
        state = say(STATE_WORDS[State(case.state)])
        return say("Nothing is proposed on {ref} now: it is {state}.", ref=case.ref, state=state)
    return say("What is proposed now is not what you were shown. Look at it again before you decide.")
