"""Causes: how they stand, and saying that two are one or that one is two."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.http import Http404
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions import cause_joins
from exceptions_app.actions.cause_joins import MOST_SPLIT, CausesChanged
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, WRITING, endpoint
from exceptions_app.api.moving import Move, move
from exceptions_app.api.pagination import (
    PARAMETERS,
    address,
    answer,
    documented_page,
    documented_sort,
    no_cursor,
    size_of,
)
from exceptions_app.api.problems import Problem, chosen, parameter
from exceptions_app.api.responses import Money, Shape, money_of
from exceptions_app.api.strict import Text
from exceptions_app.cause_states import CauseState
from exceptions_app.models import Cause
from exceptions_app.models.case import number_of
from exceptions_app.queries.cause_page import find_cause
from exceptions_app.queries.causes import DEFAULT_SORT, SORTS, CauseLine, cause_page, owners_of
from exceptions_app.queries.keyset import InvalidCursor
from exceptions_app.queries.reach import reach_of

_TAG = "Causes"
_REF = OpenApiParameter("ref", OpenApiTypes.STR, OpenApiParameter.PATH, description="Reference, for instance CA-12.")
MOST_CHARACTERS = 100  # of what is searched for, as on the page
_PROBLEMS = (*WRITING, kinds.NOT_FOUND, kinds.CHANGED_MEANWHILE)


class CauseDocument(Shape):
    """What many exceptions have in common, counted as far as the account sees them."""

    ref = serializers.CharField(help_text="Of one that is joined with another, that of the other.")
    code = serializers.CharField(help_text="The other system's code, for instance BR-03.")
    field = serializers.CharField()
    title = serializers.CharField()
    connector = serializers.CharField()
    counterparty_class = serializers.CharField(help_text="The country of the counterparties, by ISO 3166-1 alpha-2.")
    state = serializers.CharField(help_text=", ".join(CauseState))
    open = serializers.IntegerField()
    sums = Money(many=True, help_text="Of the open ones, by currency.")
    arrived = serializers.IntegerField(help_text="In the last 28 days.")
    closed = serializers.IntegerField(help_text="In the last 28 days.")
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    owner = serializers.CharField(help_text="Who has to mend it; empty for nobody.")
    joined = serializers.ListField(
        child=serializers.CharField(), help_text="References of the others that are one with it."
    )
    split_from = serializers.CharField(allow_null=True, help_text="The cause out of which its exceptions were taken.")


class JoinCause(requests.Because):
    into = Text(max_length=30, help_text="Reference of the other cause, which gives the name.")


class SplitCause(requests.Because):
    exceptions = serializers.ListField(
        child=Text(max_length=30, help_text="For instance EX-1042."), min_length=1, max_length=MOST_SPLIT
    )
    title = Text(
        max_length=cause_joins.LONGEST_TITLE,
        help_text="What they have in common, without any name, amount or value of a document.",
    )


def line_for(request: Request, ref: str) -> CauseLine:
    found = find_cause(reach_of(person(request)), ref, at=now())
    if found is None:
        raise Http404
    return found


def _documents(lines: Sequence[CauseLine]) -> list[dict[str, Any]]:
    """One query, for their owners."""
    owners = owners_of([line.cause for line in lines])
    return [_document(line, str(owners.get(line.cause.pk, ""))) for line in lines]


def _document(line: CauseLine, owner: str) -> dict[str, Any]:
    cause = line.cause
    return {
        "ref": cause.ref,
        "code": cause.code,
        "field": cause.field,
        "title": cause.title,
        "connector": cause.connector,
        "counterparty_class": cause.counterparty_class,
        "state": line.state.value,
        "open": line.open,
        "sums": [money_of(amount, currency) for currency, amount in line.money.items()],
        "arrived": line.arrived,
        "closed": line.closed,
        "first_seen_at": line.first_seen_at,
        "last_seen_at": line.last_seen_at,
        "owner": owner,
        "joined": [one.ref for one in line.joined],
        "split_from": Cause(pk=cause.split_from_id).ref if cause.split_from_id else None,
    }


def _answer(line: CauseLine) -> Response:
    return Response(_documents([line])[0])


def _searched(request: Request) -> str:
    words = request.query_params.get("contains", "")
    if len(words) > MOST_CHARACTERS or "\x00" in words:
        raise parameter("contains", "This is no such text.", f"Send at most {MOST_CHARACTERS} characters.")
    return words


class Causes(ApiView):
    query_parameters = PARAMETERS | {"contains", "state", "sort"}

    @endpoint(
        "list_causes",
        "List causes",
        "Causes with an open exception, or with one that came or was closed in the last 28 days, each counted as far "
        "as the account sees its exceptions. Those that are joined are one line, under the name that holds.",
        tag=_TAG,
        answers={200: documented_page(CauseDocument, name="CausePage")},
        problems=READING,
        parameters=[
            CURSOR,
            PAGE_SIZE,
            documented_sort(SORTS, DEFAULT_SORT),
            OpenApiParameter(
                "state", OpenApiTypes.STR, enum=[state.value for state in CauseState], description="How it stands."
            ),
            OpenApiParameter(
                "contains", OpenApiTypes.STR, description="Words of the code, the field, the title or the connector."
            ),
        ],
    )
    def get(self, request: Request) -> Response:
        direction, _, place = request.query_params.get("cursor", "").partition(".")
        if "cursor" in request.query_params and (direction not in ("after", "before") or not place):
            raise no_cursor()
        try:
            page = cause_page(
                reach_of(person(request)),
                at=now(),
                search=_searched(request),
                state=chosen(request, "state", [state.value for state in CauseState]) or "",
                sort=chosen(request, "sort", SORTS) or DEFAULT_SORT,
                cursor=place,
                direction="before" if direction == "before" else "after",
                size=size_of(request),
            )
        except InvalidCursor:
            raise no_cursor() from None
        return answer(
            _documents(page.rows),
            next_page=address(request, cursor=f"after.{page.next_cursor}") if page.next_cursor else None,
            previous_page=address(request, cursor=f"before.{page.previous_cursor}") if page.previous_cursor else None,
        )


class CauseItem(ApiView):
    @endpoint(
        "read_cause",
        "Read one cause",
        "How it stands: how many exceptions are open, their money, how many came and were closed in 28 days.",
        tag=_TAG,
        answers={200: CauseDocument},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[_REF],
    )
    def get(self, request: Request, ref: str) -> Response:
        return _answer(line_for(request, ref))


class _CauseMove(Move):
    def find(self, request: Request, ref: str) -> Cause:
        line_for(request, ref)
        return Cause.objects.with_ref(ref).get()

    def about(self, request: Request, ref: str) -> None:
        line_for(request, ref)

    def act(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        try:
            return super().act(request, *args, **kwargs)
        except CausesChanged as error:
            raise Problem(kinds.CHANGED_MEANWHILE, str(error)) from error

    def tell(self, request: Request, ref: str) -> Response:
        return _answer(line_for(request, ref))


@move(
    "join_cause", "Join with another cause",
    "Say that this cause is one with another: from then on all is told of both under the other's name, and what "
    "arrives later falls under it by itself. Nothing of either is lost. Needs the verb correct on an exception of "
    "each.",
    form=JoinCause, answer=CauseDocument, tag=_TAG, ref=_REF, problems=_PROBLEMS,
    examples=[
        OpenApiExample(
            "Request", value={"into": "CA-12", "because": "The same field, in two releases."}, request_only=True
        )
    ],
)  # fmt: skip
class JoinOne(_CauseMove):
    carry_out = staticmethod(cause_joins.join_causes)


@move(
    "take_back_cause", "Take back from another cause",
    "Let a cause that was joined with another stand by itself again, with what was joined with it. Needs the verb "
    "correct on an exception of them.",
    form=requests.Because, answer=CauseDocument, tag=_TAG, ref=_REF, problems=_PROBLEMS,
    examples=[OpenApiExample("Request", value={"because": "They differ after all."}, request_only=True)],
)  # fmt: skip
class TakeBack(_CauseMove):
    carry_out = staticmethod(cause_joins.take_back)


@move(
    "split_cause", "Take exceptions out of a cause",
    f"Put up to {MOST_SPLIT} of its exceptions under a cause of their own, all or none. What arrives later with the "
    "code stays with the old one. Answers the new cause. Needs the verb correct on each.",
    form=SplitCause, answer=CauseDocument, tag=_TAG, ref=_REF, problems=_PROBLEMS,
    examples=[
        OpenApiExample(
            "Request",
            value={"exceptions": ["EX-1042"], "title": "Dates of the old cash desk", "because": "Another team's."},
            request_only=True,
        )
    ],
)  # fmt: skip
class Split(_CauseMove):
    def carry_out(
        self, pk: int, *, exceptions: Sequence[str], title: str, because: str, by: AbstractUser, at: datetime
    ) -> None:
        numbers = [number_of(ref) or 0 for ref in exceptions]  # no exception has the number 0
        self.own = cause_joins.split_cause(pk, numbers, title=title, because=because, by=by, at=at)

    def tell(self, request: Request, ref: str) -> Response:
        return _answer(line_for(request, self.own.ref))
