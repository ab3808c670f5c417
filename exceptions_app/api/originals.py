"""The bytes of an intake failure as they came in, for who has to find out what they are."""

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.request import Request

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.base import ApiView, person
from exceptions_app.api.cases import AnyType
from exceptions_app.api.documented import READING, endpoint
from exceptions_app.api.messages import NUMBER
from exceptions_app.downloads import as_attachment
from exceptions_app.queries import intake_failures as reads
from exceptions_app.queries.connection_reach import connection_reach_of

PARTS = ("payload", "refusal")
_PART = OpenApiParameter("part", OpenApiTypes.STR, OpenApiParameter.PATH, enum=PARTS, description="Which part.")


class MessageOriginal(ApiView):
    content_negotiation_class = AnyType

    @endpoint(
        "read_message_original",
        "Read the exact bytes of an intake failure",
        "The payload, or the refusal beside it, as it came in and byte for byte, as an attachment. Only while nobody "
        "knows whose document it is; once it became an exception, its versions are read there. Needs the verb correct "
        "where the connection leads.",
        tag="Messages",
        answers={
            (200, "application/xml"): OpenApiResponse(OpenApiTypes.BINARY, description="The bytes."),
            (200, "application/octet-stream"): OpenApiResponse(OpenApiTypes.BINARY, description="Of any other type."),
        },
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[NUMBER, _PART],
    )
    def get(self, request: Request, number: int, part: str) -> HttpResponse:
        reach = connection_reach_of(person(request))
        message = reads.find_failure(number, reach.worked)
        if message is None or message.status not in reads.UNREAD or part not in PARTS:
            raise Http404
        content, media_type = reads.bytes_of(message, part)
        if not content:
            raise Http404
        return as_attachment(content, media_type, name=f"message-{number}-{part}")
