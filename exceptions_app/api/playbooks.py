"""Playbooks for programs: what holds for a code, the next version, the second person, and using it on an exception."""

from dataclasses import asdict
from typing import Any

from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.playbook_run import OtherPlaybook, Outlook, StepRefused, outlook, use_playbook
from exceptions_app.actions.playbooks import PlaybookChanged, decide_playbook, save_playbook
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import ActingView, case_for, person
from exceptions_app.api.causes import line_for
from exceptions_app.api.documented import IDEMPOTENCY_KEY, IF_MATCH, READING, REF, WRITING, endpoint
from exceptions_app.api.preconditions import as_seen, precondition_of
from exceptions_app.api.problems import Problem
from exceptions_app.api.responses import Person, Shape, person_of
from exceptions_app.api.strict import StrictSerializer, Text, WholeNumber
from exceptions_app.models import Cause, ExceptionCase, PlaybookVersion
from exceptions_app.playbook_steps import LONGEST_FIELD, LONGEST_VALUE, MOST_STEPS, Step, StepKind, steps_of
from exceptions_app.queries import playbooks as reads
from exceptions_app.queries.reach import reach_of

_TAG = "Playbooks"
_CAUSE = OpenApiParameter("ref", OpenApiTypes.STR, OpenApiParameter.PATH, description="Reference, for instance CA-12.")
_KEEPING = (*WRITING, kinds.NOT_FOUND, kinds.CHANGED_MEANWHILE)


class StepShape(Shape):
    kind = serializers.CharField(help_text=", ".join(StepKind))
    value = serializers.CharField(help_text="Masked where the field holds bank details or personal data.")
    field = serializers.CharField(help_text="Which field of the document, for set_value.")
    was = serializers.CharField(help_text="What must stand there; empty for anything.")


class VersionShape(Shape):
    ref = serializers.CharField(help_text="For instance PB-3.")
    number = serializers.IntegerField()
    steps = StepShape(many=True)
    needs_second = serializers.BooleanField(help_text="Whether somebody else has to agree before it is offered.")
    because = serializers.CharField()
    author = Person()
    written_at = serializers.DateTimeField()


class PlaybookDocument(Shape):
    """What to do about an error code of a kind of connection."""

    connector = serializers.CharField()
    code = serializers.CharField()
    holds = VersionShape(allow_null=True)
    waits = VersionShape(allow_null=True, help_text="The newest version, when it waits for a second person.")
    newest = serializers.IntegerField(help_text="Number of the newest version, for the next one; 0 for none.")
    uses = serializers.IntegerField(help_text="How often it was used, on exceptions that the account sees.")


class OutlookShape(Shape):
    """What a step would do with the exception now."""

    position = serializers.IntegerField()
    words = serializers.CharField()
    possible = serializers.BooleanField()
    reason = serializers.CharField(help_text="Why not; empty when it is possible.")


class OutlookDocument(Shape):
    playbook = serializers.CharField(allow_null=True, help_text="Reference of what holds; null where nothing does.")
    steps = OutlookShape(many=True)


class StepBody(StrictSerializer):
    kind = serializers.ChoiceField(choices=[kind.value for kind in StepKind])
    value = Text(max_length=LONGEST_VALUE, allow_blank=True)
    field_ = Text(max_length=LONGEST_FIELD, required=False, allow_blank=True, default="")
    was = Text(max_length=LONGEST_VALUE, required=False, allow_blank=True, default="")


class NewVersion(requests.Because):
    steps = serializers.ListField(child=StepBody(), max_length=MOST_STEPS)
    seen = WholeNumber(min_value=0, help_text="Number of the newest version that was seen; 0 for none.")


class DecidePlaybook(requests.PerhapsBecause):
    playbook = Text(max_length=30, help_text="Reference of the version that waits.")
    verdict = serializers.ChoiceField(choices=["approve", "reject"])


class UsePlaybook(StrictSerializer):
    playbook = Text(max_length=30, help_text="Reference of the version that was seen.")
    steps = serializers.ListField(child=WholeNumber(min_value=1), min_length=1, max_length=MOST_STEPS)


class CausePlaybook(ActingView):
    @endpoint(
        "read_playbook", "Read the playbook of a cause",
        "What holds for the error code of the cause, and what waits for a second person.",
        tag=_TAG, answers={200: PlaybookDocument}, problems=[*READING, kinds.NOT_FOUND], parameters=[_CAUSE],
    )  # fmt: skip
    def get(self, request: Request, ref: str) -> Response:
        return _answer(request, ref)

    @endpoint(
        "write_playbook", "Write the next version",
        "For the error code of the cause. Without steps there is no playbook from then on. One with set_value or "
        "propose is offered only when somebody else agreed, and no value is for a field with bank details or personal "
        "data. Needs the verb propose on an exception with the code.",
        tag=_TAG, request=NewVersion, answers={200: PlaybookDocument}, problems=_KEEPING,
        parameters=[_CAUSE, IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "Request",
                value={
                    "steps": [
                        {"kind": "words", "value": "Ask the customer for the order."},
                        {"kind": "tag", "value": "month-end"},
                    ],
                    "seen": 0, "because": "As agreed with sales.",
                },
                request_only=True,
            )
        ],
    )  # fmt: skip
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def about(self, request: Request, ref: str) -> None:
        line_for(request, ref)

    def act(self, request: Request, ref: str) -> Response:
        cause, given = line_for(request, ref).cause, requests.body_of(request, NewVersion)
        steps = [
            Step(kind=StepKind(one["kind"]), value=one["value"], field=one["field"], was=one["was"])
            for one in given["steps"]
        ]
        try:
            save_playbook(cause.pk, steps, seen=given["seen"], because=given["because"], by=person(request), at=now())
        except Invalid as error:
            raise Invalid("steps" if error.field != "because" else "because", error.problem) from error
        except PlaybookChanged as error:
            raise Problem(kinds.CHANGED_MEANWHILE, str(error)) from error
        return _answer(request, ref)


class DecideOnPlaybook(ActingView):
    @endpoint(
        "decide_on_playbook", "Decide on a version that waits",
        "By somebody else than its author. Needs the verb approve on an exception with the code.",
        tag=_TAG, request=DecidePlaybook, answers={200: PlaybookDocument}, problems=_KEEPING,
        parameters=[_CAUSE, IDEMPOTENCY_KEY],
        examples=[OpenApiExample("Request", value={"playbook": "PB-3", "verdict": "approve"}, request_only=True)],
    )  # fmt: skip
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def about(self, request: Request, ref: str) -> None:
        line_for(request, ref)

    def act(self, request: Request, ref: str) -> Response:
        cause, given = line_for(request, ref).cause, requests.body_of(request, DecidePlaybook)
        waits = PlaybookVersion.objects.with_ref(given["playbook"]).first()
        if waits is None or (waits.connector, waits.code) != (cause.connector, cause.code):
            raise Invalid("playbook", "There is no such version of this playbook.")
        try:
            decide_playbook(
                waits.pk, approve=given["verdict"] == "approve", because=given["because"], by=person(request), at=now()
            )
        except PlaybookChanged as error:
            raise Problem(kinds.CHANGED_MEANWHILE, str(error)) from error
        return _answer(request, ref)


class CasePlaybook(ActingView):
    @endpoint(
        "try_playbook", "See what the playbook would do",
        "Each step of what holds for the exception's code, tried in its order and taken back: nothing is written.",
        tag=_TAG, answers={200: OutlookDocument}, problems=[*READING, kinds.NOT_FOUND], parameters=[REF],
    )  # fmt: skip
    def get(self, request: Request, ref: str) -> Response:
        return _outlook(request, case_for(request, ref))

    @endpoint(
        "use_playbook", "Use the playbook",
        "Do the steps at these positions in their order, all or none, each by its own action and its own rules, in the "
        "account's name. What is so already is left out.",
        tag=_TAG, request=UsePlaybook, answers={200: OutlookDocument},
        problems=(
            *WRITING, kinds.NOT_FOUND, kinds.CHANGED_MEANWHILE, kinds.PRECONDITION_FAILED, kinds.PRECONDITION_REQUIRED,
        ),
        parameters=[REF, IF_MATCH, IDEMPOTENCY_KEY],
        examples=[OpenApiExample("Request", value={"playbook": "PB-3", "steps": [2]}, request_only=True)],
    )  # fmt: skip
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, ref: str) -> Response:
        case, given = case_for(request, ref), requests.body_of(request, UsePlaybook)
        version = PlaybookVersion.objects.with_ref(given["playbook"]).first()
        try:
            with as_seen(precondition_of(request, case), case):
                use_playbook(case.pk, version.pk if version else 0, given["steps"], by=person(request), at=now())
        except Invalid as error:
            raise Invalid("steps", error.problem) from error
        except StepRefused as error:
            raise Invalid("steps", str(error)) from error
        except OtherPlaybook as error:
            raise Problem(kinds.CHANGED_MEANWHILE, str(error)) from error
        return _outlook(request, case_for(request, ref))


def _answer(request: Request, ref: str) -> Response:
    cause: Cause = line_for(request, ref).cause
    holds, newest = reads.holding(cause), reads.newest(cause)
    waits = newest is not None and newest.needs_second and not hasattr(newest, "decision")
    return Response(
        {
            "connector": cause.connector,
            "code": cause.code,
            "holds": _version(holds) if holds is not None else None,
            "waits": _version(newest) if newest is not None and waits else None,
            "newest": newest.number if newest is not None else 0,
            "uses": reads.uses_of(cause, reach_of(person(request))),
        }
    )


def _version(version: PlaybookVersion) -> dict[str, Any]:
    return {
        "ref": version.ref,
        "number": version.number,
        "steps": [asdict(step.masked) for step in steps_of(version.steps)],
        "needs_second": version.needs_second,
        "because": version.because,
        "author": person_of(version.author),
        "written_at": version.written_at,
    }


def _outlook(request: Request, case: ExceptionCase) -> Response:
    version = reads.holding(case.cause)
    looks: list[Outlook] = outlook(case.pk, version, by=person(request), at=now()) if version is not None else []
    return Response(
        {
            "playbook": version.ref if version is not None else None,
            "steps": [
                {
                    "position": look.position,
                    "words": look.step.words,
                    "possible": look.step.does_something and not look.refusal and not look.is_done,
                    "reason": look.refusal or ("It is so already." if look.is_done else ""),
                }
                for look in looks
            ],
        }
    )
