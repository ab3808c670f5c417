"""Pages by cursor: a page begins after a row, not after a number of rows, so it costs the same at any depth."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode

from django.db import models
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api.problems import Problem, parameter
from exceptions_app.queries import keyset
from exceptions_app.queries.keyset import Key, Sort

DEFAULT_SIZE: Final = 50
LARGEST_SIZE: Final = 200
PARAMETERS: Final = frozenset({"cursor", "page_size"})

NEWEST: Final = Sort("newest", (Key("id", "integer", descending=True),))
OLDEST: Final = Sort("oldest", (Key("id", "integer"),))

_SIZE = re.compile(r"[0-9]{1,6}")
Row = TypeVar("Row", bound=models.Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows, and the addresses of the pages beside them; None where there is none."""

    rows: list[Row]
    next: str | None
    previous: str | None


def size_of(request: Request) -> int:
    """How many rows a page shall have; raises Problem for what is no such number."""
    text = request.query_params.get("page_size", str(DEFAULT_SIZE))
    if not _SIZE.fullmatch(text) or not 1 <= int(text) <= LARGEST_SIZE:
        raise parameter("page_size", f"“{text[:20]}” is not a page size.", f"Send a number from 1 to {LARGEST_SIZE}.")
    return int(text)


def page_of(request: Request, rows: models.QuerySet[Row], sort: Sort = NEWEST) -> Page[Row]:
    """The page of `rows` that the request asks for. A cursor says on which side of a row it is."""
    direction, _, place = request.query_params.get("cursor", "").partition(".")
    if "cursor" in request.query_params and (direction not in ("after", "before") or not place):
        raise no_cursor()
    try:
        found = keyset.page(
            rows, sort, size=size_of(request), cursor=place, direction="before" if direction == "before" else "after"
        )
    except keyset.InvalidCursor:
        raise no_cursor() from None
    return Page(
        list(found.rows),
        next=address(request, cursor=f"after.{found.next_cursor}") if found.next_cursor else None,
        previous=address(request, cursor=f"before.{found.previous_cursor}") if found.previous_cursor else None,
    )


def sort_of(request: Request, sorts: Mapping[str, Sort], default: Sort) -> Sort:
    """The order that the request asks for by its name; raises Problem for one that there is not."""
    name = request.query_params.get("sort")
    if name is None:
        return default
    if name not in sorts:
        raise parameter("sort", f"There is no order “{name[:40]}”.", f"Send one of {', '.join(sorts)}.")
    return sorts[name]


def documented_sort(sorts: Iterable[str], default: str) -> OpenApiParameter:
    return OpenApiParameter(
        "sort", OpenApiTypes.STR, enum=list(sorts), description=f"The order; {default} when left out."
    )


def no_cursor() -> Problem:
    """For a cursor that cannot be read."""
    return parameter("cursor", "This is not a cursor.", "Follow the links next and previous, or start without one.")


def address(request: Request, **changed: str) -> str:
    """The address of the request with other parameters."""
    pairs = [(name, value) for name, values in request.query_params.lists() for value in values if name not in changed]
    return request.build_absolute_uri(f"{request.path}?{urlencode([*pairs, *changed.items()])}")


def answer(results: Sequence[Any], *, next_page: str | None, previous_page: str | None) -> Response:
    """A page as JSON, and its neighbours also in the Link header (RFC 8288)."""
    links = [f'<{url}>; rel="{rel}"' for rel, url in (("next", next_page), ("prev", previous_page)) if url]
    return Response(
        {"next": next_page, "previous": previous_page, "results": results},
        headers={"Link": ", ".join(links)} if links else None,
    )


def answer_page(page: Page[Row], represent: Callable[[list[Row]], Sequence[Any]]) -> Response:
    return answer(represent(page.rows), next_page=page.next, previous_page=page.previous)


def documented_page(item: type[serializers.Serializer[Any]], *, name: str) -> type[serializers.Serializer[Any]]:
    """The shape of a page of such items, for the description of the API."""
    return type(
        name,
        (serializers.Serializer,),
        {
            "__doc__": "One page of a list.",
            "next": serializers.URLField(allow_null=True, help_text="The address of the next page, null on the last."),
            "previous": serializers.URLField(allow_null=True, help_text="The address of the page before this one."),
            "results": item(many=True),
        },
    )
