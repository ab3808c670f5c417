"""Service accounts: for machines, without a way to sign in, answered for by a person, and over on a day.

Its tokens have scopes, and stop when it is over, when it is made inactive, and when its owner is. The database keeps
such an account from having a password, staff status or the right to approve.
"""

import re
from collections.abc import Collection
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction
from django.db.models import Prefetch, QuerySet

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.fresh_proof import require_fresh_proof_of_whoever_asks
from exceptions_app.actions.grants import require_administrator
from exceptions_app.actions.mover import Invalid
from exceptions_app.api.scopes import SCIM, SCOPES
from exceptions_app.machines import SERVICE_PREFIX, is_machine
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Verb
from exceptions_app.wording import say
from workbench.models import ApiToken, ServiceAccount, User
from workbench.tokens import MOST_DAYS, create_api_token, withdraw_api_token

PROOF = say("Who makes a way in for a machine says who they are.")
_NAME = re.compile(r"[a-z][a-z0-9-]{1,39}")


def service_accounts() -> QuerySet[ServiceAccount]:
    """All of them, those that are over too, each with its tokens. Two queries."""
    tokens = Prefetch("user__api_tokens", ApiToken.objects.order_by("name"))
    return ServiceAccount.objects.select_related("user", "owner").prefetch_related(tokens).order_by("user__username")


@transaction.atomic
def make_service_account(
    name: str, *, purpose: str, owner: AbstractUser, ends_at: datetime, by: AbstractUser, at: datetime, because: str
) -> ServiceAccount:
    """An account `service:NAME`, which is granted nothing yet. Raises NotPermitted, Invalid, FreshProofNeeded."""
    require_administrator(by)
    require_fresh_proof_of_whoever_asks(PROOF)
    if not _NAME.fullmatch(name):
        raise Invalid("name", say("Use 2 to 40 small letters, digits and hyphens, a letter first."))
    if not owner.is_active or is_machine(owner) or owner.get_username().startswith(SERVICE_PREFIX):
        raise Invalid("owner", say("Choose an active person, who answers for it."))
    if not at < ends_at <= at + timedelta(days=MOST_DAYS):
        raise Invalid("ends_at", say("Choose a day within the next {days} days.", days=MOST_DAYS))
    for field, text in (("purpose", purpose), ("because", because)):
        if not text.strip():
            missing = say("Say what it is for.") if field == "purpose" else say("Say why; the auditor reads it.")
            raise Invalid(field, missing)
    user = User(username=f"{SERVICE_PREFIX}{name}", first_name=purpose.strip()[:150])
    user.set_unusable_password()
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:  # asked of the database, since somebody else may give it the name at this moment
        if not User.objects.filter(username=user.get_username()).exists():
            raise
        taken = say("There is a service account of this name already. Names are given once.")
        raise Invalid("name", taken) from error
    made = ServiceAccount.objects.create(user=user, owner_id=owner.pk, ends_at=ends_at, purpose=purpose.strip()[:150])
    words = f"{by} made the service account {user.get_username()}, for which {owner} answers."
    data = {"owner": owner.get_username(), "ends_at": ends_at, "purpose": made.purpose}
    _record("person.added", made, words, by=by, at=at, because=because, **data)
    return made


@transaction.atomic
def make_service_token(
    account: ServiceAccount,
    *,
    name: str,
    scopes: Collection[str],
    days: int,
    by: AbstractUser,
    at: datetime,
    kind: str = "token",
    because: str = "",
) -> str:
    """A token, or a secret for OAuth 2, with its text, which is not shown again.

    It ends with the account at the latest. Raises NotPermitted, Invalid, FreshProofNeeded.
    """
    require_administrator(by)
    require_fresh_proof_of_whoever_asks(PROOF)
    if not scopes or not set(scopes) <= set(SCOPES):
        raise Invalid("scopes", say("Choose at least one of {list}.", list=", ".join(SCOPES)))
    if kind not in ApiToken.Kind.values:
        raise Invalid("kind", say("Choose one of {list}.", list=", ".join(ApiToken.Kind.values)))
    if not 1 <= days <= MOST_DAYS:
        raise Invalid("days", say("Choose 1 to {days} days.", days=MOST_DAYS))
    if not name.strip():
        raise Invalid("name", say("Say what uses it, so that it can be recognised when it is withdrawn."))
    account = ServiceAccount.objects.select_for_update(of=("self",)).select_related("user", "owner").get(pk=account.pk)
    if not account.counts(at=at):
        raise Invalid("name", say("The account is over, or its owner has left: no token of it would work."))
    if SCIM in scopes:
        _refuse_who_works(account.owner)
    if account.user.api_tokens.filter(name=name.strip()).exists():
        raise Invalid("name", say("The account has a token of this name already. Choose another name."))
    until = min(at + timedelta(days=days), account.ends_at)
    _, text = create_api_token(
        account.user, name=name.strip()[:100], at=at, expires_at=until, by=by, because=because,
        scopes=sorted(set(scopes)), kind=kind,
    )  # fmt: skip
    return text


@transaction.atomic
def withdraw_service_token(account: ServiceAccount, *, name: str, by: AbstractUser, at: datetime) -> bool:
    """From the next request on; False when there is none of that name. Raises NotPermitted."""
    return withdraw_api_token(account.user, name=name, by=by, at=at)


@transaction.atomic
def end_service_account(
    account: ServiceAccount, *, by: AbstractUser, at: datetime, because: str = ""
) -> ServiceAccount:
    """Inactive from now on, and its tokens are gone. Ended twice is ended once. Raises NotPermitted."""
    require_administrator(by)
    found = ServiceAccount.objects.select_for_update(of=("self",)).select_related("user", "owner").get(pk=account.pk)
    if not found.user.is_active:
        return found
    for token in list(found.user.api_tokens.all()):
        withdraw_api_token(found.user, name=token.name, by=by, at=at, because=because)
    found.user.is_active = False
    found.user.save(update_fields=["is_active"])
    words = f"{by} ended the service account {found.user.get_username()}."
    changes = {"is_active": {"was": True, "will_be": False}}
    _record("person.changed", found, words, by=by, at=at, because=because, fields=["Active"], changes=changes)
    return found


def _refuse_who_works(owner: AbstractUser) -> None:
    """Whoever answers for what adds people and gives roles could make their own second person, as administrators."""
    reach = reach_of(owner)
    if any(reach.has(verb) for verb in (Verb.CORRECT, Verb.PROPOSE, Verb.APPROVE)):
        raise Invalid(
            "scopes",
            say(
                "{owner} answers for this account, and corrects, proposes or approves: by giving roles they could make "
                "their own second person. Make a service account for which somebody else answers.",
                owner=owner,
            ),
        )


def _record(
    name: str, about: ServiceAccount, words: str, *, by: AbstractUser, at: datetime, because: str, **data: object
) -> None:
    log.record(
        name,
        subject=f"person:{about.user.get_username()}",
        scope=SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=words,
        because=because,
        data=data,
    )
