"""The box at the top of every page, for programs."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import READING, endpoint
from exceptions_app.api.problems import parameter
from exceptions_app.api.responses import ExceptionSummary, Shape
from exceptions_app.models import ExceptionCase
from exceptions_app.queries import search as queries
from exceptions_app.queries.reach import reach_of
from exceptions_app.search_box import MOST_CHARACTERS, look_up
from exceptions_app.search_text import TOKENS

_TOKENS = ", ".join(token.example for token in TOKENS.values())


class FoundBy(Shape):
    label_ = serializers.CharField(
        help_text="What was found, such as Invoice number; empty where only tokens were asked."
    )
    value = serializers.CharField()


class SearchMatch(Shape):
    found_by = FoundBy()
    exception = ExceptionSummary()


class SearchResult(Shape):
    """What a text names, whole numbers first."""

    only = serializers.CharField(allow_null=True, help_text="The exception, when the text is its whole number alone.")
    filters = serializers.DictField(
        child=serializers.CharField(), help_text="What the tokens came to, as parameters of the list of exceptions."
    )
    notices = serializers.ListField(child=serializers.CharField(), help_text="What of the text was left out, and why.")
    is_capped = serializers.BooleanField(help_text=f"Whether there are more than the {queries.MOST_MATCHES} shown.")
    results = SearchMatch(many=True)


class Search(ApiView):
    query_parameters = frozenset({"q"})

    @endpoint(
        "search_exceptions",
        "Search",
        "Exceptions by what a person has at hand: our reference, a document number in any spelling, a name, the "
        "target's reference, or an amount with or without its currency; narrowed by tokens. The same as the search of "
        "the pages.",
        tag="Exceptions",
        answers={200: SearchResult},
        problems=READING,
        parameters=[
            OpenApiParameter(
                "q", OpenApiTypes.STR, required=True,
                description=f"At most {MOST_CHARACTERS} characters; parts from {queries.SHORTEST_PART} on. "
                f"Tokens narrow it: {_TOKENS}. A token that is not understood is left out and named in `notices`.",
            )
        ],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        text = request.query_params.get("q", "").strip().replace("\x00", "�")
        if not text or len(text) > MOST_CHARACTERS:
            raise parameter(
                "q", "There is nothing to search for, or too much.", f"Send 1 to {MOST_CHARACTERS} characters."
            )
        answer = look_up(person(request), reach_of(person(request)), text)
        found = answer.found
        related = ("queue", "entity", "connection", "cause", "assignee", "snoozed_by")
        cases = ExceptionCase.objects.select_related(*related).in_bulk([match.case.pk for match in found.matches])
        shape = ExceptionSummary(context={"request": request})
        return Response(
            {
                "only": found.only.ref if found.only else None,
                "filters": dict(answer.filters),
                "notices": list(answer.notices),
                "is_capped": found.is_capped,
                "results": [
                    {
                        "found_by": {"label": match.label, "value": match.value},
                        "exception": shape.to_representation(cases[match.case.pk]),
                    }
                    for match in found.matches
                ],
            }
        )
