"""What can be taken away as a whole, as it stands now, and what a page shows of a round."""
# ruff: noqa: S608 - made of constants of this module

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Group
from django.db import connection as database
from django.db.models import CharField, Count, Value
from django.db.models.functions import Concat

from audit.models import AuditEvent
from exceptions_app.machines import PREFIX
from exceptions_app.models import AccessReviewItem, LegalEntity, Queue
from exceptions_app.queries.access import ADMINISTER
from exceptions_app.queries.access_used import Used, used_by
from exceptions_app.wording import say
from integrations.models import Connection

Key = tuple[str, int, str, str]
ALL: Final = "all"
ROLE_SCOPE: Final = "role:"


def _on(kind: str, table: str, place_table: str, attribute: str) -> str:
    joins = f"""
        JOIN public.{place_table} o ON o.id = g.content_object_id
        JOIN public.auth_permission p ON p.id = g.permission_id"""
    return f"""
        SELECT '{kind}' AS kind, u.id AS person, u.username, '' AS role, o.{attribute} AS place, p.codename AS verb
        FROM public.{table}usergrant g {joins} JOIN public.workbench_user u ON u.id = g.user_id
        UNION ALL SELECT '{kind}', 0, '', r.name, o.{attribute}, p.codename
        FROM public.{table}groupgrant g {joins} JOIN public.auth_group r ON r.id = g.group_id
    """


_STANDING = " UNION ALL ".join(
    (
        _on("queue", "exceptions_app_queue", "exceptions_app_queue", "slug"),
        _on("entity", "exceptions_app_legalentity", "exceptions_app_legalentity", "code"),
        _on("connection", "integrations_connection", "integrations_connection", "slug"),
        """SELECT 'role', u.id, u.username, r.name, '', ''
            FROM public.workbench_user_groups m JOIN public.workbench_user u ON u.id = m.user_id
            JOIN public.auth_group r ON r.id = m.group_id""",
        f"""SELECT 'workbench', u.id, u.username, '', '', '{ADMINISTER}'
            FROM public.workbench_user u WHERE u.is_staff""",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What one holder has by one grant, or one membership; of a membership, the verbs of the role."""

    kind: str
    person: int
    username: str
    role: str
    place: str
    verbs: tuple[str, ...]
    since: datetime | None = None
    given_by: str = ""
    last_used: datetime | None = None

    @property
    def key(self) -> Key:
        return (self.kind, self.person, self.role, self.place)


def standing_now() -> dict[Key, Holding]:
    """All that is granted at this moment. One query."""
    with database.cursor() as cursor:
        cursor.execute(_STANDING)
        rows = cursor.fetchall()
    verbs: dict[Key, set[str]] = defaultdict(set)
    names: dict[int, str] = {}
    by_role: dict[str, set[str]] = defaultdict(set)
    for kind, person, username, role, place, verb in rows:
        verbs[kind, person, role, place] |= {verb} - {""}
        names[person] = username
        if not person:
            by_role[role].add(verb)
    return {
        key: Holding(
            kind=key[0], person=key[1], username=names[key[1]], role=key[2], place=key[3],
            verbs=tuple(sorted(by_role[key[2]] if key[0] == "role" else found)),
        )
        for key, found in verbs.items()
    }  # fmt: skip


def within(scope: str, found: Iterable[Holding]) -> list[Holding]:
    """Those of a scope: a role with whoever has it, or a place with what is granted there and whoever has a role there.

    In the order of people, then of roles and places.
    """
    held = list(found)
    if scope.startswith(ROLE_SCOPE):
        held = [one for one in held if one.role == scope.removeprefix(ROLE_SCOPE)]
    elif scope != ALL:
        there = [one for one in held if f"{one.kind}:{one.place or one.kind}" == scope]
        roles = {one.role for one in there if one.role}
        keys = {one.key for one in there}
        held = [one for one in held if one.key in keys or (one.kind == "role" and one.role in roles)]
    return sorted(held, key=lambda one: (not one.username, one.username, one.role, one.kind, one.place))


def with_trail(found: list[Holding], *, at: datetime) -> list[Holding]:
    """Since when, by whom and last used, of each of them. Two queries.

    What a role holds was used by whoever has the role, all of whom a list with the role has beside it.
    """
    users: dict[str, set[str]] = defaultdict(set)
    for one in found:
        if one.kind == "role":
            users[one.role].add(one.username)
    used = used_by({one.username for one in found if one.username}, at=at)
    given = _given({_subject_of(one) for one in found})
    return [_told(one, given, used, {one.username} if one.username else users[one.role]) for one in found]


def _subject_of(one: Holding) -> str:
    return f"person:{one.username}" if one.kind in ("role", "workbench") else f"{one.kind}:{one.place}"


Given = Mapping[tuple[str, str, str], tuple[datetime, str]]


def _given(subjects: set[str]) -> Given:
    """Subject of the event, holder or role, and verb; the last one counts. One query."""
    events = AuditEvent.objects.filter(
        subject__in=subjects, action__in=("grant.given", "role.given", "person.changed")
    ).order_by("at", "id")
    found: dict[tuple[str, str, str], tuple[datetime, str]] = {}
    for action, subject, at, actor, data in events.values_list("action", "subject", "at", "actor", "data"):
        if action == "role.given":
            found[subject, str(data.get("role")), ""] = (at, actor)
        elif action == "grant.given":
            for verb in data.get("permissions", ()):
                found[subject, str(data.get("to")), verb] = (at, actor)
        elif data.get("changes", {}).get("is_staff", {}).get("will_be") is True:
            found[subject, "", ADMINISTER] = (at, actor)
    return found


def _told(one: Holding, given: Given, used: Used, users: Iterable[str]) -> Holding:
    subject = _subject_of(one)
    holder = f"person:{one.username}" if one.username else f"role:{one.role}"
    if one.kind == "role":
        told = [given.get((subject, one.role, ""))]
    elif one.kind == "workbench":
        told = [given.get((subject, "", ADMINISTER))]
    else:
        told = [given.get((subject, holder, verb)) for verb in one.verbs]
    last = max((event for event in told if event is not None), default=None)
    uses = [used.anywhere(user, one.verbs, place=_place_of(one)) for user in users]
    last_use = max((use for use in uses if use is not None), default=None)
    values = {name: getattr(one, name) for name in ("kind", "person", "username", "role", "place", "verbs")}
    return Holding(**values, since=last[0] if last else None, given_by=last[1] if last else "", last_used=last_use)


def _place_of(one: Holding) -> str:
    """Where a use counts; anywhere, for a role."""
    return "" if one.kind == "role" else f"{one.kind}:{one.place or one.kind}"


def is_own(item: AccessReviewItem, reader: AbstractUser, roles: Iterable[str]) -> bool:
    """Whether it is the reader's own access: theirs, that of another account of theirs, or of a role that they have."""
    if item.person is None:
        return item.role in roles
    same = bool(reader.email) and item.person.email.lower() == reader.email.lower()
    return same or item.person_id == reader.pk


def is_alone(reader: AbstractUser) -> bool:
    """Whether nobody else administers who could confirm what is the reader's own. One query."""
    others = get_user_model().objects.filter(is_active=True, is_staff=True).exclude(pk=reader.pk)
    others = others.exclude(username__startswith=PREFIX)
    return not (others.exclude(email__iexact=reader.email) if reader.email else others).exists()


def place_names(subjects: Collection[str]) -> Mapping[str, str]:
    """What these places are called, by how the trail names them, such as "queue:holds". One query."""
    kinds = (("queue", Queue, "slug"), ("entity", LegalEntity, "code"), ("connection", Connection, "slug"))
    queues, *others = (
        model._default_manager.order_by()
        .annotate(subject=Concat(Value(f"{kind}:"), attribute, output_field=CharField()))
        .filter(subject__in=subjects)
        .values_list("subject", "name")
        for kind, model, attribute in kinds
    )
    return dict(queues.union(*others, all=True))


def role_sizes() -> Mapping[str, int]:
    """How many people have each role now. One query."""
    return dict(Group.objects.annotate(people=Count("user")).values_list("name", "people"))


def what_became_of(item: AccessReviewItem, now: Mapping[Key, Holding]) -> str:
    """In words, what changed since the round was opened; empty when nothing did."""
    if is_gone(item, now):
        return say("It is not granted any more.")
    found = now[item.key]
    came, went = sorted(set(found.verbs) - set(item.verbs)), sorted(set(item.verbs) - set(found.verbs))
    if came and went:
        return say("Given since then: {came}; taken since then: {went}.", came=", ".join(came), went=", ".join(went))
    if came:
        return say("Given since then: {came}.", came=", ".join(came))
    return say("Taken since then: {went}.", went=", ".join(went)) if went else ""


def is_gone(item: AccessReviewItem, now: Mapping[Key, Holding]) -> bool:
    """Whether nothing of it is granted any more. What was given since then is none of it."""
    found = now.get(item.key)
    return found is None or (item.kind != "role" and not set(found.verbs) & set(item.verbs))
