"""How a proposal ends without a verdict: spent on an attempt that failed, or overtaken by what happened meanwhile."""

from datetime import datetime

from exceptions_app.models import ExceptionCase, Proposal
from exceptions_app.states import STATING_KINDS


def spend(case: ExceptionCase, *, at: datetime, because: str) -> None:
    """An approval is for one attempt at these bytes; the next one is decided anew."""
    for proposal in Proposal.objects.filter(case=case, state=Proposal.State.APPROVED):
        _end(proposal, Proposal.State.SPENT, at=at, because=because)


def overtake_statement(case: ExceptionCase, *, at: datetime) -> None:
    """The target itself gave the answer: a statement that waits for its decision is not needed any more."""
    stated = Proposal.objects.filter(case=case, state=Proposal.State.OPEN, kind__in=sorted(STATING_KINDS))
    for proposal in stated:
        _end(proposal, Proposal.State.SUPERSEDED, at=at, because="The target answered before it was decided.")


def _end(proposal: Proposal, state: Proposal.State, *, at: datetime, because: str) -> None:
    proposal.state = state
    proposal.closed_at = at
    proposal.closed_because = because
    proposal.save(update_fields=["state", "closed_at", "closed_because"])
