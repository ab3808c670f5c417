"""Roles and grants: sets of verbs, given on queues, legal entities and connections, and who has which role.

Every change has its author, its reason and its audit event; the database refuses a grant without one. What is so
already is not done again and leaves no second event. Rights that no person may hold together are in
`queries.access_conflicts`; a change that would give somebody both is refused, also through a role.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import QuerySet

from audit import log
from exceptions_app.actions.connections import SCOPE, subject_of
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import SERVICE_PREFIX, is_machine
from exceptions_app.models import LegalEntity, LegalEntityUserGrant, Queue, QueueUserGrant
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access_conflicts import lets_approve, lock_people, no_new_pair
from exceptions_app.queries.grants import Holder, Place, grants_for
from exceptions_app.states import Verb
from exceptions_app.wording import say
from integrations.models import Connection

# What a role may do where it is granted. Nobody who corrects may approve, and the administrator sees no payload.
ROLES: Mapping[str, frozenset[Verb]] = {
    "clerk": frozenset({Verb.SEE, Verb.COMMENT, Verb.CORRECT, Verb.PROPOSE, Verb.REVEAL}),
    "controller": frozenset({Verb.SEE, Verb.COMMENT, Verb.APPROVE, Verb.REVEAL}),
    "support": frozenset({Verb.SEE}),
    "auditor": frozenset({Verb.SEE, Verb.EXPORT}),
    "standby": frozenset({Verb.EMERGENCY}),
}
_GIVEN_UNTIL: Mapping[type[Place], Any] = {Queue: QueueUserGrant, LegalEntity: LegalEntityUserGrant}
FOR_PEOPLE_ALONE = frozenset({Verb.APPROVE, Verb.EMERGENCY})
"""What no service account is given."""
NOT_TOGETHER = frozenset({Verb.APPROVE, Verb.EXPORT})
CONNECTION_PERMISSIONS = ("ingest_messages", "configure_connection")


def require_administrator(by: AbstractUser) -> None:
    """Raise NotPermitted unless the account may give and take access, or is a part of the machine."""
    if not (is_machine(by) or (by.is_active and by.is_staff)):
        raise NotPermitted(
            say("{by} is no administrator. Access is given and taken by active accounts with staff status.", by=by)
        )


@transaction.atomic
def grant_role(
    role: str, where: Iterable[Queue | LegalEntity], *, by: AbstractUser, at: datetime, because: str = ""
) -> Group:
    """Give a role's verbs on queues and legal entities to the group of the same name. Raises Invalid, NotPermitted."""
    verbs = _verbs_of(role)
    group, _ = Group.objects.get_or_create(name=role)
    grant_verbs(verbs, group, where, by=by, at=at, because=because)
    return group


@transaction.atomic
def revoke_role(
    role: str, where: Iterable[Queue | LegalEntity], *, by: AbstractUser, at: datetime, because: str = ""
) -> list[Place]:
    """Take a role's verbs on queues and legal entities away; it holds from the next request on.

    Returns the places where there was something to take. Raises Invalid, NotPermitted.
    """
    require_administrator(by)
    _verbs_of(role)
    group = Group.objects.filter(name=role).first()
    if group is None:
        return []
    # All that it holds there, so that nothing stays behind of a role that once meant more.
    everything = [verb.value for verb in Verb]
    return [place for place in where if _take(everything, group, place, by=by, at=at, because=because)]


@transaction.atomic
def grant_verbs(
    verbs: Iterable[Verb],
    to: Holder,
    where: Iterable[Queue | LegalEntity],
    *,
    by: AbstractUser,
    at: datetime,
    because: str = "",
) -> list[Place]:
    """Give single verbs to a person or a role; returns the places where something was new.

    Raises NotPermitted, also for what nobody may hold beside something that they hold.
    """
    require_administrator(by)
    wanted = [verb.value for verb in verbs]
    if not isinstance(to, Group) and not FOR_PEOPLE_ALONE.isdisjoint(wanted):
        _refuse_service(to)
    given: list[Place] = []
    people = _people(to) if NOT_TOGETHER.intersection(wanted) else ()
    with no_new_pair(people, approves=lambda: bool(given) and Verb.APPROVE in wanted):
        given += [place for place in where if _give(wanted, to, place, by=by, at=at, because=because)]
    return given


@transaction.atomic
def revoke_verbs(
    verbs: Iterable[str],
    holder: Holder,
    where: Iterable[Queue | LegalEntity],
    *,
    by: AbstractUser,
    at: datetime,
    because: str = "",
) -> list[Place]:
    """Take single verbs from a person or a role; returns the places where there was something to take."""
    require_administrator(by)
    wanted = list(verbs)
    return [place for place in where if _take(wanted, holder, place, by=by, at=at, because=because)]


@transaction.atomic
def grant_connection(
    permission: str, to: Holder, connection: Connection, *, by: AbstractUser, at: datetime, because: str = ""
) -> bool:
    """Give `ingest_messages` or `configure_connection` on one connection; False when it was given already."""
    require_administrator(by)
    with no_new_pair(_people(to)):
        return _give([_known(permission)], to, connection, by=by, at=at, because=because)


@transaction.atomic
def revoke_connection(
    permission: str, holder: Holder, connection: Connection, *, by: AbstractUser, at: datetime, because: str = ""
) -> bool:
    """Take `ingest_messages` or `configure_connection` away; False when it was not given."""
    require_administrator(by)
    return _take([_known(permission)], holder, connection, by=by, at=at, because=because)


@transaction.atomic
def add_to_role(
    role: str, person: AbstractUser, *, by: AbstractUser, at: datetime, because: str = "", through: str = ""
) -> bool:
    """Put a person into a role's group; False when they were in it. Raises Invalid, NotPermitted."""
    group = _role_for(role, person, by=by)
    if person.groups.filter(pk=group.pk).exists():
        return False
    if lets_approve(group) or not FOR_PEOPLE_ALONE.isdisjoint(ROLES.get(role, frozenset())):
        _refuse_service(person)
    with no_new_pair([person.pk], approves=lambda: lets_approve(group)):
        person.groups.add(group)
    words = f"{by} gave {person} the role {role}."
    data = told_through(through, role=role)
    _record("role.given", _subject_of_person(person), words, data, by=by, at=at, because=because)
    return True


@transaction.atomic
def remove_from_role(
    role: str, person: AbstractUser, *, by: AbstractUser, at: datetime, because: str = "", through: str = ""
) -> bool:
    """Take a person out of a role's group; False when they were not in it. Raises Invalid, NotPermitted."""
    group = _role_for(role, person, by=by)
    if not person.groups.filter(pk=group.pk).exists():
        return False
    person.groups.remove(group)
    words = f"{by} took the role {role} from {person}."
    data = told_through(through, role=role)
    _record("role.taken", _subject_of_person(person), words, data, by=by, at=at, because=because)
    return True


def told_through(through: str, **data: object) -> dict[str, object]:
    """What an event says, with the service account through which it was done: who answers for it has a hand in it."""
    return data | ({"through": through} if through else {})


def give_until(
    ends_at: datetime, verbs: Iterable[Verb], where: Iterable[Queue | LegalEntity], *, by: AbstractUser, at: datetime,
    because: str,
) -> None:  # fmt: skip
    """Give somebody verbs until then, in an emergency of theirs; what they hold already stays as it is.

    Raises NotPermitted for what nobody may hold beside something that they hold.
    """
    wanted = sorted(verb.value for verb in verbs)
    with no_new_pair([by.pk], approves=lambda: Verb.APPROVE.value in wanted):
        for place in where:
            table = _GIVEN_UNTIL[type(place)]
            table.with_ended.filter(user=by.pk, content_object=place, ends_at__lte=at).delete()
            given = []
            for permission in _permissions(wanted, place):
                _, is_new = table.with_ended.get_or_create(
                    permission=permission, content_object=place, user=by, defaults={"ends_at": ends_at}
                )
                given += [permission.codename] if is_new else []
            if given:
                words = f"{by} has on {place} until {ends_at:%H:%M} UTC, in an emergency: {', '.join(given)}."
                data = {"to": _name_of(by), "permissions": given, "until": ends_at}
                _record("grant.given", subject_of(place), words, data, by=by, at=at, because=because)


def take_what_was_until(person: AbstractUser, *, by: AbstractUser, at: datetime, because: str = "") -> None:
    """Take what an emergency gave, before its time or after it."""
    for kind, table in _GIVEN_UNTIL.items():
        rows = table.with_ended.filter(user=person.pk, ends_at__isnull=False).select_related("permission")
        found: dict[int, list[str]] = {}
        for row in rows.order_by("permission__codename"):
            found.setdefault(row.content_object_id, []).append(row.permission.codename)
        for place in kind._default_manager.filter(pk__in=found).order_by("pk"):
            taken = found[place.pk]
            table.with_ended.filter(user=person.pk, content_object=place, ends_at__isnull=False).delete()
            words = f"{by} took from {person} on {place} what an emergency gave: {', '.join(taken)}."
            data = {"from": _name_of(person), "permissions": taken}
            _record("grant.taken", subject_of(place), words, data, by=by, at=at, because=because)


def refusal_of_access(person: AbstractUser, roles: Collection[Group], **status: bool) -> str:
    """Why they may not have these roles, no others and this status; empty when they may. Tried, and taken back."""
    lock_people([person.pk])  # here, since a lock of what is taken back goes with it
    new = [role for role in roles if not person.groups.filter(pk=role.pk).exists()]
    try:
        with transaction.atomic():
            with no_new_pair([person.pk], approves=lambda: any(lets_approve(role) for role in new)):
                get_user_model().objects.filter(pk=person.pk).update(**status)
                person.groups.set(roles)
            transaction.set_rollback(True)
    except NotPermitted as error:
        return error.reason
    return ""


def _refuse_service(account: AbstractUser) -> None:
    if account.get_username().startswith(SERVICE_PREFIX):
        raise NotPermitted(
            say(
                "{username} is a service account: none approves or takes emergency access.",
                username=account.get_username(),
            )
        )


def _verbs_of(role: str) -> frozenset[Verb]:
    if role not in ROLES:
        raise Invalid(
            "role", say("There is no role “{role}”. Use one of {list}.", role=role, list=", ".join(sorted(ROLES)))
        )
    return ROLES[role]


def _known(permission: str) -> str:
    if permission not in CONNECTION_PERMISSIONS:
        raise Invalid(
            "permission",
            say("“{permission}” is none of {list}.", permission=permission, list=", ".join(CONNECTION_PERMISSIONS)),
        )
    return permission


def _role_for(role: str, person: AbstractUser, *, by: AbstractUser) -> Group:
    """The role's group, with the person's row locked, so that two changes of their roles come one after the other."""
    require_administrator(by)
    if person.pk == by.pk:
        raise NotPermitted(say("Nobody changes their own roles; another administrator can."))
    if is_machine(person):
        raise Invalid("person", say("{person} is a part of the machine and has no role.", person=person))
    lock_people([person.pk])
    if role in ROLES:
        return Group.objects.get_or_create(name=role)[0]
    group = Group.objects.filter(name=role).first()
    if group is None:
        raise Invalid(
            "role", say("There is no role “{role}”. Use one of {list}.", role=role, list=", ".join(sorted(ROLES)))
        )
    return group


def _give(
    permissions: Iterable[str], to: Holder, place: Place, *, by: AbstractUser, at: datetime, because: str
) -> bool:
    table, of_holder = grants_for(to, type(place))
    given = []
    if not isinstance(to, Group) and type(place) in _GIVEN_UNTIL:  # for good instead of until then
        until = _GIVEN_UNTIL[type(place)].with_ended.filter(ends_at__isnull=False, **of_holder)
        until.filter(content_object=place, permission__codename__in=list(permissions)).delete()
    for permission in _permissions(permissions, place):
        _, is_new = table.get_or_create(permission=permission, content_object=place, **of_holder)
        if is_new:
            given.append(permission.codename)
    if given:
        words = f"{by} gave {_words_for(to)} on {place}: {', '.join(given)}."
        data = {"to": _name_of(to), "permissions": given}
        _record("grant.given", subject_of(place), words, data, by=by, at=at, because=because)
    return bool(given)


def _permissions(codenames: Iterable[str], place: Place) -> QuerySet[Permission]:
    of_kind = Permission.objects.filter(content_type=ContentType.objects.get_for_model(type(place)))
    return of_kind.filter(codename__in=list(codenames)).order_by("codename")


def _take(
    permissions: Iterable[str], holder: Holder, place: Place, *, by: AbstractUser, at: datetime, because: str
) -> bool:
    table, of_holder = grants_for(holder, type(place))
    rows = table.select_for_update(of=("self",)).filter(
        content_object=place, permission__codename__in=permissions, **of_holder
    )
    found = {row.pk: row.permission.codename for row in rows.select_related("permission").order_by("pk")}
    table.filter(pk__in=list(found)).delete()
    if found:
        taken = sorted(found.values())
        words = f"{by} took from {_words_for(holder)} on {place}: {', '.join(taken)}."
        data = {"from": _name_of(holder), "permissions": taken}
        _record("grant.taken", subject_of(place), words, data, by=by, at=at, because=because)
    return bool(found)


def _people(holder: Holder) -> list[int]:
    """Whom a grant to a person or a role concerns."""
    if isinstance(holder, Group):
        return list(get_user_model().objects.filter(groups=holder).values_list("pk", flat=True))
    return [holder.pk]


def _words_for(holder: Holder) -> str:
    return f"the role {holder}" if isinstance(holder, Group) else str(holder)


def _name_of(holder: Holder) -> str:
    return f"role:{holder.name}" if isinstance(holder, Group) else _subject_of_person(holder)


def _subject_of_person(person: AbstractUser) -> str:
    return f"person:{person.get_username()}"


def _record(
    name: str,
    subject: str,
    summary: str,
    data: Mapping[str, object],
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
) -> None:
    log.record(
        name,
        subject=subject,
        scope=SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=summary,
        because=because,
        data=data,
    )
