"""The roles of a person as a whole: those that go and those that come, as a directory names them."""

from collections.abc import Collection
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.grants import add_to_role, remove_from_role, told_through
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import is_machine
from exceptions_app.policies import NotPermitted


@transaction.atomic
def change_roles(
    person: AbstractUser,
    *,
    give: Collection[str],
    take: Collection[str],
    by: AbstractUser,
    at: datetime,
    because: str = "",
    why_none: str = "",
    through: str = "",
) -> dict[str, str]:
    """Take roles and then give others, each by itself; returns which could not be given, and why.

    They go first, since one that goes may be what keeps another from being given. What is refused leaves an event and
    keeps nobody from the rest: who moves between teams is not locked out by one role that they may not have.
    `why_none` says why they are given none at all, `through` by which service account the machine was asked.
    """
    for role in sorted(take):
        remove_from_role(role, person, by=by, at=at, because=because, through=through)
    refused = dict.fromkeys(give, why_none) if why_none else {}
    for role in sorted(set(give) - set(refused)):
        try:
            with transaction.atomic():
                add_to_role(role, person, by=by, at=at, because=because, through=through)
        except NotPermitted as refusal:
            refused[role] = refusal.reason
        except Invalid as refusal:
            refused[role] = refusal.problem
    for role, reason in refused.items():
        log.record(
            "role.not_given",
            subject=f"person:{person.get_username()}",
            scope=SCOPE,
            actor=by.get_username(),
            actor_kind="machine" if is_machine(by) else "person",
            at=at,
            summary=f"{person} was not given the role {role}. {reason}",
            because=because,
            data=told_through(through, role=role, reason=reason),
        )
    return refused
