"""The moves of what has a table of states of its own: a batch, a bulk run, proposed rows of a value mapping."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import Model
from django.utils.timezone import now
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api import requests
from exceptions_app.api.base import ActingView, person
from exceptions_app.api.documented import IDEMPOTENCY_KEY, endpoint
from exceptions_app.api.problem_kinds import ProblemKind


class Move(ActingView):
    """One move: scope first, so that what is not visible does not exist; then shape; then the domain."""

    form: type[serializers.Serializer[Any]] = requests.Because
    carry_out: Callable[..., object]

    @abstractmethod
    def find(self, request: Request, ref: str) -> Model:
        """What is to be moved, when the account may see it. Raises Http404."""

    @abstractmethod
    def tell(self, request: Request, ref: str) -> Response:
        """How it stands afterwards."""

    def repeated(self, request: Request, body: bytes, *args: Any, **kwargs: Any) -> bytes:
        self.find(request, kwargs["ref"])
        return body

    def act(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        found = self.find(request, kwargs["ref"])
        given = requests.body_of(request, self.form)
        self.carry_out(found.pk, by=person(request), at=now(), **given)
        return self.tell(request, kwargs["ref"])


def move(
    name: str,
    title: str,
    description: str,
    *,
    form: type[serializers.Serializer[Any]],
    answer: type[serializers.Serializer[Any]],
    tag: str,
    ref: OpenApiParameter,
    problems: Sequence[ProblemKind],
    examples: Sequence[OpenApiExample] = (),
) -> Callable[[type[Move]], type[Move]]:
    """Describe the POST of a move, and give it its form."""

    def describe(view: type[Move]) -> type[Move]:
        view.form = form
        described: type[Move] = extend_schema_view(
            post=endpoint(
                name,
                title,
                description,
                tag=tag,
                request=form,
                answers={200: answer},
                problems=problems,
                parameters=[ref, IDEMPOTENCY_KEY],
                examples=examples,
            )
        )(view)
        return described

    return describe
