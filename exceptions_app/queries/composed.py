"""Counts that are composed once and asked again with the values of whoever is there.

To compose the dozen subqueries beside the navigation takes ten times as long as the database needs to answer them, and
every page asks. What a person may is a list of places, and only these numbers differ between two people of whom the
same is granted in as many places: so the statement is kept, and theirs are put in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import QuerySet
from psycopg.types.json import Jsonb

from exceptions_app.queries.reach import Places, Reach

Rows = Callable[[AbstractUser, Reach], Mapping[str, QuerySet[Any]]]
"""What is counted for a person with that reach: by their number and those of the places, and by nothing else."""

Granted = tuple[tuple[int, frozenset[str]], ...]
"""Of places in order: which of them it is, and what is granted there."""

MOST_KEPT: Final = 256
# In the place of real numbers, which are never negative; of a kind they are in the same order as the real ones.
_PERSON: Final = -(10**15)
_QUEUE: Final = -2 * 10**15
_ENTITY: Final = -3 * 10**15


@dataclass(frozen=True, slots=True)
class _Shape:
    """A reach without its numbers: whoever has the same is asked the same."""

    on_queues: Granted
    on_entities: Granted
    lent: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]

    def stand_in(self) -> Reach:
        return Reach(
            {_QUEUE + place: verbs for place, verbs in self.on_queues},
            {_ENTITY + place: verbs for place, verbs in self.on_entities},
            tuple(
                Places(frozenset(_QUEUE + place for place in queues), frozenset(_ENTITY + place for place in entities))
                for queues, entities in self.lent
            ),
        )


@dataclass(frozen=True, slots=True)
class _Composed:
    names: tuple[str, ...]
    statement: str
    parameters: tuple[Any, ...]


def composed_once(user: AbstractUser, reach: Reach, rows: Rows, count: Callable[[Any], Any]) -> dict[str, int]:
    """Each of `rows` as `count` has it counted, in one query. Someone who is gone counts nothing.

    Both must be functions of a module, since what was composed is kept by them.
    """
    queues = sorted({*reach.on_queues, *(place for places in reach.lent for place in places.queues)})
    entities = sorted({*reach.on_entities, *(place for places in reach.lent for place in places.entities)})
    composed = _composed(rows, count, _shape(reach, queues, entities))
    values = {_PERSON: user.pk}
    values |= {_QUEUE + place: number for place, number in enumerate(queues)}
    values |= {_ENTITY + place: number for place, number in enumerate(entities)}
    with connection.cursor() as cursor:
        cursor.execute(composed.statement, [_bound(parameter, values) for parameter in composed.parameters])
        found = cursor.fetchone() or [0] * len(composed.names)
    return dict(zip(composed.names, found, strict=True))


def _shape(reach: Reach, queues: list[int], entities: list[int]) -> _Shape:
    queue_at, entity_at = _places(queues), _places(entities)
    return _Shape(
        tuple(sorted((queue_at[number], verbs) for number, verbs in reach.on_queues.items())),
        tuple(sorted((entity_at[number], verbs) for number, verbs in reach.on_entities.items())),
        tuple(
            (
                tuple(sorted(queue_at[number] for number in places.queues)),
                tuple(sorted(entity_at[number] for number in places.entities)),
            )
            for places in reach.lent
        ),
    )


def _places(numbers: list[int]) -> dict[int, int]:
    return {number: place for place, number in enumerate(numbers)}


@lru_cache(maxsize=MOST_KEPT)
def _composed(rows: Rows, count: Callable[[Any], Any], shape: _Shape) -> _Composed:
    people = get_user_model()
    counted = rows(people(pk=_PERSON), shape.stand_in())
    columns = [count(wanted) for wanted in counted.values()]
    query = people._default_manager.filter(pk=_PERSON).order_by().values_list(*columns).query
    statement, parameters = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
    return _Composed(tuple(counted), statement, tuple(parameters))


def _bound(value: Any, values: Mapping[int, int]) -> Any:
    """The parameter with real numbers in it, also within a JSON document."""
    match value:
        case int():
            return values.get(value, value)
        case Jsonb():
            return Jsonb(_bound(value.obj, values), dumps=value.dumps)
        case list():
            return [_bound(item, values) for item in value]
        case dict():
            return {name: _bound(item, values) for name, item in value.items()}
    return value
