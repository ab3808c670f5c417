"""Roles and grants: sets of verbs, given on queues and legal entities through django-guardian."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.contrib.auth.models import AbstractUser, Group
from django.db import transaction
from guardian.shortcuts import assign_perm, remove_perm

from audit import log
from exceptions_app.actions.connections import SCOPE, subject_of
from exceptions_app.machines import is_machine
from exceptions_app.models import LegalEntity, Queue
from exceptions_app.states import Verb
from integrations.models import Connection

# What a role may do where it is granted. Nobody who corrects may approve, and the administrator sees no payload.
ROLES: Mapping[str, frozenset[Verb]] = {
    "clerk": frozenset({Verb.SEE, Verb.COMMENT, Verb.CORRECT, Verb.PROPOSE}),
    "controller": frozenset({Verb.SEE, Verb.COMMENT, Verb.APPROVE}),
    "support": frozenset({Verb.SEE}),
    "auditor": frozenset({Verb.SEE, Verb.EXPORT}),
}


@transaction.atomic
def grant_role(
    role: str, where: Iterable[Queue | LegalEntity], *, by: AbstractUser, at: datetime, because: str = ""
) -> Group:
    """Give a role's verbs on queues and legal entities to the group of the same name."""
    group, _ = Group.objects.get_or_create(name=role)
    for place in where:
        for verb in sorted(ROLES[role]):
            assign_perm(verb.value, group, place)
        _record("grant.given", role, place, by=by, at=at, because=because, words="gave")
    return group


@transaction.atomic
def revoke_role(
    role: str, where: Iterable[Queue | LegalEntity], *, by: AbstractUser, at: datetime, because: str = ""
) -> None:
    """Take a role's verbs on queues and legal entities away; it holds from the next request on."""
    group = Group.objects.get(name=role)
    for place in where:
        for verb in sorted(ROLES[role]):
            remove_perm(verb.value, group, place)
        _record("grant.taken", role, place, by=by, at=at, because=because, words="took away")


@transaction.atomic
def grant_connection(
    permission: str,
    to: AbstractUser | Group,
    connection: Connection,
    *,
    by: AbstractUser,
    at: datetime,
    because: str = "",
) -> None:
    """Give `ingest_messages` or `configure_connection` on one connection."""
    assign_perm(permission, to, connection)
    _record("grant.given", f"{permission} to {to}", connection, by=by, at=at, because=because, words="gave")


def _record(
    name: str,
    what: str,
    place: Queue | LegalEntity | Connection,
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    words: str,
) -> None:
    log.record(
        name,
        subject=subject_of(place),
        scope=SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=f"{by} {words} {what} on {place}.",
        because=because,
        data={"what": what},
    )
