"""Value mappings through the API: what holds, rows that are proposed, and the decision of a second person."""

import json
from collections.abc import Sequence
from typing import Any, Final

from django.http import Http404
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions.batch_propose import ItemsRefused, ListChanged
from exceptions_app.actions.mapping_propose import Scope, propose_mapping
from exceptions_app.actions.mover import Invalid
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import value_mapping_shapes as shapes
from exceptions_app.api.base import ActingView, ApiView, person
from exceptions_app.api.documented import CURSOR, IDEMPOTENCY_KEY, PAGE_SIZE, READING, WRITING, endpoint
from exceptions_app.api.pagination import NEWEST, PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.problems import Problem, at, chosen, pointer_to
from exceptions_app.api.requests import body_of
from exceptions_app.models import MappingProposal, ValueMapping
from exceptions_app.models.case import number_of
from exceptions_app.queries import value_mappings as reads
from exceptions_app.queries.mapping_effect import effect_of
from exceptions_app.queries.mapping_standing import Places, places_to_propose
from exceptions_app.queries.reach import Reach, cases_within, reach_of
from exceptions_app.value_rows import RowsInvalid, WrittenRow
from integrations.value_kinds import ValueKind

_TAG: Final = "Value mappings"
_ROWS: Final = [{"source_value": "ROBOTICS", "target_value": "4410", "valid_from": "2027-01-01"}]
_SCOPE: Final = {"kind": "product_family", "connection": "corporate-ledger", "entity": "NL01", "rows": _ROWS}
PROPOSAL_PAGE: Final = documented_page(shapes.ListedMappingProposal, name="MappingProposalPage")
_KIND: Final = OpenApiParameter("kind", OpenApiTypes.STR, enum=[kind.value for kind in ValueKind])
_CONNECTION: Final = OpenApiParameter(
    "connection", OpenApiTypes.STR, description="Name of the connection to the target."
)
_CONTAINS: Final = OpenApiParameter("contains", OpenApiTypes.STR, description="Part of a source or target value.")
_REPLACED: Final = OpenApiParameter(
    "replaced", OpenApiTypes.STR, enum=["true", "false"], description="true: what was replaced or ended instead."
)


class ValueMappings(ActingView):
    query_parameters = PARAMETERS | {"kind", "connection", "contains"}

    @endpoint(
        "list_value_mappings",
        "List value mappings",
        "Mappings whose team and legal entity the account may see, newest first.",
        tag=_TAG,
        answers={200: documented_page(shapes.ValueMappingShape, name="ValueMappingPage")},
        problems=READING,
        parameters=[_KIND, _CONNECTION, _CONTAINS, CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        found = reads.mappings_for(
            reach_of(person(request)),
            search=_text(request, "contains"),
            kind=chosen(request, "kind", ValueKind) or "",
            connection=_text(request, "connection"),
        )
        return answer_page(
            page_of(request, found, NEWEST),
            lambda rows: [shapes.mapping_as_json(line) for line in reads.lines_of(rows)],
        )

    @endpoint(
        "propose_value_mapping",
        "Propose rows of a value mapping",
        "Nothing holds before somebody else approves. Open exceptions that the preview lists may go with them: each is "
        "corrected by the rows, and one decision covers the mapping and the batch of their replays. A long list of "
        "exceptions is prepared in the background; read the proposal until it waits for its decision. When a row or an "
        "exception cannot be used, nothing is proposed and errors has a line for each.",
        tag=_TAG,
        request=shapes.ProposeMapping,
        answers={201: shapes.MappingProposalShape},
        problems=[*WRITING, kinds.CHANGED_MEANWHILE],
        parameters=[IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "Request",
                value=_SCOPE | {"because": "Robotics has an account of its own.", "exceptions": ["EX-1042"]},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request) -> Response:
        asked = body_of(request, shapes.ProposeMapping)
        reach = reach_of(person(request))
        scope, rows = _scope_of(places_to_propose(reach), asked), _rows_of(asked)
        mends = _revisions_of(asked["exceptions"], reach)
        try:
            proposal = propose_mapping(scope, rows, by=person(request), at=now(), because=asked["because"], mends=mends)
        except RowsInvalid as error:
            raise _not_usable(error) from error
        except (ItemsRefused, ListChanged) as error:
            remedy = "Read the preview again: it says which can go with the rows, and why others cannot."
            errors = [at("/exceptions", str(error), remedy)]
            raise Problem(kinds.INVALID_CONTENT, str(error), errors=errors) from error
        address = request.build_absolute_uri(f"/api/v1/value-mapping-proposals/{proposal.ref}")
        return answer_proposal(request, proposal.ref, status=201, Location=address)

    def repeated(self, request: Request, body: bytes, *args: Any, **kwargs: Any) -> bytes:
        ref = json.loads(body).get("ref")
        if ref is not None:
            proposal_for(request, ref)
        return body


def _text(request: Request, name: str) -> str:
    """What nobody can have written, PostgreSQL does not even look for."""
    return request.query_params.get(name, "").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def proposal_for(request: Request, ref: str) -> MappingProposal:
    """The proposal, when the account may see its mapping; otherwise the same answer as for none."""
    found = reads.find_proposal(person(request), ref)
    if found is None:
        raise Http404
    return found


def answer_proposal(request: Request, ref: str, *, status: int = 200, **headers: str) -> Response:
    proposal = proposal_for(request, ref)
    shown = shapes.proposal_as_json(proposal, reads.preparation_of(proposal, reach_of(person(request))))
    return Response(shown, status=status, headers=headers or None)


def _scope_of(places: Places, asked: dict[str, Any]) -> Scope:
    """What is named of what may be chosen. Raises Invalid, in the same words for what is not there at all."""
    return Scope(
        kind=asked["kind"],
        connection=_chosen("connection", asked["connection"], {one.slug: one for one in places.connections}),
        entity=_chosen("entity", asked["entity"], {one.code: one for one in places.entities}),
        queue=_chosen("queue", asked.get("queue"), {one.slug: one for one in places.queues}),
    )


def _chosen(field: str, name: str | None, offered: dict[str, Any]) -> Any:
    if name is not None and name not in offered:
        known = ", ".join(offered) or "none"
        raise Invalid(field, f"There is no “{name[:60]}” where this account may propose. These are: {known}.")
    return offered[name] if name is not None else None


def _rows_of(asked: dict[str, Any]) -> list[WrittenRow]:
    return [WrittenRow(**row) for row in asked["rows"]]


def _revisions_of(refs: Sequence[str], reach: Reach) -> dict[int, int]:
    """As they stand now, by number. Raises Problem with a line for each that the account cannot see."""
    places = {number_of(ref): place for place, ref in enumerate(refs)}
    visible = cases_within(reach).filter(pk__in=[number for number in places if number is not None])
    found = dict(visible.values_list("pk", "revision")) if refs else {}
    missing = [place for number, place in places.items() if number not in found]
    if missing:
        words, remedy = "There is no such exception.", "Leave it out."
        errors = [at(pointer_to("exceptions", place), words, remedy) for place in sorted(missing)]
        raise Problem(kinds.INVALID_CONTENT, "Some of the exceptions are not there.", errors=errors)
    return found


def _not_usable(error: RowsInvalid) -> Problem:
    errors = [
        at(pointer_to("rows", fault.row - 1, fault.column), fault.problem, fault.remedy) for fault in error.faults
    ]
    return Problem(kinds.INVALID_CONTENT, str(error), errors=errors)


class PreviewMapping(ApiView):
    @endpoint(
        "preview_value_mapping",
        "Preview rows of a value mapping",
        "Which open exceptions the rows mend and with what money, which not and why, and what they had done to closed "
        "ones. Saves nothing.",
        tag=_TAG,
        request=shapes.MappingScope,
        answers={200: shapes.MappingEffectShape},
        problems=[kind for kind in WRITING if kind not in (kinds.REQUEST_IN_FLIGHT, kinds.KEY_REUSED)],
        examples=[OpenApiExample("Request", value=_SCOPE, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        asked = body_of(request, shapes.MappingScope)
        reach = reach_of(person(request))
        scope = _scope_of(places_to_propose(reach), asked)
        effect = effect_of(scope.with_rows(_rows_of(asked)), by=person(request), reach=reach)
        return Response(shapes.effect_as_json(effect))


def _mapping_for(request: Request, ref: str) -> ValueMapping:
    found = reads.find_mapping(person(request), ref)
    if found is None:
        raise Http404
    return found


class ValueMappingOne(ApiView):
    @endpoint(
        "read_value_mapping",
        "Read a value mapping",
        "What it is for, who owns it and how many rows hold.",
        tag=_TAG,
        answers={200: shapes.ValueMappingShape},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[shapes.REF],
    )
    def get(self, request: Request, ref: str) -> Response:
        [line] = reads.lines_of([_mapping_for(request, ref)])
        return Response(shapes.mapping_as_json(line))


class MappingEntries(ApiView):
    query_parameters = PARAMETERS | {"contains", "replaced"}

    @endpoint(
        "list_value_mapping_entries",
        "List the rows of a value mapping",
        "What holds, whatever the day, or what was replaced or ended; newest first, with who proposed and approved it.",
        tag=_TAG,
        answers={200: documented_page(shapes.MappingEntryShape, name="MappingEntryPage")},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[shapes.REF, _CONTAINS, _REPLACED, CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request, ref: str) -> Response:
        replaced = chosen(request, "replaced", ("true", "false"))
        mapping = _mapping_for(request, ref)
        search = _text(request, "contains")
        found = reads.entries_of(mapping, search=search, replaced=replaced == "true")
        return answer_page(page_of(request, found, NEWEST), lambda rows: [shapes.entry_as_json(row) for row in rows])


class MappingProposalsOfOne(ApiView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_value_mapping_proposals",
        "List what was proposed for a value mapping",
        "Newest first, with what was said of each.",
        tag=_TAG,
        answers={200: PROPOSAL_PAGE},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[shapes.REF, CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request, ref: str) -> Response:
        found = reads.every_proposal_for(_mapping_for(request, ref))
        return answer_page(page_of(request, found, NEWEST), lambda rows: [shapes.listed_as_json(row) for row in rows])
