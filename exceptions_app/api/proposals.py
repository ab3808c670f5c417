"""What waits for a decision by the account that asks, or by others on what it prepared."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api import responses
from exceptions_app.api.base import ApiView, person
from exceptions_app.api.case_document import proposal_of
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.pagination import (
    PARAMETERS,
    answer_page,
    documented_page,
    documented_sort,
    page_of,
    sort_of,
)
from exceptions_app.api.problems import parameter
from exceptions_app.authority import with_rules
from exceptions_app.models import Proposal
from exceptions_app.queries.approvals import SORTS, prepared, sortable
from exceptions_app.queries.counters import waiting_for_decision_of
from exceptions_app.queries.reach import reach_of


class OpenProposal(responses.ProposalShape):
    """A proposal that waits, with the exception that it is about."""

    exception = responses.ExceptionSummary()


_OLDEST = SORTS["oldest"]
TO_DECIDE, PREPARED = "to_decide", "prepared"
_SHOWN = MappingProxyType({TO_DECIDE: waiting_for_decision_of, PREPARED: prepared})


class ProposalList(ApiView):
    query_parameters = PARAMETERS | {"show", "sort"}

    @endpoint(
        "list_proposals",
        "List open proposals",
        "The open proposals that the account may decide on: granted approval on queue and legal entity, and no hand in "
        "what is proposed. With show=prepared those that it has a hand in, and that somebody else must decide on. The "
        "oldest first, unless sort says otherwise.",
        tag="Proposals",
        answers={200: documented_page(OpenProposal, name="ProposalPage")},
        problems=READING,
        parameters=[
            OpenApiParameter(
                "show", OpenApiTypes.STR, enum=[TO_DECIDE, PREPARED], description="to_decide when left out."
            ),
            documented_sort(SORTS, _OLDEST.name), CURSOR, PAGE_SIZE,
        ],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        read = _SHOWN.get(request.query_params.get("show", TO_DECIDE))
        if read is None:
            raise parameter("show", "There is no such list of proposals.", f"Send one of {', '.join(_SHOWN)}.")
        sort = sort_of(request, SORTS, _OLDEST)
        user = person(request)
        found = with_rules(sortable(read(user, reach_of(user)))).select_related(
            "version", "target", "proposer", "decision__decider", "first_approval__decider", "case__queue",
            "case__entity", "case__connection", "case__cause", "case__assignee", "case__snoozed_by",
        ).defer("version__content")  # fmt: skip
        return answer_page(page_of(request, found, sort), lambda proposals: _represent(proposals, request))


def _represent(proposals: Sequence[Proposal], request: Request) -> list[dict[str, Any]]:
    shape = responses.ExceptionSummary(context={"request": request})
    return [{**proposal_of(proposal), "exception": shape.to_representation(proposal.case)} for proposal in proposals]
