"""Proposed rows of a value mapping through the API: read, approved, rejected, withdrawn."""

from collections.abc import Callable
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions.mapping_decide import approve_mapping, reject_mapping
from exceptions_app.actions.mapping_propose import withdraw_mapping
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api import value_mapping_shapes as shapes
from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, WRITING, endpoint
from exceptions_app.api.moving import Move, move
from exceptions_app.api.pagination import NEWEST, PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.problems import chosen
from exceptions_app.api.value_mappings import PROPOSAL_PAGE, answer_proposal, proposal_for
from exceptions_app.mapping_states import MappingState
from exceptions_app.models import MappingProposal, MappingRow
from exceptions_app.queries import value_mappings as reads
from exceptions_app.queries.reach import reach_of

_TAG: Final = "Value mappings"
_PROBLEMS: Final = (*WRITING, kinds.NOT_FOUND, kinds.NOT_POSSIBLE_NOW)
_DECIDING: Final = (*_PROBLEMS, kinds.FRESH_PROOF_NEEDED, kinds.APPROVAL_NO_LONGER_HOLDS)
_SHOWN: Final = {
    "frozen_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "because": "As the chart of accounts has it.",
}


class MappingProposals(ApiView):
    query_parameters = PARAMETERS | {"state"}

    @endpoint(
        "list_mapping_proposals",
        "List proposed rows of all value mappings",
        "Of the mappings that the account may see, newest first.",
        tag=_TAG,
        answers={200: PROPOSAL_PAGE},
        problems=READING,
        parameters=[
            OpenApiParameter("state", OpenApiTypes.STR, enum=[state.value for state in MappingState]),
            CURSOR,
            PAGE_SIZE,
        ],
    )
    def get(self, request: Request) -> Response:
        state = chosen(request, "state", MappingState)
        found = reads.proposals_within(reach_of(person(request)))
        found = found.filter(state=state) if state else found
        return answer_page(page_of(request, found, NEWEST), lambda rows: [shapes.listed_as_json(row) for row in rows])


class MappingProposalOne(ApiView):
    @endpoint(
        "read_value_mapping_proposal",
        "Read proposed rows",
        "Who asks for them and why, how far its exceptions are prepared, and what was decided.",
        tag=_TAG,
        answers={200: shapes.MappingProposalShape},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[shapes.PROPOSAL],
    )
    def get(self, request: Request, ref: str) -> Response:
        return answer_proposal(request, ref)


class MappingProposalRows(ApiView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_value_mapping_proposal_rows",
        "List proposed rows",
        "In the order in which they were written, each with what it replaces.",
        tag=_TAG,
        answers={200: documented_page(shapes.MappingRowShape, name="MappingRowPage")},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[shapes.PROPOSAL, CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request, ref: str) -> Response:
        rows = MappingRow.objects.filter(proposal=proposal_for(request, ref))
        return answer_page(
            page_of(request, rows, reads.IN_ORDER),
            lambda found: [shapes.row_as_json(shown) for shown in reads.with_replaced(found)],
        )


class _MappingMove(Move):
    def find(self, request: Request, ref: str) -> MappingProposal:
        return proposal_for(request, ref)

    def tell(self, request: Request, ref: str) -> Response:
        return answer_proposal(request, ref)


def _move(
    name: str, title: str, description: str, *, form: type[serializers.Serializer[Any]]
) -> Callable[[type[Move]], type[Move]]:
    """What decides says which rows were looked at."""
    decides = form is not requests.PerhapsBecause
    example = _SHOWN if decides else {"because": "One row is wrong."}
    return move(
        name, title, description, form=form, answer=shapes.MappingProposalShape, tag=_TAG, ref=shapes.PROPOSAL,
        problems=_DECIDING if decides else _PROBLEMS,
        examples=[OpenApiExample("Request", value=example, request_only=True)],
    )  # fmt: skip


@_move(
    "approve_value_mapping",
    "Approve proposed rows",
    "They hold from then on, as the next version of the mapping, and the batch that goes with them is approved by the "
    "same decision. Needs the verb approve where the mapping counts, and no hand in it.",
    form=shapes.ApproveMapping,
)
class ApproveMapping(_MappingMove):
    carry_out = staticmethod(approve_mapping)


@_move(
    "reject_value_mapping",
    "Reject proposed rows",
    "Say no, with the reason. What holds stays as it is; the exceptions that went with them go back to work.",
    form=shapes.RejectMapping,
)
class RejectMapping(_MappingMove):
    carry_out = staticmethod(reject_mapping)


@_move(
    "withdraw_value_mapping",
    "Withdraw proposed rows",
    "By who proposed them, before they are decided on.",
    form=requests.PerhapsBecause,
)
class WithdrawMapping(_MappingMove):
    carry_out = staticmethod(withdraw_mapping)
