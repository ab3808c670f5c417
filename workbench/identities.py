"""Whose account an identity of the OpenID provider is, when somebody had one here before."""

from datetime import datetime
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit.models import AuditEvent
from exceptions_app.actions.grants import require_administrator
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.roles import change_roles
from exceptions_app.machines import is_machine
from exceptions_app.policies import NotPermitted
from workbench.models import User
from workbench.second_factor import lock_person, tell
from workbench.sessions import end_all


@transaction.atomic
def join(kept: User, made: User, *, by: AbstractUser, at: datetime, because: str) -> None:
    """Give the account that a person had before the identity of the one that their sign-in by the provider made.

    That one ends: it is inactive from then on, without roles. Raises NotPermitted, also for one's own accounts, and
    Invalid; also when it was worked with, since who did something as one account could decide on it as the other.
    """
    require_administrator(by)
    if by.pk in (kept.pk, made.pk):
        raise NotPermitted("Nobody joins an account with their own. Another administrator can.")
    if kept.is_superuser and not by.is_superuser:
        raise NotPermitted("Only a superuser says by which identity another one comes in.")
    if not because.strip():
        raise Invalid("because", "Say why, and how you know that both are of one person.")
    for account in sorted((kept, made), key=lambda one: one.pk):
        lock_person(account)
        account.refresh_from_db()
    identity = _identity_to_give(kept, made)
    signed: dict[str, Any] = {"by": by, "at": at, "because": because}
    change_roles(made, give=(), take=list(made.groups.values_list("name", flat=True)), **signed)
    end_all(made, **signed)
    made.is_active = False
    made.save(update_fields=["is_active"])
    issuer, subject = identity.provider, identity.uid
    identity.delete()
    SocialAccount.objects.create(user=kept, provider=issuer, uid=subject)
    words = f"{by} gave the identity of {made.get_username()} to {kept.get_username()}, who is the same person."
    for account in (kept, made):
        data = {"kept": kept.get_username(), "made": made.get_username(), "issuer": issuer, "subject": subject}
        tell("person.joined", account, words, by=by, at=at, because=because, **data)


def _identity_to_give(kept: User, made: User) -> SocialAccount:
    """That of the account that was made. Raises Invalid when the two are not what they have to be."""
    identity: SocialAccount | None = SocialAccount.objects.select_for_update().filter(user=made).first()
    if identity is None or made.has_usable_password() or kept.pk == made.pk:
        raise Invalid("made", f"{made.get_username()} is no second account that a sign-in by the provider made.")
    if not kept.is_active or is_machine(kept) or SocialAccount.objects.filter(user=kept).exists():
        raise Invalid("kept", f"{kept.get_username()} is not active, or has an identity of the provider already.")
    if AuditEvent.objects.filter(actor=made.get_username()).exclude(action__startswith="person.").exists():
        raise Invalid("made", f"{made.get_username()} was worked with. Make {kept.get_username()} inactive instead.")
    return identity
