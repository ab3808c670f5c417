"""The cast's rows, made once by the actions and set again for every other test, at a small part of the cost.

Each copy has ids, event ids, passwords and times of its own, as if the actions had been called. That nothing else
differs, in any table, is proven in `tests/exceptions_app/test_cast_template.py`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, fields
from typing import Any
from uuid import uuid4

from django.apps import apps
from django.contrib.auth.hashers import is_password_usable, make_password
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import DJANGO_VERSION_PICKLE_KEY, connection, models, transaction
from django.utils.timezone import now

from audit.fields import TransactionIdField
from audit.merkle import leaf_hash
from audit.models import AuditEvent
from tests import guards
from tests.cast import PASSWORD, Cast, make_cast
from workbench.models import User

Model = type[models.Model]
_SET_WHEN_SAVED = frozenset({"date_joined", "history_date"})
_PERMISSIONS = "(SELECT md5(string_agg(auth_permission::text, ',' ORDER BY id)) FROM auth_permission)"
_EVENT_ID = re.compile(rb'(?<="event_id":")[0-9a-f-]{36}')


class Copy:
    """What one copy has for itself."""

    def __init__(self, ids: Mapping[Model, Mapping[int, int]]) -> None:
        self.ids = ids  # of each table: the id here for the id in the template
        self.values: dict[tuple[Model, int, str], Any] = {}

    def value(self, of: Model, pk: int, name: str, make: Callable[[], Any]) -> Any:
        """Made when it is first asked for, and the same afterwards: in the row and in the object."""
        key = (of, pk, name)
        if key not in self.values:
            self.values[key] = make()
        return self.values[key]


Renewal = Callable[[Copy], Any]
Piece = str | Renewal
"""A part of a statement, or what a copy puts there."""


@dataclass(frozen=True)
class CastTemplate:
    """A cast that is in no database any more, and the statements that put another one there."""

    cast: Cast
    ids: Mapping[Model, list[int]]  # of each table's rows, oldest first
    permissions: str  # a digest of the rows that the grants point to
    reservation: str
    pieces: list[Piece]

    def copy(self) -> Cast:
        """Its rows in the database as the actions make them; by the actions where something is there already."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(self.reservation)
            occupied, permissions, *reserved = cursor.fetchone()
            if occupied or permissions != self.permissions:
                return make_cast()
            pairs = zip(filter(_is_numbered, self.ids), reserved, strict=True)
            copy = Copy({model: dict(zip(self.ids[model], new, strict=True)) for model, new in pairs})
            texts = [piece if isinstance(piece, str) else _literal(piece(copy)) for piece in self.pieces]
            cursor.execute("".join(texts))
        return self._objects(copy)

    def _objects(self, copy: Copy) -> Cast:
        """Objects of this cast alone, which point to each other as those of the template do."""
        cast = deepcopy(self.cast)
        for item in _members(cast):
            del vars(item)[DJANGO_VERSION_PICKLE_KEY]  # which copying leaves
            old = item.pk
            for field in item._meta.concrete_fields:
                renewal = _renewal(self.ids, field, old, getattr(item, field.attname))
                if renewal is not None:
                    vars(item)[field.attname] = renewal(copy)  # setattr would forget the object behind a foreign key
        return cast


def take_template() -> CastTemplate:
    """Make a cast by the actions, keep what they wrote in an empty database, and take it back."""
    with transaction.atomic():
        before = _filled()
        if not set(before) <= {ContentType, Permission}:
            raise RuntimeError(f"The template of the cast is taken in an empty database, and here are {before}.")
        cast = make_cast()
        ids = {model: _ids(model) for model in _filled() if model not in before}
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {_PERMISSIONS}")
            permissions = cursor.fetchone()[0]
        statements = [piece for model in ids for piece in _insert(ids, model)]
        transaction.set_rollback(True)
    return CastTemplate(
        cast, ids, permissions, _reservation(ids), _joined([f"{guards.PASS}; ", *statements, guards.GUARD])
    )


def _filled() -> list[Model]:
    tables = [model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy]
    return [model for model in tables if model._meta.managed and model._base_manager.exists()]


def _ids(model: Model) -> list[int]:
    return list(model._base_manager.order_by("pk").values_list("pk", flat=True))


def _members(cast: Cast) -> Iterator[models.Model]:
    """Everybody and everything in it, and who set it up."""
    found = {id(item): item for item in (getattr(cast, field.name) for field in fields(cast))}
    for item in list(found.values()):
        if hasattr(item, "_history_user"):
            found[id(item._history_user)] = item._history_user
    return iter(found.values())


def _is_numbered(model: Model) -> bool:
    return isinstance(model._meta.pk, models.AutoField)


def _reservation(ids: Mapping[Model, list[int]]) -> str:
    """One query for whether the tables are free, whether the permissions are the same, and the ids to come."""
    occupied = " OR ".join(f"EXISTS (SELECT FROM {model._meta.db_table})" for model in ids)
    new = [
        f"ARRAY(SELECT nextval('{_sequence(model)}') FROM generate_series(1, {len(ids[model])}))"  # noqa: S608
        for model in filter(_is_numbered, ids)
    ]
    return f"SELECT {', '.join([occupied, _PERMISSIONS, *new])}"


def _sequence(model: Model) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [model._meta.db_table, model._meta.pk.column])
        return str(cursor.fetchone()[0])


def _insert(ids: Mapping[Model, list[int]], model: Model) -> Iterator[Piece]:
    """The statement that writes all rows of one table; what is the same each time, as the database quotes it."""
    table, columns = model._meta.db_table, model._meta.concrete_fields
    names = ", ".join(f'"{field.column}"' for field in columns)
    quoted = ", ".join(f'quote_nullable("{field.column}"::text)' for field in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {quoted} FROM {table} ORDER BY {model._meta.pk.column}")  # noqa: S608 - names of ours
        literals = cursor.fetchall()
    rows = model._base_manager.order_by("pk").values_list(*(field.attname for field in columns))
    yield f"INSERT INTO {table} ({names}) VALUES "  # noqa: S608
    for number, (row, literal) in enumerate(zip(rows, literals, strict=True)):
        yield ", (" if number else "("
        for place, field in enumerate(columns):
            renewal = _renewal(ids, field, ids[model][number], row[place])
            same = "pg_current_xact_id()" if isinstance(field, TransactionIdField) else literal[place]
            yield ", " if place else ""
            yield renewal or same
        yield ")"
    yield "; "


def _renewal(ids: Mapping[Model, list[int]], field: Any, pk: int, value: Any) -> Renewal | None:
    """How a copy comes to its own value of a row's field; None where all have the same."""
    model, name = field.model, field.name
    target = _points_to(field)
    if target is not None and value in ids.get(target, ()):
        return _new_id(target, value)
    if name in _SET_WHEN_SAVED:
        return lambda copy: copy.value(model, pk, name, now)
    if model is User and name == "password" and is_password_usable(value):
        return lambda copy: copy.value(model, pk, name, lambda: make_password(PASSWORD))
    return _event_renewal(name, pk, value) if model is AuditEvent else None


def _new_id(of: Model, old: int) -> Renewal:
    return lambda copy: copy.ids[of][old]


def _event_renewal(name: str, pk: int, value: Any) -> Renewal | None:
    """An event has an id of its own, which its body repeats; the leaf is the hash of the body before it."""

    def event_id(copy: Copy) -> Any:
        return copy.value(AuditEvent, pk, "event_id", uuid4)

    def body(copy: Copy) -> Any:
        return copy.value(AuditEvent, pk, "body", lambda: _EVENT_ID.sub(str(event_id(copy)).encode(), bytes(value)))

    def leaf(copy: Copy) -> bytes:
        return leaf_hash(copy.values[AuditEvent, pk, "body"])

    return {"event_id": event_id, "body": body, "leaf": leaf}.get(name)


def _points_to(field: Any) -> Model | None:
    """The table whose id the field holds; in a history also where no foreign key says so."""
    model = field.model
    if field.is_relation:
        return field.related_model
    if field.primary_key:
        return model
    original = getattr(model, "instance_type", None)
    return original if original is not None and field.name == original._meta.pk.name else None


def _literal(value: Any) -> str:
    match value:
        case int():
            return str(value)
        case bytes():
            return f"'\\x{value.hex()}'"
    return f"'{value}'"  # a UUID, a time or the hash of a password: none has a quotation mark


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Neighbouring texts as one."""
    joined: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined
