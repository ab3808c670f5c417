"""What is granted to a person, and to those in whose place they decide, as SQL.

Every request asks for it, some of them several times, and to have a query of this size composed anew took longer than
the database needs to answer it.
"""
# ruff: noqa: S608 - made of constants of this module

from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import AbstractUser
from django.db import connection as database

from exceptions_app.states import Verb

OWN: Final = 0
"""In the place of the number of somebody who lets the person decide for them."""

# Those of `DelegationQuerySet.running`: whoever gives access never decides for anybody.
_GIVERS = """
    SELECT d.giver_id FROM public.exceptions_app_delegation d
    JOIN public.workbench_user giver ON giver.id = d.giver_id AND giver.is_active
    JOIN public.workbench_user taker ON taker.id = d.taker_id AND NOT taker.is_staff
    WHERE d.taker_id = %(user)s AND d.ended_at IS NULL
        AND d.begins_at <= statement_timestamp() AND d.ends_at > statement_timestamp()
"""


def _granted(table: str, *, there: str = "") -> str:
    """Place, verb and holder, by themselves or by a role."""
    named = "JOIN public.auth_permission p ON p.id = g.permission_id"
    to_people = f"public.exceptions_app_{table}usergrant g {named}"
    to_roles = f"""public.exceptions_app_{table}groupgrant g {named}
        JOIN public.workbench_user_groups m ON m.group_id = g.group_id"""
    lent = f"p.codename = '{Verb.APPROVE.value}'"
    counts = "(g.ends_at IS NULL OR g.ends_at > statement_timestamp())"
    return f"""
        SELECT g.content_object_id, p.codename, {OWN} FROM {to_people} WHERE g.user_id = %(user)s AND {counts} {there}
        UNION SELECT g.content_object_id, p.codename, {OWN} FROM {to_roles} WHERE m.user_id = %(user)s {there}
        UNION SELECT g.content_object_id, p.codename, g.user_id FROM {to_people}
            WHERE {lent} AND g.ends_at IS NULL AND g.user_id IN ({_GIVERS}) {there}
        UNION SELECT g.content_object_id, p.codename, m.user_id FROM {to_roles}
            WHERE {lent} AND m.user_id IN ({_GIVERS}) {there}
    """


_THERE = "AND g.content_object_id = %(place)s"


@dataclass(frozen=True, slots=True)
class Kind:
    """Of what is granted on one kind of place: the question about all of them, and about one."""

    everywhere: str
    there: str


ON_QUEUES: Final = Kind(_granted("queue"), _granted("queue", there=_THERE))
ON_ENTITIES: Final = Kind(_granted("legalentity"), _granted("legalentity", there=_THERE))


def granted_to(user: AbstractUser, kind: Kind, *, place: int | None = None) -> list[tuple[int, str, int]]:
    """Place, codename of the verb, and OWN or the number of who lets them decide. One query.

    `kind` is ON_QUEUES or ON_ENTITIES; `place` asks for one of them alone.
    """
    with database.cursor() as cursor:
        cursor.execute(kind.everywhere if place is None else kind.there, {"user": user.pk, "place": place})
        return list(cursor.fetchall())
