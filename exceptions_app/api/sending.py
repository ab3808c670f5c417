"""What keeps sending back: the stop of everything, and the maintenance of a target."""

from typing import Any

from django.http import Http404
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions import sending
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import ActingView, ApiView, person
from exceptions_app.api.documented import IDEMPOTENCY_KEY, READING, WRITING, endpoint
from exceptions_app.api.responses import Shape
from exceptions_app.queries.connection_reach import connection_reach_of
from exceptions_app.queries.sending import windows_of
from integrations import delivery as engine
from integrations.models import Connection, MaintenanceWindow, SendingStop

_TAG = "Connections"
_SLUG = OpenApiParameter("slug", OpenApiTypes.STR, OpenApiParameter.PATH, description="Name of the connection.")
_NUMBER = OpenApiParameter("number", OpenApiTypes.INT, OpenApiParameter.PATH, description="Number of the window.")


class HoldShape(Shape):
    """Why nothing is sent to a target now."""

    held_by = serializers.ChoiceField(choices=[held.value for held in engine.HeldBy])
    title = serializers.CharField()
    because = serializers.CharField()
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True, help_text="Null where only a person ends it.")


class StillHeld(Shape):
    hold = HoldShape(allow_null=True, help_text="What keeps it back nevertheless, such as a pause.")


class StopShape(Shape):
    """Whether all sending is stopped."""

    stopped = serializers.BooleanField()
    stopped_at = serializers.DateTimeField(allow_null=True)
    stopped_by = serializers.CharField()
    because = serializers.CharField()


class WindowShape(Shape):
    """A time in which nothing is sent to the target of a connection."""

    number = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    because = serializers.CharField()
    planned_by = serializers.CharField()
    cancelled_at = serializers.DateTimeField(allow_null=True)


class WindowList(Shape):
    """The windows that are running or to come, the next first."""

    results = WindowShape(many=True)


class StopItem(ApiView):
    @endpoint(
        "read_sending",
        "Read whether all sending is stopped",
        "A stop keeps back everything, to every target and every source, until somebody lifts it.",
        tag=_TAG,
        answers={200: StopShape},
        problems=READING,
    )
    def get(self, request: Request) -> Response:
        return Response(_stop(engine.stop_in_force()))


class Stop(ActingView):
    @endpoint(
        "stop_sending",
        "Stop all sending",
        "Nothing more is taken up for any target or source; what a worker has in its hands is finished. Needs "
        "configure_connection on any connection, or an administrator.",
        tag=_TAG,
        request=requests.Because,
        answers={200: StopShape},
        problems=WRITING,
        parameters=[IDEMPOTENCY_KEY],
        examples=[OpenApiExample("Request", value={"because": "Wrong tax rates go out."}, request_only=True)],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request) -> Response:
        because = requests.body_of(request, requests.Because)["because"]
        return Response(_stop(sending.stop_all(by=person(request), at=now(), because=because)))


class Resume(ActingView):
    @endpoint(
        "resume_sending",
        "Let all sending go on",
        "Lift the stop. A connection that is paused by itself stays paused. Needs what stopping needs.",
        tag=_TAG,
        request=requests.PerhapsBecause,
        answers={200: StopShape},
        problems=WRITING,
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request) -> Response:
        because = requests.body_of(request, requests.PerhapsBecause)["because"]
        sending.resume_all(by=person(request), at=now(), because=because)
        return Response(_stop(engine.stop_in_force()))


class MaintenanceWindows(ActingView):
    @endpoint(
        "list_maintenance_windows",
        "List maintenance windows",
        "Those that are running or to come. In that time nothing is sent to the target; words to the source are.",
        tag=_TAG,
        answers={200: WindowList},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[_SLUG],
    )
    def get(self, request: Request, slug: str) -> Response:
        found = _connection_for(request, slug)
        return Response({"results": [_window(window) for window in windows_of(found, at=now())]})

    @endpoint(
        "plan_maintenance",
        "Plan maintenance",
        "Send nothing to the target in that time, by the clock of the database. Needs configure_connection.",
        tag=_TAG,
        request=requests.Maintenance,
        answers={200: WindowShape},
        problems=[*WRITING, kinds.NOT_FOUND],
        parameters=[_SLUG, IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "Request",
                value={
                    "starts_at": "2099-03-31T20:00:00Z",
                    "ends_at": "2099-03-31T23:00:00Z",
                    "because": "New server at the authority.",
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, slug: str) -> Response:
        found = _connection_for(request, slug)
        body = requests.body_of(request, requests.Maintenance)
        return Response(_window(sending.plan_maintenance(found.pk, **body, by=person(request), at=now())))


class CancelMaintenance(ActingView):
    @endpoint(
        "cancel_maintenance",
        "Cancel maintenance",
        "It keeps nothing back any more, whether it has begun or not. Needs configure_connection.",
        tag=_TAG,
        request=requests.PerhapsBecause,
        answers={200: WindowShape},
        problems=[*WRITING, kinds.NOT_FOUND],
        parameters=[_SLUG, _NUMBER, IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, slug: str, number: int) -> Response:
        window = MaintenanceWindow.objects.filter(pk=number, connection=_connection_for(request, slug)).first()
        if window is None:
            raise Http404
        because = requests.body_of(request, requests.PerhapsBecause)["because"]
        return Response(_window(sending.cancel_maintenance(window.pk, by=person(request), at=now(), because=because)))


class SendAgain(ActingView):
    @endpoint(
        "send_again_now",
        "Send again now",
        "Close the breaker by hand, and forget that the target asked to wait. Needs configure_connection.",
        tag=_TAG,
        request=requests.PerhapsBecause,
        answers={200: StillHeld},
        problems=[*WRITING, kinds.NOT_FOUND],
        parameters=[_SLUG, IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, slug: str) -> Response:
        found = _connection_for(request, slug)
        because = requests.body_of(request, requests.PerhapsBecause)["because"]
        sending.send_again(found.pk, by=person(request), at=now(), because=because)
        return Response({"hold": represent_hold(engine.hold_on(found.pk))})


def represent_hold(hold: engine.Hold | None) -> dict[str, Any] | None:
    if hold is None:
        return None
    return {
        "held_by": hold.held_by.value,
        "title": hold.title,
        "because": hold.because,
        "since": hold.since,
        "until": hold.until,
    }


def _stop(stop: SendingStop | None) -> dict[str, Any]:
    return {
        "stopped": stop is not None,
        "stopped_at": stop.stopped_at if stop else None,
        "stopped_by": stop.stopped_by if stop else "",
        "because": stop.because if stop else "",
    }


def _window(window: MaintenanceWindow) -> dict[str, Any]:
    return {
        "number": window.pk,
        "starts_at": window.starts_at,
        "ends_at": window.ends_at,
        "because": window.because,
        "planned_by": window.planned_by,
        "cancelled_at": window.cancelled_at,
    }


def _connection_for(request: Request, slug: str) -> Connection:
    found = Connection.objects.filter(slug=slug, pk__in=connection_reach_of(person(request)).seen).first()
    if found is None:
        raise Http404
    return found
