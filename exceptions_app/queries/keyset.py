"""Paging by the last row seen: a page costs the same however deep it is, and inserts shift nothing."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, Literal, TypeVar

from django.db.models import F, Model, OrderBy, Q, QuerySet

Direction = Literal["after", "before"]
Place = int | Decimal | datetime | date | str
_MOST_CHARACTERS = 500

ModelT = TypeVar("ModelT", bound=Model)


class InvalidCursor(ValueError):
    """A place in a list that cannot be read, or that belongs to another order."""


@dataclass(frozen=True, slots=True)
class Key:
    """One column of an order. The column holds no NULL: coalesce it first, or the rows without it are lost."""

    name: str
    kind: Literal["integer", "decimal", "time", "day", "word"]
    descending: bool = False

    def write(self, row: Model) -> str | int:
        value = row
        for part in self.name.split("__"):
            value = getattr(value, part)
        return value.isoformat() if isinstance(value, datetime) else value if isinstance(value, int) else str(value)

    def read(self, value: object) -> Place:
        try:
            if self.kind == "integer" and type(value) is int and abs(value) < 2**63:
                return value
            if self.kind == "decimal" and isinstance(value, str):
                return _finite(Decimal(value))
            if self.kind == "time" and isinstance(value, str):
                return _aware(datetime.fromisoformat(value))
            if self.kind == "day" and isinstance(value, str):
                return date.fromisoformat(value)
            if self.kind == "word" and isinstance(value, str) and value.isalnum():
                return value
        except (ValueError, InvalidOperation) as error:
            raise InvalidCursor(str(error)) from error
        raise InvalidCursor(f"{value!r} is no {self.kind}.")

    def beyond(self, value: object, *, backwards: bool) -> Q:
        comparison = "lt" if self.descending is not backwards else "gt"
        return Q(**{f"{self.name}__{comparison}": value})

    def order(self, *, backwards: bool) -> OrderBy:
        return OrderBy(F(self.name), descending=self.descending is not backwards)


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite() or abs(value) > 10**30:
        raise InvalidCursor("The amount is out of range.")
    return value


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise InvalidCursor("The time has no offset.")
    return value


@dataclass(frozen=True, slots=True)
class Sort:
    """An order by name. Its last key must be unique, so that no two rows share a place."""

    name: str
    keys: tuple[Key, ...]

    def order(self, *, backwards: bool = False) -> list[OrderBy]:
        return [key.order(backwards=backwards) for key in self.keys]

    def cursor(self, row: Model) -> str:
        """The place of a row in this order, as text for a URL."""
        place = json.dumps([self.name, *(key.write(row) for key in self.keys)], separators=(",", ":"))
        return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")

    def values(self, cursor: str) -> list[Place]:
        if len(cursor) > _MOST_CHARACTERS:
            raise InvalidCursor("The place in the list is too long.")
        try:
            place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        except (ValueError, binascii.Error, RecursionError) as error:
            raise InvalidCursor("The place in the list cannot be read.") from error
        if not isinstance(place, list) or len(place) != len(self.keys) + 1 or place[0] != self.name:
            raise InvalidCursor("The place belongs to a list in another order.")
        return [key.read(value) for key, value in zip(self.keys, place[1:], strict=True)]

    def beyond(self, cursor: str, *, backwards: bool) -> Q:
        """Rows after the cursor in this order, or before it."""
        reached = Q()
        condition = Q()
        for key, value in zip(self.keys, self.values(cursor), strict=True):
            condition |= reached & key.beyond(value, backwards=backwards)
            reached &= Q(**{key.name: value})
        return condition


@dataclass(frozen=True, slots=True)
class Page(Generic[ModelT]):
    """Some rows of a list, and the cursors of its neighbours; empty where there is none."""

    rows: Sequence[ModelT]
    next_cursor: str = ""
    previous_cursor: str = ""


def page(
    rows: "QuerySet[ModelT, Any]", sort: Sort, *, size: int, cursor: str = "", direction: Direction = "after"
) -> Page[ModelT]:
    """The page of `size` rows on one side of the cursor, or the first. Raises InvalidCursor."""
    backwards = bool(cursor) and direction == "before"
    if cursor:
        rows = rows.filter(sort.beyond(cursor, backwards=backwards))
    found = list(rows.order_by(*sort.order(backwards=backwards))[: size + 1])
    more = len(found) > size
    shown = found[:size][::-1] if backwards else found[:size]
    if not shown:
        return Page([])
    has_next = bool(cursor) if backwards else more
    has_previous = more if backwards else bool(cursor)
    return Page(
        shown,
        next_cursor=sort.cursor(shown[-1]) if has_next else "",
        previous_cursor=sort.cursor(shown[0]) if has_previous else "",
    )
