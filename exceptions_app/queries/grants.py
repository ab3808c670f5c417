"""What is granted to whom: the six tables of grants, read as one."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractUser, Group
from django.db import models

from exceptions_app.models import (
    LegalEntity,
    LegalEntityGroupGrant,
    LegalEntityUserGrant,
    Queue,
    QueueGroupGrant,
    QueueUserGrant,
)
from integrations.models import Connection, ConnectionGroupGrant, ConnectionUserGrant

Place = Queue | LegalEntity | Connection
Holder = AbstractUser | Group

# By kind of place: the attribute that names it, the table of grants to people, and that of grants to roles.
TABLES: Mapping[type[Place], tuple[str, type[models.Model], type[models.Model]]] = {
    Queue: ("slug", QueueUserGrant, QueueGroupGrant),
    LegalEntity: ("code", LegalEntityUserGrant, LegalEntityGroupGrant),
    Connection: ("slug", ConnectionUserGrant, ConnectionGroupGrant),
}


@dataclass(frozen=True, slots=True, order=True)
class Granted:
    """What one holder may do in one place. `kind` is "queue", "legal entity" or "connection"."""

    kind: str
    place: str
    permissions: tuple[str, ...]


def grants_for(holder: Holder, kind: type[Place]) -> tuple[Any, dict[str, Any]]:
    """The manager of the table where the holder's grants on that kind of place are, and what selects them there."""
    _, to_people, to_roles = TABLES[kind]
    if isinstance(holder, Group):
        return to_roles._default_manager, {"group": holder}
    return to_people._default_manager, {"user": holder}


def grants_of(holder: Holder) -> list[Granted]:
    """What is granted to the person or the role itself, by kind and name of the place. Three queries."""
    found = []
    for kind, (attribute, _, _) in TABLES.items():
        table, of_holder = grants_for(holder, kind)
        by_place: dict[str, list[str]] = defaultdict(list)
        columns = (f"content_object__{attribute}", "permission__codename")
        for place, permission in table.filter(**of_holder).order_by(*columns).values_list(*columns):
            by_place[place].append(permission)
        words = str(kind._meta.verbose_name)
        found += [Granted(words, place, tuple(permissions)) for place, permissions in by_place.items()]
    return found
