"""Taking the right to administer away. It is given in the administration, with a fresh proof."""

from datetime import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.grants import require_administrator
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import is_machine
from exceptions_app.policies import NotPermitted
from exceptions_app.wording import say

NOBODY_LEFT = say("Nobody would be left who can administer.")


def lock_administrators() -> list[AbstractUser]:
    """All who administer, locked until the transaction ends: two who end each other come one after the other."""
    people = get_user_model().objects.select_for_update(no_key=True).filter(is_staff=True)
    return list(people.order_by("pk"))


@transaction.atomic
def end_administration(person: AbstractUser, *, by: AbstractUser, at: datetime, because: str) -> bool:
    """Make somebody no administrator any more; False when they were none. Raises Invalid, NotPermitted.

    Whoever does it is asked of the database again: somebody may have ended theirs a moment ago.
    """
    require_administrator(by)
    if person.pk == by.pk:
        raise NotPermitted(say("Nobody takes this from themselves; another administrator can."))
    administrators = {one.pk: one for one in lock_administrators()}
    if not is_machine(by) and not (by.pk in administrators and administrators[by.pk].is_active):
        raise NotPermitted(say("{by} is no administrator any more.", by=by))
    if person.pk not in administrators:
        return False
    if administrators[person.pk].is_superuser and not by.is_superuser:
        raise NotPermitted(say("Only a superuser ends the administration of another one."))
    if not any(one.is_active for one in administrators.values() if one.pk != person.pk):
        raise Invalid("person", NOBODY_LEFT)
    get_user_model().objects.filter(pk=person.pk).update(is_staff=False)
    log.record(
        "person.changed",
        subject=f"person:{person.get_username()}",
        scope=SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=f"{by} changed person {person}: Staff status.",
        because=because,
        data={"fields": ["Staff status"], "changes": {"is_staff": {"was": True, "will_be": False}}},
    )
    return True
