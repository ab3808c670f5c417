"""Reviews of access, for programs: opening one, deciding line by line, closing it or cancelling it."""

from typing import Any, cast

from django.contrib.auth.models import AbstractUser
from django.db.models import Count, Q, QuerySet
from django.http import Http404
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions import access_review as actions
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import ActingView, ApiView, person
from exceptions_app.api.documented import CURSOR, IDEMPOTENCY_KEY, PAGE_SIZE, READING, WRITING, endpoint
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.problems import parameter
from exceptions_app.api.responses import Person, Shape, person_of
from exceptions_app.api.strict import Moment, StrictSerializer, Text, WholeNumber
from exceptions_app.models import AccessReview, AccessReviewItem
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.keyset import Key, Sort

_TAG = "Access"
_NUMBER = OpenApiParameter("number", OpenApiTypes.INT, OpenApiParameter.PATH, description="Number of the review.")
_LINE = OpenApiParameter("position", OpenApiTypes.INT, OpenApiParameter.PATH, description="Number of the line.")
_OUTCOMES = ["open", *AccessReview.Kept.values]
_OUTCOME = OpenApiParameter("outcome", OpenApiTypes.STR, enum=_OUTCOMES, description="Lines with it; open is none yet.")
IN_ORDER = Sort("position", (Key("position", "integer"),))
MOST_AT_ONCE = 1000
MISSING = "Access is reviewed by administrators, each that of others."


class AccessReviewShape(Shape):
    """One round. The totals are null until it is closed or cancelled."""

    number = serializers.IntegerField()
    name = serializers.CharField()
    scope = serializers.CharField(help_text="all, or a place or role such as queue:holds or role:clerk.")
    due_at = serializers.DateTimeField(help_text="What nobody confirmed by then ends.")
    opened_at = serializers.DateTimeField()
    opened_by = Person()
    closed_at = serializers.DateTimeField(allow_null=True, help_text="When it was closed or cancelled.")
    cancelled_because = serializers.CharField(help_text="Why it was cancelled; empty when it was not.")
    count = serializers.IntegerField(help_text="Lines in all.")
    open = serializers.IntegerField(help_text="Lines that nobody decided yet.")
    kept = serializers.IntegerField(allow_null=True)
    ended = serializers.IntegerField(allow_null=True)
    gone = serializers.IntegerField(allow_null=True)
    left = serializers.IntegerField(allow_null=True)


class AccessReviewItemShape(Shape):
    """One line: what is kept or ended as a whole, as it stood when the review was opened."""

    position = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=AccessReviewItem.Kind.choices)
    person = Person(allow_null=True, help_text="Null for what a role holds.")
    role = serializers.CharField(help_text="That the person has, or that holds it; empty for what is given directly.")
    place = serializers.CharField()
    verbs = serializers.ListField(child=serializers.CharField())
    since = serializers.DateTimeField(allow_null=True, help_text="Null where the audit trail does not say.")
    given_by = serializers.CharField()
    last_used = serializers.DateTimeField(allow_null=True)
    outcome = serializers.ChoiceField(choices=_OUTCOMES)
    decided_at = serializers.DateTimeField(allow_null=True)
    decided_by = Person(allow_null=True)
    because = serializers.CharField()


class ConfirmedShape(Shape):
    """What came of the lines."""

    kept = serializers.IntegerField(help_text="Confirmed.")
    gone = serializers.IntegerField(help_text="Not granted any more by then.")


class NewAccessReview(StrictSerializer):
    """What is reviewed, and until when."""

    name = Text(max_length=100)
    scope = Text(max_length=170, help_text="all, or a place or role such as queue:holds or role:clerk.")
    due_at = Moment(help_text="What nobody confirmed by then ends.")


class Confirmed(StrictSerializer):
    """The lines to keep: all of them or none."""

    items = serializers.ListField(child=WholeNumber(min_value=1), min_length=1, max_length=MOST_AT_ONCE)


class AccessReviews(ActingView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_access_reviews",
        "List reviews of access",
        "All rounds, the newest first, each with how many of its lines are open. For administrators.",
        tag=_TAG,
        answers={200: documented_page(AccessReviewShape, name="AccessReviewPage")},
        problems=[*READING, kinds.NOT_PERMITTED],
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        _reviewer(request)
        return answer_page(page_of(request, _reviews()), lambda rows: [_document(one) for one in rows])

    @endpoint(
        "open_access_review",
        "Open a review of access",
        "What is granted at this moment is frozen as a list, to be confirmed or ended line by line. What nobody "
        "confirmed when it is due ends by itself.",
        tag=_TAG,
        request=NewAccessReview,
        answers={200: AccessReviewShape},
        problems=WRITING,
        parameters=[IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "Request",
                value={"name": "Autumn", "scope": "role:clerk", "due_at": "2099-08-14T22:00:00Z"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request) -> Response:
        by = _reviewer(request)
        review = actions.open_review(**requests.body_of(request, NewAccessReview), by=by, at=now())
        return Response(_document(_review(request, review.pk)))


class AccessReviewPage(ApiView):
    @endpoint(
        "read_access_review",
        "Read a review of access",
        "With how many of its lines are open and, once it is closed, its totals.",
        tag=_TAG,
        answers={200: AccessReviewShape},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[_NUMBER],
    )
    def get(self, request: Request, number: int) -> Response:
        return Response(_document(_review(request, number)))


class AccessReviewItems(ApiView):
    query_parameters = PARAMETERS | {"outcome"}

    @endpoint(
        "list_access_review_items",
        "List the lines of a review of access",
        "What is kept or ended as a whole, in the order of people, roles and places.",
        tag=_TAG,
        answers={200: documented_page(AccessReviewItemShape, name="AccessReviewItemPage")},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[_NUMBER, _OUTCOME, CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request, number: int) -> Response:
        rows = _review(request, number).items.select_related("person", "decided_by")
        outcome = request.query_params.get("outcome")
        if outcome is not None and outcome not in _OUTCOMES:
            raise parameter("outcome", f"There is no outcome “{outcome[:40]}”.", f"Send one of {', '.join(_OUTCOMES)}.")
        if outcome is not None:
            rows = rows.filter(outcome="" if outcome == "open" else outcome)
        return answer_page(page_of(request, rows, IN_ORDER), lambda found: [_item(one) for one in found])


class ConfirmAccess(ActingView):
    @endpoint(
        "confirm_access",
        "Confirm lines of a review of access",
        "Each line is decided once and never by whom it is about. All of these are confirmed or none. Lines of several "
        "people, of a role or of an administrator take a person whose session has a fresh proof.",
        tag=_TAG,
        request=Confirmed,
        answers={200: ConfirmedShape},
        problems=[*WRITING, kinds.NOT_FOUND, kinds.FRESH_PROOF_NEEDED],
        parameters=[_NUMBER, IDEMPOTENCY_KEY],
        examples=[OpenApiExample("Request", value={"items": [1, 2]}, request_only=True)],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, number: int) -> Response:
        review = _review(request, number)
        items = requests.body_of(request, Confirmed)["items"]
        done = actions.confirm(review.pk, items, by=person(request), at=now())
        return Response({"kept": done["kept"], "gone": done["gone"]})


class EndAccess(ActingView):
    @endpoint(
        "end_access",
        "End a line of a review of access",
        "What of it is granted still is taken away at once. The outcome is gone when nothing was by then. A line of a "
        "role or of an administrator takes a person whose session has a fresh proof.",
        tag=_TAG,
        request=requests.Because,
        answers={200: AccessReviewItemShape},
        problems=[*WRITING, kinds.NOT_FOUND, kinds.FRESH_PROOF_NEEDED],
        parameters=[_NUMBER, _LINE, IDEMPOTENCY_KEY],
        examples=[OpenApiExample("Request", value={"because": "Works in another team now."}, request_only=True)],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, number: int, position: int) -> Response:
        review = _review(request, number)
        if not review.items.filter(position=position).exists():
            raise Http404
        because = requests.body_of(request, requests.Because)["because"]
        actions.end_item(review.pk, position, by=person(request), at=now(), because=because)
        return Response(_item(review.items.select_related("person", "decided_by").get(position=position)))


class CloseAccessReview(ActingView):
    @endpoint(
        "close_access_review",
        "Close a review of access",
        "When every line is decided. Closed twice is closed once.",
        tag=_TAG,
        request=None,
        answers={200: AccessReviewShape},
        problems=[*WRITING, kinds.NOT_FOUND],
        parameters=[_NUMBER, IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, number: int) -> Response:
        review = _review(request, number)
        actions.close_review(review.pk, by=person(request), at=now())
        return Response(_document(_review(request, number)))


class CancelAccessReview(ActingView):
    @endpoint(
        "cancel_access_review",
        "Cancel a review of access",
        "Before its time is over and while not every line is decided. What was decided stays so; what was not is "
        "neither confirmed nor ended. It takes a person whose session has a fresh proof.",
        tag=_TAG,
        request=requests.Because,
        answers={200: AccessReviewShape},
        problems=[*WRITING, kinds.NOT_FOUND, kinds.FRESH_PROOF_NEEDED],
        parameters=[_NUMBER, IDEMPOTENCY_KEY],
        examples=[OpenApiExample("Request", value={"because": "Opened for the wrong role."}, request_only=True)],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, number: int) -> Response:
        review = _review(request, number)
        because = requests.body_of(request, requests.Because)["because"]
        actions.cancel_review(review.pk, by=person(request), at=now(), because=because)
        return Response(_document(_review(request, number)))


def _reviewer(request: Request) -> AbstractUser:
    user = person(request)
    if not (user.is_active and user.is_staff):
        raise NotPermitted(MISSING)
    return user


def _reviews() -> QuerySet[AccessReview]:
    open_lines = Count("items", filter=Q(items__outcome=""))
    return AccessReview.objects.select_related("opened_by").annotate(waiting=open_lines)


def _review(request: Request, number: int) -> AccessReview:
    """For an administrator; else the same answer as for one that is not there."""
    found = _reviews().filter(pk=number).first() if person(request).is_staff else None
    if found is None:
        raise Http404
    return found


def _document(review: AccessReview) -> dict[str, Any]:
    return {
        "number": review.pk,
        "name": review.name,
        "scope": review.scope,
        "due_at": review.due_at,
        "opened_at": review.opened_at,
        "opened_by": person_of(review.opened_by),
        "closed_at": review.closed_at,
        "cancelled_because": review.cancelled_because,
        "count": review.count,
        "open": cast(int, vars(review)["waiting"]),
        "kept": review.kept,
        "ended": review.ended,
        "gone": review.gone,
        "left": review.left_there,
    }


def _item(item: AccessReviewItem) -> dict[str, Any]:
    return {
        "position": item.position,
        "kind": item.kind,
        "person": person_of(item.person) if item.person else None,
        "role": item.role,
        "place": item.place,
        "verbs": item.verbs,
        "since": item.since,
        "given_by": item.given_by,
        "last_used": item.last_used,
        "outcome": item.outcome or "open",
        "decided_at": item.decided_at,
        "decided_by": person_of(item.decided_by) if item.decided_by else None,
        "because": item.because,
    }
