"""Files that could not even be taken in: which, why, and that nothing is left to do about one."""

from typing import Any

from django.http import Http404
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from exceptions_app.actions import intake_failures
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import ActingView, ApiView, person
from exceptions_app.api.documented import CURSOR, IDEMPOTENCY_KEY, PAGE_SIZE, READING, WRITING, endpoint
from exceptions_app.api.messages import NUMBER
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.problems import parameter
from exceptions_app.api.responses import Shape
from exceptions_app.api.tending import tending_problem
from exceptions_app.queries import intake_failures as reads
from exceptions_app.queries.connection_reach import connection_reach_of
from integrations.inbox import MessageRefused
from integrations.models import FolderProblem

_TAG = "Messages"
_STATUSES = {"to_do": reads.TO_DO, "set_aside": reads.SET_ASIDE}


class QuarantinedFile(Shape):
    """A file or an item that could not be taken in. It is kept where it is."""

    url = serializers.URLField()
    connection = serializers.CharField()
    file_name = serializers.CharField()
    kept_as = serializers.CharField(help_text="Where it is kept.")
    problem = serializers.CharField()
    remedy = serializers.CharField()
    found_at = serializers.DateTimeField()
    set_aside_at = serializers.DateTimeField(allow_null=True)


class QuarantineList(ApiView):
    query_parameters = PARAMETERS | {"status", "connection"}

    @endpoint(
        "list_quarantined_files",
        "List files in quarantine",
        "The files of watched folders and sources that could not even be taken in, newest first, of connections whose "
        "intake failures the account may see. Without a status those that are to do.",
        tag=_TAG,
        answers={200: documented_page(QuarantinedFile, name="QuarantinePage")},
        problems=READING,
        parameters=[
            OpenApiParameter("status", OpenApiTypes.STR, enum=list(_STATUSES), description="to_do when left out."),
            OpenApiParameter("connection", OpenApiTypes.STR, description="Name of a connection."),
            CURSOR, PAGE_SIZE,
        ],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        status = request.query_params.get("status", "to_do")
        if status not in _STATUSES:
            raise parameter("status", f"There is no status “{status[:40]}”.", f"Send one of {', '.join(_STATUSES)}.")
        found = reads.files_in_quarantine(connection_reach_of(person(request)).cared_for, _STATUSES[status])
        if (slug := request.query_params.get("connection")) is not None:
            found = found.filter(connection__slug=slug.replace("\x00", "�"))
        page = page_of(request, found.select_related("connection"))
        return answer_page(page, lambda rows: [_represent(row, request) for row in rows])


class QuarantineItem(ApiView):
    @endpoint(
        "read_quarantined_file",
        "Read one file in quarantine",
        "Why it could not be taken in, what to do, and where it is kept. Seen by whoever cares for its connection.",
        tag=_TAG,
        answers={200: QuarantinedFile},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[NUMBER],
    )
    def get(self, request: Request, number: int) -> Response:
        return Response(_represent(_file_for(request, number), request))


class SetFileAside(ActingView):
    @endpoint(
        "set_file_aside",
        "Set a file aside",
        "Say that nothing is left to do about a file in quarantine. It stays where it is. Needs the verb correct where "
        "the connection leads, or configure_connection.",
        tag=_TAG,
        request=requests.Because,
        answers={200: QuarantinedFile},
        problems=(*WRITING, kinds.NOT_FOUND, kinds.NOT_POSSIBLE_NOW),
        parameters=[NUMBER, IDEMPOTENCY_KEY],
        examples=[OpenApiExample("Request", value={"because": "Sent again by the source."}, request_only=True)],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, number: int) -> Response:
        found = _file_for(request, number)
        because = requests.body_of(request, requests.Because)["because"]
        try:
            changed = intake_failures.set_file_aside(found.pk, by=person(request), at=now(), because=because)
        except MessageRefused as error:
            state = "set_aside" if found.set_aside_at else "to_do"
            raise tending_problem(error, state=state, about="file") from error
        return Response(_represent(changed, request))


def _file_for(request: Request, number: int) -> FolderProblem:
    found = reads.find_file(number, connection_reach_of(person(request)).cared_for)
    if found is None:
        raise Http404
    return found


def _represent(found: FolderProblem, request: Request) -> dict[str, Any]:
    return {
        "url": reverse("api:quarantined-file", args=[found.pk], request=request),
        "connection": found.connection.slug,
        "file_name": found.file_name,
        "kept_as": found.quarantined_as,
        "problem": found.problem,
        "remedy": found.remedy,
        "found_at": found.found_at,
        "set_aside_at": found.set_aside_at,
    }
