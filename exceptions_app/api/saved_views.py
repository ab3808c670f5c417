"""Saved views for programs: the lists that people work by, with how much is in each now."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.pagination import OLDEST, PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.responses import Person, Shape, person_of
from exceptions_app.filters import OPEN
from exceptions_app.list_layout import LAYOUT_NAMES
from exceptions_app.models import SavedView
from exceptions_app.queries.counters import CAP
from exceptions_app.queries.reach import Reach, reach_of
from exceptions_app.queries.saved_views import MOST_COUNTED, counts_of, pins_of, views_for


class SavedViewShape(Shape):
    """A list under a name."""

    number = serializers.IntegerField()
    name = serializers.CharField()
    owner = Person()
    sharing = serializers.ChoiceField(choices=SavedView.Sharing.values)
    queue = serializers.CharField(allow_null=True, help_text="With which it is shared, when sharing is queue.")
    filters_ = serializers.DictField(
        child=serializers.CharField(), help_text="As the parameters of GET /exceptions take them, with the order."
    )
    pinned = serializers.BooleanField(help_text="Whether the account has it at the head of its lists.")
    count = serializers.IntegerField(
        allow_null=True,
        help_text=f"Exceptions in it now, {CAP + 1} for more than {CAP}; null after {MOST_COUNTED} of a page.",
    )


class SavedViews(ApiView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_views",
        "List saved views",
        "The account's own views, those for a queue that it sees, and those for everyone, each with the number of "
        "exceptions that the account sees in it.",
        tag="Exceptions",
        answers={200: documented_page(SavedViewShape, name="SavedViewPage")},
        problems=READING,
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        user = person(request)
        reach = reach_of(user)
        page = page_of(request, views_for(user, reach), OLDEST)
        return answer_page(page, lambda rows: _documents_of(rows, user, reach))


def _documents_of(views: Sequence[SavedView], user: AbstractUser, reach: Reach) -> list[dict[str, Any]]:
    pins, counts = pins_of(user, reach), counts_of(views[:MOST_COUNTED], user, reach)
    return [
        {
            "number": view.pk,
            "name": view.name,
            "owner": person_of(view.owner),
            "sharing": view.sharing,
            "queue": view.queue.slug if view.queue else None,
            "filters": _filters_of(view),
            "pinned": view.pk in pins,
            "count": counts[view.pk].value if view.pk in counts else None,
        }
        for view in views
    ]


def _filters_of(view: SavedView) -> dict[str, str]:
    """Without state a work list means what is open, and the API everything."""
    asked = {name: value for name, value in QueryDict(view.query).items() if name not in LAYOUT_NAMES}
    return {"state": OPEN, **{name: str(value) for name, value in asked.items()}}
