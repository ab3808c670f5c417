"""Somebody leaves: what lets them in and what acts in their name ends in one transaction."""

from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import Q

from audit import log
from exceptions_app.actions.administrators import NOBODY_LEFT, lock_administrators
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.delegations import end_delegation
from exceptions_app.actions.emergencies import end_emergency
from exceptions_app.actions.grants import refusal_of_access, require_administrator, told_through
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import is_machine
from exceptions_app.models import Delegation, Emergency
from exceptions_app.policies import NotPermitted
from workbench.models import User
from workbench.second_factor import lock_person
from workbench.sessions import end_all
from workbench.tokens import withdraw_api_token


@transaction.atomic
def leave(person: User, *, by: AbstractUser, at: datetime, because: str, through: str = "") -> None:
    """Inactive from now on, without sessions, tokens, delegations or emergency access. Done twice is done once.

    What they approved as the first of two counts no more, and what they proposed waits for others. Raises NotPermitted
    for superusers, and Invalid for the last who administers.
    """
    require_administrator(by)
    if person.is_superuser and not by.is_superuser:
        raise NotPermitted("A superuser is made inactive by another one alone.")
    administrators = lock_administrators() if person.is_staff else []
    lock_person(person)
    person.refresh_from_db()
    if not person.is_active:
        return
    if person.is_staff and not any(one.is_active for one in administrators if one.pk != person.pk):
        raise Invalid("active", NOBODY_LEFT)
    end_all(person, by=by, at=at, because=because)
    for name in list(person.api_tokens.values_list("name", flat=True)):
        withdraw_api_token(person, name=name, by=by, at=at, because=because)
    theirs = Delegation.objects.filter(Q(giver=person.pk) | Q(taker=person.pk), ended_at=None, ends_at__gt=at)
    for number in list(theirs.order_by("pk").values_list("pk", flat=True)):
        end_delegation(number, by=by, at=at, because=because)
    for number in list(Emergency.objects.filter(person=person.pk, ended_at=None).values_list("pk", flat=True)):
        end_emergency(number, by=by, at=at, because=because)
    _switch(person, active=False, by=by, at=at, because=because, through=through)


@transaction.atomic
def come_back(person: User, *, by: AbstractUser, at: datetime, because: str, through: str = "") -> None:
    """Active again, with the roles and grants that they have still.

    Raises NotPermitted for superusers, and for who would hold what nobody may hold together.
    """
    require_administrator(by)
    lock_person(person)
    person.refresh_from_db()
    if not person.is_active:
        if person.is_superuser and not by.is_superuser:
            raise NotPermitted("A superuser is made active by another one alone.")
        if reason := refusal_of_access(person, list(person.groups.all()), is_active=True):
            raise NotPermitted(reason)
        _switch(person, active=True, by=by, at=at, because=because, through=through)


def _switch(person: User, *, active: bool, by: AbstractUser, at: datetime, because: str, through: str) -> None:
    person.is_active = active
    person.save(update_fields=["is_active"])
    log.record(
        "person.changed",
        subject=f"person:{person.get_username()}",
        scope=SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=f"{by} changed person {person}: Active.",
        because=because,
        data=told_through(through, fields=["Active"], changes={"is_active": {"was": not active, "will_be": active}}),
    )
