"""The rehearsals of replay for programs: what each storm showed, the newest first."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.responses import Shape
from exceptions_app.models import Rehearsal
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Verb
from integrations.delivery.safeguards import Safeguard


class RehearsedKindShape(Shape):
    """What became of the replays on one kind of target."""

    kind = serializers.CharField()
    words = serializers.CharField(help_text="What the target does.")
    replays = serializers.IntegerField()
    effects = serializers.IntegerField(help_text="What the target booked.")
    lost = serializers.IntegerField()
    doubled = serializers.IntegerField()
    false_resolved = serializers.IntegerField()
    waiting_for_person = serializers.IntegerField()
    failed_checks = serializers.ListField(child=serializers.CharField())


class RehearsalShape(Shape):
    """One storm over a private installation, judged by what the targets booked."""

    began_at = serializers.DateTimeField()
    engine = serializers.ChoiceField(choices=Rehearsal.Engine.values)
    seed = serializers.IntegerField()
    without = serializers.ChoiceField(
        choices=["", *Safeguard], help_text="The safeguard that was left out, whose check must fail; mostly empty."
    )
    passed = serializers.BooleanField(help_text="Whether every check held for every kind of target.")
    replays = serializers.IntegerField()
    lost = serializers.IntegerField(help_text="Approved, and neither at the target nor before a person.")
    doubled = serializers.IntegerField(help_text="Effects beyond the first of a document.")
    false_resolved = serializers.IntegerField(help_text="Closed as booked, and not booked.")
    waiting_for_person = serializers.IntegerField(help_text="What the workbench did not guess. No fault.")
    calm_after_seconds = serializers.FloatField(help_text="From the last blow until nothing was under way.")
    blows = serializers.DictField(child=serializers.IntegerField(), help_text="What was done, and how often.")
    kinds = RehearsedKindShape(many=True)


class Rehearsals(ApiView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_rehearsals",
        "List rehearsals",
        "What rehearsals of replay showed, the newest first. Empty for an account that may neither approve nor export.",
        tag="Rehearsals",
        answers={200: documented_page(RehearsalShape, name="RehearsalPage")},
        problems=READING,
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        reach = reach_of(person(request))
        found = Rehearsal.objects.all()
        if not (reach.has(Verb.APPROVE) or reach.has(Verb.EXPORT)):
            found = found.none()
        return answer_page(page_of(request, found), lambda rows: [_document_of(row) for row in rows])


def _document_of(rehearsal: Rehearsal) -> dict[str, Any]:
    names = ("replays", "effects", "lost", "doubled", "false_resolved", "waiting_for_person")
    return {
        "began_at": rehearsal.began_at,
        "engine": rehearsal.engine,
        "seed": rehearsal.seed,
        "without": rehearsal.without,
        "passed": rehearsal.passed,
        **{name: getattr(rehearsal, name) for name in names if name != "effects"},
        "calm_after_seconds": rehearsal.figures["calm_after_seconds"],
        "blows": rehearsal.figures["blows"],
        "kinds": [
            {"kind": lane["kind"], "words": lane["words"], "failed_checks": list(lane["failed"])}
            | {name: lane[name] for name in names}
            for lane in rehearsal.figures["lanes"]
        ],
    }
