"""Reading exceptions: the list, one of them with its context, its versions and its timeline."""

from dataclasses import asdict
from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from audit.queries import Cursor, EventFilter, events
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import responses
from exceptions_app.api.base import ApiView, case_for, person
from exceptions_app.api.case_document import respond, version_of
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, REF, endpoint
from exceptions_app.api.exception_shapes import ExceptionDetail
from exceptions_app.api.filtering import FILTER_NAMES, FILTER_PARAMETERS, filtered
from exceptions_app.api.pagination import (
    PARAMETERS,
    address,
    answer,
    answer_page,
    documented_page,
    documented_sort,
    page_of,
    size_of,
    sort_of,
)
from exceptions_app.api.problems import Problem, parameter
from exceptions_app.api.reveal import NOT_SHOWN
from exceptions_app.downloads import as_attachment
from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.queries.case_page import content_of
from exceptions_app.queries.erasures import erasure_of
from exceptions_app.queries.queue_page import SORTS, sortable
from exceptions_app.queries.reach import cases_within, reach_of
from exceptions_app.veiling import may_have

_TAG = "Exceptions"
_NUMBER = OpenApiParameter("number", OpenApiTypes.INT, OpenApiParameter.PATH, description="Number of the version.")


class ExceptionList(ApiView):
    query_parameters = PARAMETERS | FILTER_NAMES | {"sort"}

    @endpoint(
        "list_exceptions",
        "List exceptions",
        "The exceptions whose queue and legal entity are both granted to the account, with the filters and the orders "
        "of the work list under the same names; open and closed ones when no state is named. The Link header and the "
        "members next and previous lead to the neighbouring pages.",
        tag=_TAG,
        answers={200: documented_page(responses.ExceptionSummary, name="ExceptionPage")},
        problems=READING,
        parameters=[*FILTER_PARAMETERS, documented_sort(SORTS, SORTS["newest"].name), CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        visible = cases_within(reach_of(person(request)))
        found = filtered(request, visible).select_related(
            "queue", "entity", "connection", "cause", "assignee", "snoozed_by"
        )
        shape = responses.ExceptionSummary(context={"request": request})
        sort = sort_of(request, SORTS, SORTS["newest"])
        return answer_page(
            page_of(request, sortable(found), sort),
            lambda cases: [shape.to_representation(case) for case in cases],
        )


class ExceptionItem(ApiView):
    @endpoint(
        "read_exception",
        "Read one exception",
        "All that is known about it: what is wrong in plain words with the business field, the record, every version, "
        "the newest proposal with the frozen hash to decide on, deliveries with their attempts, and each action with "
        "whether the account may do it and why not. The ETag is its revision, for If-Match.",
        tag=_TAG,
        answers={200: ExceptionDetail},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[REF],
    )
    def get(self, request: Request, ref: str) -> Response:
        return respond(request, ref)


class VersionItem(ApiView):
    @endpoint(
        "read_version",
        "Read one version of the payload",
        "Who wrote it and why, what it changed, and what the check said. The bytes are at content_url.",
        tag=_TAG,
        answers={200: responses.Version},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[REF, _NUMBER],
    )
    def get(self, request: Request, ref: str, number: int) -> Response:
        case = case_for(request, ref)
        return Response(version_of(_version(case, number), case, request))


class AnyType(BaseContentNegotiation):
    """Whatever the client accepts: bytes are what they are."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        renderer: BaseRenderer = renderers[0]
        return renderer, renderer.media_type


class VersionContent(ApiView):
    content_negotiation_class = AnyType

    @endpoint(
        "read_version_content",
        "Read the exact bytes of a version",
        "The document as it was received or corrected, byte for byte; its SHA-256 is in the ETag. It is sent as an "
        "attachment, since it comes from outside.",
        tag=_TAG,
        answers={
            (200, "application/xml"): OpenApiResponse(OpenApiTypes.BINARY, description="The bytes."),
            (200, "application/octet-stream"): OpenApiResponse(OpenApiTypes.BINARY, description="Of any other type."),
        },
        problems=[*READING, kinds.NOT_FOUND, kinds.ERASED],
        parameters=[REF, _NUMBER],
    )
    def get(self, request: Request, ref: str, number: int) -> HttpResponse:
        case = case_for(request, ref)
        version = _version(case, number)
        if not version.content:
            gone = erasure_of(case)
            raise Problem(kinds.ERASED, gone.words if gone is not None else kinds.ERASED.title)
        if not may_have(request, case, bytes(version.content)):
            raise Problem(kinds.NOT_PERMITTED, NOT_SHOWN)
        response = as_attachment(bytes(version.content), version.media_type, name=f"{case.ref}-version-{number}")
        response["ETag"] = f'"{version.sha256}"'
        return response


class EventList(ApiView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_events",
        "Read the timeline of an exception",
        "Every event of the audit trail about it, newest first: who did what, when and why.",
        tag=_TAG,
        answers={200: documented_page(responses.Event, name="EventPage")},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[REF, CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request, ref: str) -> Response:
        case = case_for(request, ref)
        page = events(
            EventFilter(scopes=None, subject=case.subject), after=_place_in_log(request), limit=size_of(request)
        )
        left_out = {"id", "subject", "scope", "correlation_id"}
        results = [{k: v for k, v in asdict(entry).items() if k not in left_out} for entry in page.entries]
        following = address(request, cursor=str(page.next)) if page.next else None
        return answer(results, next_page=following, previous_page=None)


def _place_in_log(request: Request) -> Cursor | None:
    text = request.query_params.get("cursor")
    try:
        return None if text is None else Cursor.parse(text)
    except (ValueError, OverflowError):
        raise parameter("cursor", "This is not a cursor.", "Follow the link next, or start without one.") from None


def _version(case: ExceptionCase, number: int) -> PayloadVersion:
    version = content_of(case, number)
    if version is None:
        raise Http404
    return version
