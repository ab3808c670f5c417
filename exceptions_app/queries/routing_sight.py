"""Who comes to see, and to approve, what a routing rule leads elsewhere than its routes do, and who does no longer.

By the routes and not by what is open: the answer is the same for whoever asks, and counts for what comes later.
"""
# ruff: noqa: S608 - made of constants of this module

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser
from django.db import connection as database

from exceptions_app.models import RoutingRule
from exceptions_app.states import Verb
from exceptions_app.wording import listed, say

_WANTED = f"p.codename IN ('{Verb.SEE}', '{Verb.APPROVE}')"


def _holders(table: str) -> str:
    return f"""
        SELECT g.user_id AS person, g.content_object_id AS place, p.codename AS verb, '' AS role
        FROM public.exceptions_app_{table}usergrant g
        JOIN public.auth_permission p ON p.id = g.permission_id AND {_WANTED}
        UNION SELECT m.user_id, g.content_object_id, p.codename, r.name
        FROM public.exceptions_app_{table}groupgrant g
        JOIN public.auth_permission p ON p.id = g.permission_id AND {_WANTED}
        JOIN public.auth_group r ON r.id = g.group_id
        JOIN public.workbench_user_groups m ON m.group_id = g.group_id
    """


# Of each legal entity to which a route leads what the rule fits: who holds a verb in one of the two queues alone.
_CHANGED = f"""
    WITH on_queue AS ({_holders("queue")}), on_entity AS ({_holders("legalentity")}),
    led AS (
        SELECT DISTINCT r.queue_id, r.entity_id FROM public.exceptions_app_route r
        WHERE r.queue_id <> %(queue)s
            AND (%(connection)s::bigint IS NULL OR r.connection_id IS NULL OR r.connection_id = %(connection)s)
            AND (%(entity)s::bigint IS NULL OR r.entity_id = %(entity)s)
            AND ('' IN (%(object_type)s, r.object_type) OR r.object_type = %(object_type)s)
            AND ('' IN (%(category)s, r.category) OR r.category = %(category)s)
    ),
    way AS (
        SELECT led.entity_id, led.queue_id AS without, %(queue)s AS holds, TRUE AS gains FROM led
        UNION SELECT led.entity_id, %(queue)s, led.queue_id, FALSE FROM led
    )
    SELECT DISTINCT q.verb, way.gains, q.role, u.id,
        COALESCE(NULLIF(btrim(concat(u.first_name, ' ', u.last_name)), ''), u.username)
    FROM way JOIN on_queue q ON q.place = way.holds
    JOIN on_entity e ON e.place = way.entity_id AND e.person = q.person AND e.verb = q.verb
    JOIN public.workbench_user u ON u.id = q.person AND u.is_active
    WHERE NOT EXISTS (
        SELECT 1 FROM on_queue o WHERE o.place = way.without AND o.person = q.person AND o.verb = q.verb
    )
    ORDER BY 1, 2, 3, 5
"""


@dataclass(frozen=True, slots=True)
class Change:
    """Who gains or loses a verb: names by the role that gives it; what is granted to themselves is under no role."""

    people: frozenset[int]
    names: Mapping[str, list[str]]

    @property
    def in_words(self) -> str:
        """“clerk: Clara Clerk and Cem Clerk; Lars Local”; empty for nobody."""
        told: str = ""
        for role, names in self.names.items():
            one = say("{role}: {people}", role=role, people=_listed(names)) if role else _listed(names)
            told = say("{first}; {then}", first=told, then=one) if told else one
        return told


@dataclass(frozen=True, slots=True)
class Sight:
    """What changes for people where a rule names a queue."""

    see: Change
    see_no_longer: Change
    approve: Change
    approve_no_longer: Change


MOST_NAMED = 10


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return listed([*names[:MOST_NAMED], *([say("{number} more", number=more)] if more > 0 else [])])


def sight_by(rule: RoutingRule) -> Sight:
    """One query; none where the rule leads to no queue."""
    people: dict[tuple[str, bool], set[int]] = defaultdict(set)
    names: dict[tuple[str, bool], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for verb, gains, role, person, name in _rows(rule):
        people[verb, gains].add(person)
        names[verb, gains][role].append(name)

    def change(verb: Verb, *, gains: bool) -> Change:
        key = verb.value, gains
        return Change(frozenset(people[key]), dict(names[key]))

    return Sight(
        see=change(Verb.SEE, gains=True),
        see_no_longer=change(Verb.SEE, gains=False),
        approve=change(Verb.APPROVE, gains=True),
        approve_no_longer=change(Verb.APPROVE, gains=False),
    )


def comes_to_approve(person: AbstractUser, rule: RoutingRule) -> bool:
    """Whether the rule lets the person approve what no route lets them approve. One query, or none."""
    return person.pk in sight_by(rule).approve.people


def _rows(rule: RoutingRule) -> list[tuple[str, bool, str, int, str]]:
    if rule.queue_id is None or rule.is_end:
        return []
    asked = {
        "queue": rule.queue_id, "connection": rule.connection_id, "entity": rule.entity_id,
        "object_type": rule.object_type, "category": rule.category,
    }  # fmt: skip
    with database.cursor() as cursor:
        cursor.execute(_CHANGED, asked)
        return list(cursor.fetchall())
