"""Who has which verb where, since when and by whom: the tables of grants beside the audit trail, read as one list.

The tables of grants know no time, so since when and by whom is read from the trail; the database lets no grant come or
go without its event. What somebody did with a verb is read there too, in `access_used`.
"""
# ruff: noqa: S608 - made of constants of this module

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.contrib.auth.models import AbstractUser
from django.db import connection as database

from exceptions_app.queries.access_used import Use, used_by
from exceptions_app.queries.audit_page import readable_scopes
from exceptions_app.queries.keyset import Direction, InvalidCursor

PAGE_SIZE: Final = 50
ADMINISTER: Final = "administer"
WORKBENCH: Final = "workbench"
DIRECTLY: Final = "directly"
"""In the place of a role, in a filter: what is granted to people themselves."""
KINDS: Final[Mapping[str, str]] = {
    "connection": "connection", "entity": "legal entity", "queue": "queue", WORKBENCH: "workbench",
}  # fmt: skip
_MOST_CHARACTERS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessFilter:
    """Which of them; empty is all. `place` is the subject of a place in the trail, such as "queue:holds".

    `within` are the places that the reader may read of, None for all of them.
    """

    person: str = ""
    role: str = ""
    place: str = ""
    within: frozenset[str] | None = None


def readable_access(user: AbstractUser) -> frozenset[str] | None:
    """The places of which the person may read who has access there; None for all, as for an administrator.

    Whoever reads the audit trail reads it of the places whose trail that is, and of the workbench itself.
    """
    if user.is_active and user.is_staff:
        return None
    places: set[str] = set()
    for scope in readable_scopes(user):
        entity, _, queue = scope.partition("/")
        places |= {f"connection:{queue}"} if entity == "connection" else {f"entity:{entity}", f"queue:{queue}"}
        places |= {f"{WORKBENCH}:{WORKBENCH}"}
    return frozenset(places)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRow:
    """One verb of one person in one place, by one way. `role` is empty for what is granted to themselves.

    `since` and `given_by` are of what made it count last: the grant, or that the person was given the role.
    """

    username: str
    name: str
    is_active: bool
    role: str
    kind: str
    place: str
    place_name: str
    verb: str
    since: datetime | None
    given_by: str
    used: Use | None = None

    @property
    def key(self) -> tuple[str, ...]:
        return (self.username, self.kind, self.place, self.verb, self.role)

    @property
    def subject(self) -> str:
        return f"{self.kind}:{self.place}"

    @property
    def kind_words(self) -> str:
        return KINDS[self.kind]


@dataclass(frozen=True, slots=True)
class AccessPage:
    """Some rows, and the cursors of the pages beside them; empty where there is none."""

    rows: Sequence[AccessRow]
    next_cursor: str = ""
    previous_cursor: str = ""


_PERSON = "u.username, btrim(u.first_name || ' ' || u.last_name) AS name, u.is_active"


def _held_on(kind: str, table: str, place_table: str, attribute: str) -> str:
    place = f"'{kind}' AS kind, o.{attribute} AS place, o.name AS place_name, p.codename AS verb"
    joins = f"""
        JOIN public.{place_table} o ON o.id = g.content_object_id
        JOIN public.auth_permission p ON p.id = g.permission_id"""
    return f"""
        SELECT {_PERSON}, '' AS role, {place} FROM public.{table}usergrant g {joins}
        JOIN public.workbench_user u ON u.id = g.user_id
        UNION ALL SELECT {_PERSON}, r.name, {place} FROM public.{table}groupgrant g {joins}
        JOIN public.auth_group r ON r.id = g.group_id
        JOIN public.workbench_user_groups m ON m.group_id = r.id
        JOIN public.workbench_user u ON u.id = m.user_id
    """


_HELD = " UNION ALL ".join(
    (
        _held_on("queue", "exceptions_app_queue", "exceptions_app_queue", "slug"),
        _held_on("entity", "exceptions_app_legalentity", "exceptions_app_legalentity", "code"),
        _held_on("connection", "integrations_connection", "integrations_connection", "slug"),
        f"""SELECT {_PERSON}, '', '{WORKBENCH}', '{WORKBENCH}', 'The workbench', '{ADMINISTER}'
            FROM public.workbench_user u WHERE u.is_staff""",
    )
)
_CHOSEN = f"""
    (%(person)s = '' OR strpos(lower(username || ' ' || name), lower(%(person)s)) > 0)
    AND (%(role)s = '' OR role = %(role)s OR %(role)s = '{DIRECTLY}' AND role = '')
    AND (%(place)s = '' OR kind || ':' || place = %(place)s)
    AND (%(within)s::text[] IS NULL OR kind || ':' || place = ANY(%(within)s))
"""
_COLUMNS = ("username", "kind", "place", "verb", "role")
_LAST = "e.at DESC, e.id DESC"


def _key(prefix: str = "", *, backwards: bool = False) -> str:
    """Letter by letter, so that a place in the list means the same whatever language the database sorts in."""
    return ", ".join(f'{prefix}{name} COLLATE "C"{" DESC" if backwards else ""}' for name in _COLUMNS)


def _asked(*, beyond: str = "", backwards: bool = False, limited: bool = True) -> str:
    order, outer = _key(backwards=backwards), _key("page.", backwards=backwards)
    return f"""
    WITH held AS ({_HELD}), page AS MATERIALIZED (
        SELECT * FROM held WHERE {_CHOSEN} {beyond} ORDER BY {order} {"LIMIT %(limit)s" if limited else ""}
    ), given AS MATERIALIZED (
        SELECT DISTINCT ON (e.subject, holder, p.verb) e.subject, e.data ->> 'to' AS holder, p.verb, e.at, e.actor
        FROM public.audit_event e, LATERAL jsonb_array_elements_text(
            CASE WHEN e.action = 'grant.given' THEN e.data -> 'permissions' ELSE '[]' END
        ) p (verb)
        WHERE e.action = 'grant.given' AND e.subject IN (SELECT DISTINCT kind || ':' || place FROM page)
        ORDER BY e.subject, holder, p.verb, {_LAST}
    ), joined AS MATERIALIZED (
        SELECT DISTINCT ON (e.subject, role) e.subject, e.data ->> 'role' AS role, e.at, e.actor
        FROM public.audit_event e
        WHERE e.action = 'role.given'
            AND e.subject IN (SELECT DISTINCT 'person:' || username FROM page WHERE role <> '')
        ORDER BY e.subject, role, {_LAST}
    ), raised AS MATERIALIZED (
        SELECT DISTINCT ON (e.subject) e.subject, e.at, e.actor FROM public.audit_event e
        WHERE e.action = 'person.changed' AND e.data #>> ARRAY['changes', 'is_staff', 'will_be'] = 'true'
            AND e.subject IN (SELECT DISTINCT 'person:' || username FROM page WHERE kind = '{WORKBENCH}')
        ORDER BY e.subject, {_LAST}
    )
    SELECT page.username, page.name, page.is_active, page.role, page.kind, page.place, page.place_name, page.verb,
        CASE WHEN page.kind = '{WORKBENCH}' THEN raised.at WHEN page.role = '' THEN given.at
            WHEN joined.at >= given.at THEN joined.at WHEN joined.at IS NOT NULL THEN given.at END,
        CASE WHEN page.kind = '{WORKBENCH}' THEN raised.actor WHEN page.role = '' THEN given.actor
            WHEN joined.at >= given.at THEN joined.actor WHEN joined.at IS NOT NULL THEN given.actor END
    FROM page
    LEFT JOIN given ON given.subject = page.kind || ':' || page.place AND given.verb = page.verb
        AND given.holder = CASE WHEN page.role = '' THEN 'person:' || page.username ELSE 'role:' || page.role END
    LEFT JOIN joined ON joined.subject = 'person:' || page.username AND joined.role = page.role
    LEFT JOIN raised ON raised.subject = 'person:' || page.username
    ORDER BY {outer}
    """


_PLACE = "(%(k0)s, %(k1)s, %(k2)s, %(k3)s, %(k4)s)"
_ALL = _asked(limited=False)
_FIRST = _asked()
_AFTER = _asked(beyond=f"AND ({_key()}) > {_PLACE}")
_BEFORE = _asked(beyond=f"AND ({_key()}) < {_PLACE}", backwards=True)


def access_page(
    wanted: AccessFilter, *, at: datetime, cursor: str = "", direction: Direction = "after", size: int = PAGE_SIZE
) -> AccessPage:
    """One page in the order of people, places and verbs. Two queries, whatever is granted. Raises InvalidCursor."""
    backwards = bool(cursor) and direction == "before"
    keys = {f"k{number}": part for number, part in enumerate(_place(cursor))} if cursor else {}
    asked = _BEFORE if backwards else _AFTER if cursor else _FIRST
    found = _rows(asked, wanted, limit=size + 1, **keys)
    more = len(found) > size
    shown = with_use(found[:size][::-1] if backwards else found[:size], at=at)
    if not shown:
        return AccessPage([])
    has_next, has_previous = (bool(cursor), more) if backwards else (more, bool(cursor))
    return AccessPage(
        shown,
        next_cursor=_cursor(shown[-1]) if has_next else "",
        previous_cursor=_cursor(shown[0]) if has_previous else "",
    )


def all_access(wanted: AccessFilter, *, at: datetime) -> list[AccessRow]:
    """All of it, in the same order. Two queries."""
    return with_use(_rows(_ALL, wanted), at=at)


def with_use(rows: Sequence[AccessRow], *, at: datetime) -> list[AccessRow]:
    """With what the trail knows of the last use of each. One query, or none without rows."""
    used = used_by({row.username for row in rows}, at=at) if rows else None
    return [replace(row, used=used.of(row.username, row.verb, row.kind, row.place)) for row in rows] if used else []


def _rows(asked: str, wanted: AccessFilter, **more: str | int) -> list[AccessRow]:
    asked_for = {"person": wanted.person, "role": wanted.role, "place": wanted.place}
    within = sorted(wanted.within) if wanted.within is not None else None
    with database.cursor() as cursor:
        cursor.execute(asked, {**asked_for, "within": within, **more})
        return [
            AccessRow(
                username=username, name=name or username, is_active=is_active, role=role, kind=kind, place=place,
                place_name=place_name, verb=verb, since=since, given_by=given_by or "",
            )
            for username, name, is_active, role, kind, place, place_name, verb, since, given_by in cursor.fetchall()
        ]  # fmt: skip


def _cursor(row: AccessRow) -> str:
    text = json.dumps(row.key, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(cursor: str) -> Sequence[str]:
    if len(cursor) > _MOST_CHARACTERS:
        raise InvalidCursor("The place in the list is too long.")
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise InvalidCursor("The place in the list cannot be read.") from error
    if not isinstance(place, list) or len(place) != 5 or not all(_is_text(part) for part in place):
        raise InvalidCursor("The place belongs to another list.")
    return place


def _is_text(part: object) -> bool:
    """As the database takes it: no NUL, and no half of a pair of surrogates."""
    return isinstance(part, str) and "\x00" not in part and not any("\ud800" <= one <= "\udfff" for one in part)
