"""What the comparisons with the targets' own lists came to, for programs: each run, and what it found."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.problems import parameter
from exceptions_app.api.responses import Shape
from exceptions_app.queries import comparisons as reads
from exceptions_app.queries.comparisons import Alarm
from exceptions_app.queries.connection_reach import connection_reach_of
from exceptions_app.queries.reach import reach_of
from integrations.models import Comparison, ComparisonFinding

_TAG = "Effects"
_CONNECTION = OpenApiParameter("connection", OpenApiTypes.STR, description="Name of a connection.")
_OPEN = OpenApiParameter(
    "open", OpenApiTypes.STR, enum=["true", "false"], description="Whether its exception is still open."
)
_MEANING = (
    "twice_there: stands there more than once. missing_there: proven here, and not there. other_content: stands there "
    "with other content. not_confirmed_here: stands there, and not booked as far as we know."
)


class ComparisonShape(Shape):
    """One comparison of what is proven here with a target's own list, in both directions."""

    number = serializers.IntegerField()
    connection = serializers.CharField()
    complete = serializers.BooleanField(help_text="False: the list could not be read to its end.")
    since = serializers.DateTimeField(help_text="Booked there at or after it.")
    until = serializers.DateTimeField(help_text="Booked there before it.")
    listed = serializers.IntegerField(help_text="Entries of the target's list.")
    matched = serializers.IntegerField(help_text="Documents of ours that stand there once, as they were sent.")
    not_ours = serializers.IntegerField(help_text="Entries under names for which nothing was sent.")
    left_out = serializers.IntegerField(help_text="Documents still under way; the next run has them.")
    new_findings = serializers.IntegerField(help_text="Disagreements that no run before it had found.")
    detail = serializers.CharField(help_text="Why it failed, or empty.")
    began_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField()


class FindingShape(Shape):
    """One thing on which we and a target's list do not agree. It is found once, however often it is seen."""

    number = serializers.IntegerField()
    comparison = serializers.IntegerField(help_text="The number of the run that found it.")
    kind = serializers.ChoiceField(choices=ComparisonFinding.Kind.values, help_text=_MEANING)
    found_at = serializers.DateTimeField()
    connection = serializers.CharField()
    object_type = serializers.CharField()
    business_key = serializers.CharField(help_text="What the target calls the document.")
    document_number = serializers.CharField()
    references = serializers.ListField(child=serializers.CharField(), help_text="The target's documents.")
    reference = serializers.CharField(help_text="The target's document as it was learned when it was sent, or empty.")
    problem = serializers.CharField(help_text="What is wrong with the exception now, in a sentence.")
    is_open = serializers.BooleanField(help_text="Whether its exception is still open.")
    ref = serializers.CharField(help_text="The exception about it.")
    url = serializers.URLField()


class Comparisons(ApiView):
    query_parameters = PARAMETERS | {"connection"}

    @endpoint(
        "list_comparisons",
        "List comparisons",
        "The comparisons with the targets' own lists, the newest first. Only of connections that the account may see.",
        tag=_TAG,
        answers={200: documented_page(ComparisonShape, name="ComparisonPage")},
        problems=READING,
        parameters=[_CONNECTION, CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        found = reads.comparisons_of(connection_reach_of(person(request)).seen, slug=_slug_of(request))
        return answer_page(page_of(request, found), lambda rows: [_run_of(row) for row in rows])


class Findings(ApiView):
    query_parameters = PARAMETERS | {"connection", "open"}

    @endpoint(
        "list_findings",
        "List findings of comparisons",
        "Where a target's own list does not agree with what is known here, the newest first. Only what belongs to "
        "exceptions that the account may see.",
        tag=_TAG,
        answers={200: documented_page(FindingShape, name="FindingPage")},
        problems=READING,
        parameters=[_CONNECTION, _OPEN, CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        found = reads.findings_within(reach_of(person(request)), slug=_slug_of(request), is_open=_is_open(request))
        page = page_of(request, found)
        return answer_page(page, lambda rows: [_finding_of(alarm, request) for alarm in reads.with_cases(rows)])


def _slug_of(request: Request) -> str:
    return request.query_params.get("connection", "").replace("\x00", "�")


def _is_open(request: Request) -> bool | None:
    text = request.query_params.get("open")
    if text not in (None, "true", "false"):
        raise parameter("open", f"“{text[:20]}” is neither true nor false.", "Send true, false, or leave it out.")
    return None if text is None else text == "true"


def _run_of(run: Comparison) -> dict[str, Any]:
    names = (
        "since", "until", "listed", "matched", "not_ours", "left_out", "new_findings", "detail", "began_at",
        "finished_at",
    )  # fmt: skip
    complete = run.state == Comparison.State.COMPLETE
    told = {"number": run.pk, "connection": run.connection.slug, "complete": complete}
    return told | {name: getattr(run, name) for name in names}


def _finding_of(alarm: Alarm, request: Request) -> dict[str, Any]:
    finding, case = alarm.finding, alarm.case
    delivery = finding.delivery
    return {
        "number": finding.pk,
        "comparison": finding.comparison_id,
        "kind": finding.kind,
        "found_at": finding.comparison.finished_at,
        "connection": delivery.connection.slug,
        "object_type": delivery.object_type,
        "business_key": delivery.business_key,
        "document_number": case.document_number,
        "references": finding.references,
        "reference": delivery.reference,
        "problem": case.problem,
        "is_open": case.is_open,
        "ref": case.ref,
        "url": reverse("api:exception", args=[case.ref], request=request),
    }
