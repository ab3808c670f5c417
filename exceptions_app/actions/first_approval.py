"""The first of two approvals, which carries out nothing; and whether the second finds the first in order."""

from datetime import datetime

from django.contrib.auth.models import AbstractUser

from exceptions_app.actions.decided_meanwhile import refused_in_words
from exceptions_app.actions.mover import move
from exceptions_app.authority import demands_on, why_alone
from exceptions_app.duties import first_holds
from exceptions_app.models import ExceptionCase, FirstApproval, Proposal
from exceptions_app.policies import Standing
from exceptions_app.states import PROPOSAL_WORDS, Action, ProposalKind
from exceptions_app.wording import say, together


def is_first(where: Standing) -> bool:
    """Whether an approval now would be the first of two."""
    return where.missing > 1


def why_not_first(proposal: Proposal, where: Standing) -> str:
    """Why an approval now would be the last, for who was shown that it would be the first of two; empty if it is not.

    Whoever left the page open while another approved would otherwise carry out what they were told carries out nothing.
    """
    if is_first(where):
        return ""
    first = FirstApproval.objects.filter(proposal=proposal).select_related("decider").first()
    again = say("Look at it again, and approve it then if you still agree.")
    if first is None:
        return together(say("It takes one approval only by now, so that yours would carry it out."), again)
    meanwhile = say("{person} approved it meanwhile, so that yours would carry it out.", person=first.decider)
    return together(meanwhile, again)


def why_not_alone(proposal: Proposal) -> str:
    """Why it is not decided with a list: who agrees to one agrees to each as the only one, and in no special role."""
    return why_alone(demands_on([proposal.case_id], at=proposal.proposed_at)[proposal.case_id])


def approve_first(
    case: ExceptionCase,
    proposal: Proposal,
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    retyped_sha256: str,
    where: Standing,
) -> FirstApproval:
    """Write it down on a locked exception, which stays as it is and waits for somebody else.

    `retyped_sha256` is of the payee's bank details that they typed again; both of two do.
    """
    with refused_in_words():
        first = FirstApproval.objects.create(
            proposal=proposal,
            verdict=FirstApproval.Verdict.APPROVED,
            decider_id=by.pk,
            frozen_sha256=proposal.frozen_sha256,
            because=because[:500],
            decided_at=at,
            retyped_sha256=retyped_sha256,
        )
    words = PROPOSAL_WORDS[ProposalKind(proposal.kind)]
    move(
        case,
        Action.APPROVE_FIRST,
        by=by,
        at=at,
        because=because,
        summary=f"{by} approved what {proposal.proposer} proposed on {case.ref}, as the first of two: {words}.",
        data={
            "proposal": proposal.kind,
            "frozen_sha256": proposal.frozen_sha256,
            "content_sha256": proposal.content_sha256,
            "proposer": proposal.proposer.get_username(),
            "rules": _rules_on(case, proposal),
        },
        where=where,
    )
    return first


def _rules_on(case: ExceptionCase, proposal: Proposal) -> list[str]:
    """Those that asked when it was proposed, and those that came into force since."""
    now = [demand.rule for demand in demands_on([case.pk], at=proposal.proposed_at)[case.pk]]
    return list(dict.fromkeys([*(str(one["rule"]) for one in proposal.demanded_by), *now]))


def why_not_second(proposal: Proposal) -> str:
    """Why the second approval cannot stand beside the first; empty when it can, and where there is no first."""
    first = FirstApproval.objects.filter(proposal=proposal).select_related("decider").first()
    if first is None or first_holds(proposal):
        return ""
    return say(
        "{person}, who approved it first, may not approve it any more. Have it withdrawn and proposed again, so that "
        "two others decide.",
        person=first.decider,
    )
