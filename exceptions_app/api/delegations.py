"""Deciding in somebody's place, for programs: what stands, giving it, and ending it."""

from typing import Any

from django.contrib.auth import get_user_model
from django.http import Http404
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions import delegations
from exceptions_app.actions.mover import Invalid
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import ActingView, person
from exceptions_app.api.documented import CURSOR, IDEMPOTENCY_KEY, PAGE_SIZE, READING, WRITING, endpoint
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.responses import Person, Shape, person_of
from exceptions_app.api.strict import StrictSerializer, Text
from exceptions_app.models import Delegation
from exceptions_app.queries.delegations import delegations_of

_TAG = "Proposals"
_NUMBER = OpenApiParameter("number", OpenApiTypes.INT, OpenApiParameter.PATH, description="Number of the delegation.")


class DelegationShape(Shape):
    """Who decides in whose place, on which days, both included."""

    number = serializers.IntegerField()
    giver = Person()
    taker = Person()
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    begins_at = serializers.DateTimeField(help_text="When the first day begins in the time zone of the giver.")
    ends_at = serializers.DateTimeField(help_text="When the last day ends there.")
    because = serializers.CharField()
    given_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True, help_text="When somebody ended it before.")


class NewDelegation(StrictSerializer):
    """Who decides in the account's place, and when."""

    taker = Text(max_length=150, help_text="The user name.")
    first_day = serializers.DateField(help_text="Today or later, in the time zone of the account.")
    last_day = serializers.DateField(help_text=f"Included; at most {delegations.LONGEST} days in all.")
    because = Text(max_length=500, help_text="Why.")


class Delegations(ActingView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_delegations",
        "List delegations",
        "Where the account decides in somebody's place or somebody in its place, the newest first; for an "
        "administrator, all of them.",
        tag=_TAG,
        answers={200: documented_page(DelegationShape, name="DelegationPage")},
        problems=READING,
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        page = page_of(request, delegations_of(person(request)))
        return answer_page(page, lambda rows: [_document(one) for one in rows])

    @endpoint(
        "delegate",
        "Let somebody decide in one's place",
        "From a day to a day, wherever the account may approve by itself. Where either had a hand in it, the other "
        "does not decide; and what one decides for somebody is not passed on.",
        tag=_TAG,
        request=NewDelegation,
        answers={200: DelegationShape},
        problems=WRITING,
        parameters=[IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "Request",
                value={"taker": "nina", "first_day": "2099-08-01", "last_day": "2099-08-14", "because": "Holiday."},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request) -> Response:
        body = requests.body_of(request, NewDelegation)
        taker = get_user_model().objects.filter(username=body.pop("taker")).first()
        if taker is None:
            raise Invalid("taker", "There is no such account.")
        return Response(_document(delegations.delegate(taker, **body, by=person(request), at=now())))


class EndDelegation(ActingView):
    @endpoint(
        "end_delegation",
        "End a delegation",
        "From now on it does not count. By who gave it, who has it, or an administrator.",
        tag=_TAG,
        request=requests.PerhapsBecause,
        answers={200: DelegationShape},
        problems=[*WRITING, kinds.NOT_FOUND],
        parameters=[_NUMBER, IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, number: int) -> Response:
        if not delegations_of(person(request)).filter(pk=number).exists():
            raise Http404
        because = requests.body_of(request, requests.PerhapsBecause)["because"]
        return Response(_document(delegations.end_delegation(number, by=person(request), at=now(), because=because)))


def _document(given: Delegation) -> dict[str, Any]:
    return {
        "number": given.pk,
        "giver": person_of(given.giver),
        "taker": person_of(given.taker),
        "first_day": given.first_day,
        "last_day": given.last_day,
        "begins_at": given.begins_at,
        "ends_at": given.ends_at,
        "because": given.because,
        "given_at": given.given_at,
        "ended_at": given.ended_at,
    }
