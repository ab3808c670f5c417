"""Looking after what comes in: intake failures read again or set aside, connections paused and resumed."""

from typing import Any

from django.http import Http404
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions import connections, intake_failures
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.account import ConnectionShape, represent_connection
from exceptions_app.api.base import ActingView, person
from exceptions_app.api.documented import IDEMPOTENCY_KEY, WRITING, endpoint
from exceptions_app.api.messages import NUMBER, MessageShape, message_for, represent
from exceptions_app.api.problems import Problem, at, pointer_to
from exceptions_app.queries.connection_reach import connection_reach_of
from integrations.inbox import MessageRefused
from integrations.models import Connection

_PROBLEMS = (*WRITING, kinds.NOT_FOUND, kinds.NOT_POSSIBLE_NOW)
_SLUG = OpenApiParameter("slug", OpenApiTypes.STR, OpenApiParameter.PATH, description="Name of the connection.")


class ReadAgain(ActingView):
    @endpoint(
        "read_message_again",
        "Read again",
        "Have an intake failure read again, after its cause was mended. Needs the verb correct where the connection "
        "leads, or configure_connection.",
        tag="Messages",
        request=requests.Nothing,
        answers={200: MessageShape},
        problems=_PROBLEMS,
        parameters=[NUMBER, IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, number: int) -> Response:
        message = message_for(request, number)
        requests.body_of(request, requests.Nothing)
        try:
            changed = intake_failures.read_again(message.pk, by=person(request), at=now())
        except MessageRefused as error:
            raise tending_problem(error, state=message.status) from error
        return Response(represent([changed], request)[0])


class SetAside(ActingView):
    @endpoint(
        "set_message_aside",
        "Set aside",
        "Say that nothing is to be done about an intake failure. It stays, with its original. Needs the verb correct "
        "where the connection leads, or configure_connection.",
        tag="Messages",
        request=requests.Because,
        answers={200: MessageShape},
        problems=_PROBLEMS,
        parameters=[NUMBER, IDEMPOTENCY_KEY],
        examples=[OpenApiExample("Request", value={"because": "A test of the source."}, request_only=True)],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, number: int) -> Response:
        message = message_for(request, number)
        because = requests.body_of(request, requests.Because)["because"]
        try:
            changed = intake_failures.set_aside(message.pk, by=person(request), at=now(), because=because)
        except MessageRefused as error:
            raise tending_problem(error, state=message.status) from error
        return Response(represent([changed], request)[0])


def tending_problem(error: MessageRefused, *, state: str, about: str = "message") -> Problem:
    """What `about` cannot do now, or a field that cannot be used."""
    if error.field == about:
        return Problem(kinds.NOT_POSSIBLE_NOW, f"{error.problem} {error.remedy}", state=state)
    errors = [at(pointer_to(error.field), error.problem, error.remedy)]
    return Problem(kinds.INVALID_CONTENT, error.problem, errors=errors)


class Pause(ActingView):
    @endpoint(
        "pause_connection",
        "Pause",
        "Send nothing more there until it is resumed; what is queued stays queued. Needs configure_connection.",
        tag="Connections",
        request=requests.Because,
        answers={200: ConnectionShape},
        problems=_PROBLEMS,
        parameters=[_SLUG, IDEMPOTENCY_KEY],
        examples=[OpenApiExample("Request", value={"because": "Maintenance at the authority."}, request_only=True)],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, slug: str) -> Response:
        connection = _connection_for(request, slug)
        because = requests.body_of(request, requests.Because)["because"]
        changed = connections.pause(connection.pk, by=person(request), at=now(), because=because)
        return Response(represent_connection(changed, connection_reach_of(person(request))))


class Resume(ActingView):
    @endpoint(
        "resume_connection",
        "Resume",
        "Let what is queued for a paused connection go on. Needs configure_connection.",
        tag="Connections",
        request=requests.Nothing,
        answers={200: ConnectionShape},
        problems=_PROBLEMS,
        parameters=[_SLUG, IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, slug: str) -> Response:
        connection = _connection_for(request, slug)
        requests.body_of(request, requests.Nothing)
        changed = connections.resume(connection.pk, by=person(request), at=now())
        return Response(represent_connection(changed, connection_reach_of(person(request))))


def _connection_for(request: Request, slug: str) -> Connection:
    seen = connection_reach_of(person(request)).seen
    connection = Connection.objects.filter(slug=slug, pk__in=seen).first()
    if connection is None:
        raise Http404
    return connection
