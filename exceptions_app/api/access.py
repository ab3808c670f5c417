"""Who has which verb where, for programs: the list of the page Access."""

from typing import Any

from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.pagination import PARAMETERS, address, answer, documented_page, no_cursor, size_of
from exceptions_app.api.responses import Shape
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access import KINDS, AccessFilter, AccessRow, access_page, readable_access
from exceptions_app.queries.keyset import Direction, InvalidCursor

_TAG = "Access"
_FILTER = ("person", "role", "place")
_PERSON = OpenApiParameter("person", OpenApiTypes.STR, description="A part of the user name or the name.")
_ROLE = OpenApiParameter(
    "role", OpenApiTypes.STR, description="A role, or directly: what is granted to people themselves."
)
_PLACE = OpenApiParameter(
    "place", OpenApiTypes.STR, description="Such as queue:holds, entity:NL01, connection:crm or workbench:workbench."
)  # fmt: skip
MISSING = "Who has which access is shown to administrators and to whoever reads the audit trail."


class AccessShape(Shape):
    """One verb of one person in one place, by one way."""

    username = serializers.CharField()
    name = serializers.CharField()
    is_active = serializers.BooleanField(help_text="Of an account that is not active nothing counts.")
    role = serializers.CharField(help_text="By which role; empty when it is granted to the person themselves.")
    kind = serializers.ChoiceField(choices=sorted(KINDS))
    place = serializers.CharField(help_text="Its name in addresses, such as NL01.")
    place_name = serializers.CharField()
    verb = serializers.CharField()
    since = serializers.DateTimeField(allow_null=True, help_text="Null where the audit trail does not say.")
    given_by = serializers.CharField(help_text="The account; empty where the audit trail does not say.")
    last_used = serializers.DateTimeField(
        allow_null=True, help_text="Null where the audit trail of 400 days has no use of it."
    )
    last_use_tells_place = serializers.BooleanField(
        allow_null=True, help_text="False when the trail has it in no particular place, as of a list."
    )


class Access(ApiView):
    query_parameters = PARAMETERS | frozenset(_FILTER)

    @endpoint(
        "list_access",
        "List who has which access",
        "Each verb in force by person, place and way, with since when and by whom it was given and when it was last "
        "used, as the audit trail tells it. For administrators and for whoever reads the audit trail.",
        tag=_TAG,
        answers={200: documented_page(AccessShape, name="AccessPage")},
        problems=[*READING, kinds.NOT_PERMITTED],
        parameters=[_PERSON, _ROLE, _PLACE, CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        within = readable_access(person(request))
        if within is not None and not within:
            raise NotPermitted(MISSING)
        asked = {name: request.query_params.get(name, "").replace("\x00", "�") for name in _FILTER}
        text = request.query_params.get("cursor", "")
        beside, _, place = text.partition(".")
        direction: Direction = "before" if beside == "before" else "after"
        if text and (beside not in ("after", "before") or not place):
            raise no_cursor()
        try:
            page = access_page(
                AccessFilter(**asked, within=within), at=now(), cursor=place, direction=direction, size=size_of(request)
            )
        except InvalidCursor:
            raise no_cursor() from None
        return answer(
            [_document(row) for row in page.rows],
            next_page=address(request, cursor=f"after.{page.next_cursor}") if page.next_cursor else None,
            previous_page=address(request, cursor=f"before.{page.previous_cursor}") if page.previous_cursor else None,
        )


def _document(row: AccessRow) -> dict[str, Any]:
    return {
        "username": row.username,
        "name": row.name,
        "is_active": row.is_active,
        "role": row.role,
        "kind": row.kind,
        "place": row.place,
        "place_name": row.place_name,
        "verb": row.verb,
        "since": row.since,
        "given_by": row.given_by,
        "last_used": row.used.at if row.used else None,
        "last_use_tells_place": row.used.tells_place if row.used else None,
    }
