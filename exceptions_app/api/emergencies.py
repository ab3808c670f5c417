"""Emergency access, for programs of people: what there is, taking it, ending it, and its review."""

from typing import Any

from django.http import Http404
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions import emergencies as actions
from exceptions_app.actions.mover import Invalid
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import ActingView, ApiView, person
from exceptions_app.api.documented import CURSOR, IDEMPOTENCY_KEY, PAGE_SIZE, READING, WRITING, endpoint
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.responses import Person, Shape, person_of
from exceptions_app.api.strict import StrictSerializer, Text, WholeNumber
from exceptions_app.models import Emergency
from exceptions_app.queries.emergencies import eligible_places, emergencies_of
from exceptions_app.queries.reach import own_reach_of

_TAG = "Access"
_REF = OpenApiParameter("ref", OpenApiTypes.STR, OpenApiParameter.PATH, description="Such as EM-3.")


class EmergencyShape(Shape):
    """One emergency. It waits for its review while `reviewed_at` is null."""

    ref = serializers.CharField()
    person = Person()
    queue = serializers.CharField()
    entity = serializers.CharField()
    role = serializers.ChoiceField(choices=Emergency.Role.choices)
    because = serializers.CharField()
    began_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(help_text="From then on it gives nothing, whoever ended it or did not.")
    told = serializers.IntegerField(help_text="How many others were told at once.")
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_by = Person(allow_null=True)
    reviewed_at = serializers.DateTimeField(allow_null=True)
    reviewed_by = Person(allow_null=True)
    verdict = serializers.CharField(help_text="justified or questioned; empty until it is reviewed.")
    review = serializers.CharField()


class NewEmergency(StrictSerializer):
    """Where, as what, for how long, and why."""

    queue = Text(max_length=50, help_text="Its name in addresses.")
    entity = Text(max_length=20, help_text="Its code.")
    role = serializers.ChoiceField(choices=Emergency.Role.choices)
    minutes = WholeNumber(min_value=1, max_value=actions.MOST_MINUTES)
    because = Text(max_length=500, help_text="What happened that cannot wait.")


class Reviewed(StrictSerializer):
    """What a second person found."""

    verdict = serializers.ChoiceField(choices=Emergency.Verdict.choices)
    review = Text(max_length=500, help_text="What was looked at, and what was found.")


class Emergencies(ActingView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_emergencies",
        "List emergencies",
        "The account's own and those where it may approve or read the audit trail, the newest first; for an "
        "administrator, all of them.",
        tag=_TAG,
        answers={200: documented_page(EmergencyShape, name="EmergencyPage")},
        problems=READING,
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        page = page_of(request, emergencies_of(person(request), own_reach_of(person(request))))
        return answer_page(page, lambda rows: [_document(one) for one in rows])

    @endpoint(
        "take_emergency",
        "Take emergency access",
        "For at most an hour, where an administrator made the account eligible. It takes a person whose session has a "
        "fresh proof. Everybody who may review it is told at once, and every event of the account is marked.",
        tag=_TAG,
        request=NewEmergency,
        answers={200: EmergencyShape},
        problems=[*WRITING, kinds.FRESH_PROOF_NEEDED],
        parameters=[IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "Request",
                value={
                    "queue": "e-invoicing", "entity": "NL01", "role": "clerk", "minutes": 30,
                    "because": "The filing is due at noon and nobody of the team can be reached.",
                },
                request_only=True,
            )
        ],
    )  # fmt: skip
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request) -> Response:
        body = requests.body_of(request, NewEmergency)
        queues, entities = eligible_places(own_reach_of(person(request)))
        queue, entity = queues.filter(slug=body.pop("queue")).first(), entities.filter(code=body.pop("entity")).first()
        if queue is None:
            raise Invalid("queue", "There is no such queue where you may take emergency access.")
        if entity is None:
            raise Invalid("entity", "There is no such legal entity for which you may take emergency access.")
        return Response(_document(actions.take_emergency(queue, entity, **body, by=person(request), at=now())))


class OneEmergency(ApiView):
    @endpoint(
        "read_emergency",
        "Read an emergency",
        "For who took it, who may review it, and administrators.",
        tag=_TAG,
        answers={200: EmergencyShape},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[_REF],
    )
    def get(self, request: Request, ref: str) -> Response:
        return Response(_document(_emergency(request, ref)))


class EndEmergency(ActingView):
    @endpoint(
        "end_emergency",
        "End an emergency",
        "What it gave is taken away at once. By who took it, who may review it, or an administrator.",
        tag=_TAG,
        request=requests.PerhapsBecause,
        answers={200: EmergencyShape},
        problems=[*WRITING, kinds.NOT_FOUND],
        parameters=[_REF, IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, ref: str) -> Response:
        taken = _emergency(request, ref)
        because = requests.body_of(request, requests.PerhapsBecause)["because"]
        return Response(_document(actions.end_emergency(taken.pk, by=person(request), at=now(), because=because)))


class ReviewEmergency(ActingView):
    @endpoint(
        "review_emergency",
        "Review an emergency",
        "When it is over, by somebody else who may approve or read the audit trail there.",
        tag=_TAG,
        request=Reviewed,
        answers={200: EmergencyShape},
        problems=[*WRITING, kinds.NOT_FOUND],
        parameters=[_REF, IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "Request",
                value={"verdict": "justified", "review": "Two corrections, both approved by Conrad; the filing went."},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, ref: str) -> Response:
        taken = _emergency(request, ref)
        body = requests.body_of(request, Reviewed)
        return Response(_document(actions.review_emergency(taken.pk, **body, by=person(request), at=now())))


def _emergency(request: Request, ref: str) -> Emergency:
    """The same answer for one that the account may not see as for one that is not there."""
    visible = emergencies_of(person(request), own_reach_of(person(request)))
    found = visible.filter(pk__in=Emergency.objects.with_ref(ref).values("pk")).first()
    if found is None:
        raise Http404
    return found


def _document(taken: Emergency) -> dict[str, Any]:
    return {
        "ref": taken.ref,
        "person": person_of(taken.person),
        "queue": taken.queue.slug,
        "entity": taken.entity.code,
        "role": taken.role,
        "because": taken.because,
        "began_at": taken.began_at,
        "ends_at": taken.ends_at,
        "told": taken.told,
        "ended_at": taken.ended_at,
        "ended_by": person_of(taken.ended_by) if taken.ended_by else None,
        "reviewed_at": taken.reviewed_at,
        "reviewed_by": person_of(taken.reviewed_by) if taken.reviewed_by else None,
        "verdict": taken.verdict,
        "review": taken.review,
    }
