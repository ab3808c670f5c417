"""What waits for a decision by the account that asks."""

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api import responses
from exceptions_app.api.base import ApiView, person
from exceptions_app.api.case_document import proposal_of
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.pagination import OLDEST, PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.models import Proposal
from exceptions_app.queries.counters import waiting_for_decision_of


class OpenProposal(responses.ProposalShape):
    """A proposal that waits, with the exception that it is about."""

    exception = responses.ExceptionSummary()


class ProposalList(ApiView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_proposals",
        "List proposals to decide on",
        "The open proposals that the account may decide on, the oldest first: granted approval on queue and legal "
        "entity, and no hand in what is proposed.",
        tag="Proposals",
        answers={200: documented_page(OpenProposal, name="ProposalPage")},
        problems=READING,
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        waiting = waiting_for_decision_of(person(request)).select_related(
            "version", "target", "proposer", "decision__decider", "case__queue", "case__entity", "case__connection",
            "case__cause", "case__assignee",
        ).defer("version__content")  # fmt: skip
        return answer_page(page_of(request, waiting, OLDEST), lambda proposals: _represent(proposals, request))


def _represent(proposals: Sequence[Proposal], request: Request) -> list[dict[str, Any]]:
    shape = responses.ExceptionSummary(context={"request": request})
    return [{**proposal_of(proposal), "exception": shape.to_representation(proposal.case)} for proposal in proposals]
