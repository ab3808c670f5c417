"""A second factor: codes of an app (TOTP) and recovery codes; passkeys are in passkeys.py.

What is stored is allauth's, sealed with our own keys.

Codes are checked here and not by allauth, which remembers a used code in the cache alone: there it would be taken
twice while the cache is away.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from allauth.mfa import app_settings
from allauth.mfa.adapter import DefaultMFAAdapter, get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.mfa.utils import decrypt, encrypt
from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils.crypto import constant_time_compare

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.grants import require_administrator
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import is_machine
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Verb
from integrations.secret_box import Unsealable, seal, unseal
from workbench.models import User
from workbench.sessions import end_all

NAME = "Exception Workbench"
SETUP_SECONDS = 15 * 60
TYPES = Authenticator.Type
# The clock of a telephone may be a step away from ours, either way.
STEPS_AWAY = 1


class Adapter(DefaultMFAAdapter):
    """Nothing that opens an account stands in the database in clear."""

    def encrypt(self, text: str) -> str:
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text)

    def _get_user_identifier(self, user: Any) -> str:
        """What apps and passkeys show."""
        return str(user.get_username())

    def get_totp_issuer(self) -> str:
        return NAME

    def _get_site_name(self) -> str:
        return NAME


def has_second_factor(person: AbstractUser) -> bool:
    return Authenticator.objects.filter(user_id=person.pk).exclude(type=TYPES.RECOVERY_CODES).exists()


def has_app(person: AbstractUser) -> bool:
    return Authenticator.objects.filter(user_id=person.pk, type=TYPES.TOTP).exists()


def is_demanded_of(person: AbstractUser) -> bool:
    """Whether this installation demands one of the person: `SECOND_FACTOR_FOR` names staff, approvers, everybody."""
    demanded = settings.SECOND_FACTOR_FOR
    if "everybody" in demanded:
        return True
    if "staff" in demanded and (person.is_staff or person.is_superuser):
        return True
    return "approvers" in demanded and reach_of(person).has(Verb.APPROVE)


def begin_setup(person: AbstractUser) -> str:
    """A new secret for the person's app, sealed: it is stored nowhere until a code proves that the app has it."""
    return seal(json.dumps({"person": person.pk, "secret": generate_totp_secret()}))


def secret_in(setup: str, person: AbstractUser) -> str:
    """The secret that was begun with for this person. Raises Invalid when it is too old or another's."""
    try:
        begun = json.loads(unseal(setup, seconds=SETUP_SECONDS))
    except Unsealable:
        begun = {}
    if begun.get("person") != person.pk or "secret" not in begun:
        raise Invalid("code", "This took too long. Scan the new code below, and type what the app shows then.")
    return str(begun["secret"])


def address_for_app(person: AbstractUser, secret: str) -> str:
    """What an app reads: `otpauth://…`"""
    return str(get_adapter().build_totp_url(person, secret))


@transaction.atomic
def add(person: AbstractUser, *, setup: str, code: str, at: datetime) -> list[str]:
    """Add the app as a second factor of the person; returns recovery codes when there were none. Raises Invalid."""
    secret = secret_in(setup, person)
    lock_person(person)
    if has_app(person):
        raise Invalid("code", "You have an app for codes already. Remove it first.")
    step = _step_of(code, secret, at=at, after=0)
    if step is None:
        raise Invalid("code", "This is not the code that the app should show now. Check the clock of your telephone.")
    stored = TOTP.activate(person, secret).instance
    stored.data["last_step"] = step
    stored.save(update_fields=["data"])
    codes = first_recovery_codes(person)
    words = f"{person} added an app for codes as a second factor."
    tell("person.second_factor_added", person, words, at=at, kind="app")
    return codes


@transaction.atomic
def accept(person: AbstractUser, code: str, *, at: datetime, record: Callable[[str], None]) -> str:
    """Take a code of the app or a recovery code, each once; returns which it was, empty when it was neither.

    `record` writes the event of what the code is for, in this transaction.
    """
    lock_person(person)
    for stored in Authenticator.objects.select_for_update().filter(user_id=person.pk):
        if stored.type == TYPES.TOTP and _accept_of_app(stored, code, at=at):
            record("app")
            return "app"
        if stored.type == TYPES.RECOVERY_CODES and RecoveryCodes(stored).validate_code(code):
            stored.refresh_from_db()
            left = len(RecoveryCodes(stored).get_unused_codes())
            words = f"{person} used a recovery code; {left} are left."
            tell("person.recovery_code_used", person, words, at=at, left=left)
            record("recovery code")
            return "recovery code"
    return ""


@transaction.atomic
def renew_recovery_codes(person: AbstractUser, *, at: datetime) -> list[str]:
    """New recovery codes; the earlier ones are worth nothing from now on. Raises Invalid."""
    lock_person(person)
    if not has_second_factor(person):
        raise Invalid("codes", "Recovery codes stand in for a second factor, and you have none.")
    codes = _new_recovery_codes(person)
    tell("person.recovery_codes_renewed", person, f"{person} renewed their recovery codes.", at=at)
    return codes


def recovery_codes_left(person: AbstractUser) -> int:
    stored = Authenticator.objects.filter(user_id=person.pk, type=TYPES.RECOVERY_CODES).first()
    return len(RecoveryCodes(stored).get_unused_codes()) if stored is not None else 0


@transaction.atomic
def remove_own(person: AbstractUser, *, at: datetime) -> bool:
    """Remove the person's own second factor with its recovery codes; False when there is none.

    Raises NotPermitted where one is demanded. Whoever calls has had the person prove themselves again.
    """
    if is_demanded_of(person):
        raise NotPermitted("A second factor is demanded of your account. An administrator can remove yours.")
    return _remove(person, by=person, at=at, because="", words=f"{person} removed their second factor.")


@transaction.atomic
def remove_of_another(person: AbstractUser, *, by: AbstractUser, at: datetime, because: str) -> bool:
    """For somebody who lost it; False when there is none. Raises NotPermitted, for one's own too, and Invalid.

    Their sessions end with it: whoever has the lost telephone may be signed in on it.
    """
    require_administrator(by)
    if person.pk == by.pk:
        raise NotPermitted("Nobody removes their own second factor as an administrator. Another one can.")
    if not because.strip():
        raise Invalid("because", "Say why, and how you know that it is this person who asks.")
    words = f"{by} removed the second factor of {person}."
    removed = _remove(person, by=by, at=at, because=because, words=words)
    if removed:
        end_all(person, by=by, at=at, because=because)
    return removed


def _remove(person: AbstractUser, *, by: AbstractUser, at: datetime, because: str, words: str) -> bool:
    lock_person(person)
    stored = list(Authenticator.objects.select_for_update().filter(user_id=person.pk))
    for one in stored:
        one.delete()
    if stored:
        kinds = sorted(one.type for one in stored)
        tell("person.second_factor_removed", person, words, at=at, by=by, because=because, kinds=kinds)
    return bool(stored)


def _new_recovery_codes(person: AbstractUser) -> list[str]:
    Authenticator.objects.filter(user_id=person.pk, type=TYPES.RECOVERY_CODES).delete()
    codes: list[str] = RecoveryCodes.activate(person).generate_codes()
    return codes


def first_recovery_codes(person: AbstractUser) -> list[str]:
    """New ones when the person has none; those that they have are not shown again."""
    if Authenticator.objects.filter(user_id=person.pk, type=TYPES.RECOVERY_CODES).exists():
        return []
    return _new_recovery_codes(person)


def _accept_of_app(stored: Authenticator, code: str, *, at: datetime) -> bool:
    secret = decrypt(stored.data["secret"])
    step = _step_of(code, secret, at=at, after=stored.data.get("last_step", 0))
    if step is None:
        return False
    stored.data["secret"] = encrypt(secret)  # with the newest key, so that older ones fall out of use
    stored.data["last_step"] = step  # neither this code nor an earlier one is taken again
    stored.last_used_at = at
    stored.save(update_fields=["data", "last_used_at"])
    return True


def _step_of(code: str, secret: str, *, at: datetime, after: int) -> int | None:
    """Which step of time the code belongs to, of those near now and after the last one that was used."""
    typed = "".join(code.split())
    current = int(at.timestamp()) // app_settings.TOTP_PERIOD
    for step in range(current - STEPS_AWAY, current + STEPS_AWAY + 1):
        if step > after and constant_time_compare(typed, format_hotp_value(hotp_value(secret, step))):
            return step
    return None


def lock_person(person: AbstractUser) -> None:
    User.objects.select_for_update(no_key=True).get(pk=person.pk)


def tell(
    name: str,
    person: AbstractUser,
    summary: str,
    *,
    at: datetime,
    by: AbstractUser | None = None,
    because: str = "",
    **data: object,
) -> None:
    author = by or person
    log.record(
        name,
        subject=f"person:{person.get_username()}",
        scope=SCOPE,
        actor=author.get_username(),
        actor_kind="machine" if is_machine(author) else "person",
        at=at,
        summary=summary,
        because=because,
        data=data,
    )
