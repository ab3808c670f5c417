"""Passkeys (WebAuthn): a second factor after the password, and a way to sign in without one. Kept by allauth's tables.

The challenge travels in the page, sealed, so that nobody who merely opens the sign-in page gets a session. What was
answered to it once is remembered with the passkey, and not taken again.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import transaction
from fido2.webauthn import ResidentKeyRequirement, UserVerificationRequirement

from exceptions_app.actions.mover import Invalid
from integrations.secret_box import Unsealable, seal, unseal
from workbench import second_factor
from workbench.models import User

SECONDS = 5 * 60
MOST_PASSKEYS = 10
LONGEST_NAME = 60
NOT_TAKEN = "This passkey was not recognised, or it took too long. Try it again."
_WRONG = (ValueError, TypeError, KeyError, AttributeError, ValidationError, Unsealable)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a page needs to ask the browser for a passkey: the options as JSON, and the challenge, sealed."""

    options: str
    state: str


def passkeys_of(person: AbstractUser) -> list[Authenticator]:
    return list(Authenticator.objects.filter(user_id=person.pk, type=second_factor.TYPES.WEBAUTHN).order_by("pk"))


def offer_to(person: AbstractUser | None) -> Offer | None:
    """For one who has passkeys, else None; for nobody in particular: any passkey, which then says whose it is."""
    known = auth.get_credentials(person) if person is not None else []
    if person is not None and not known:
        return None
    # Alone it stands for both factors, so it has to be unlocked, by a finger or a PIN; after a password it need not.
    verification = UserVerificationRequirement.PREFERRED if person else UserVerificationRequirement.REQUIRED
    options, state = auth.get_server().authenticate_begin(credentials=known, user_verification=verification)
    return _offer(options, state, whose=person)


def offer_to_add(person: AbstractUser) -> Offer:
    options, state = auth.get_server().register_begin(
        user=auth.build_user_payload(person),
        credentials=auth.get_credentials(person),
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
        extensions=auth.EXTENSIONS,
    )
    return _offer(options, state, whose=person)


@transaction.atomic
def add(person: AbstractUser, *, name: str, answered: str, state: str, at: datetime) -> list[str]:
    """Keep a passkey that the browser made; returns recovery codes when there were none. Raises Invalid."""
    try:
        credential = json.loads(answered)
        auth.parse_registration_response(credential)
        auth.get_server().register_complete(_state_in(state, whose=person), credential)
    except _WRONG as error:
        raise Invalid("name", NOT_TAKEN) from error
    second_factor.lock_person(person)
    if len(passkeys_of(person)) >= MOST_PASSKEYS:
        raise Invalid("name", f"You have {MOST_PASSKEYS} passkeys. Remove one first.")
    auth.WebAuthn.add(person, name.strip()[:LONGEST_NAME] or "Passkey", credential)
    codes = second_factor.first_recovery_codes(person)
    words = f"{person} added a passkey as a second factor."
    second_factor.tell("person.second_factor_added", person, words, at=at, kind="passkey")
    return codes


@transaction.atomic
def accept(
    person: AbstractUser, *, answered: str, state: str, at: datetime, record: Callable[[str], None], alone: bool = False
) -> bool:
    """Take a passkey's answer, once. `record` writes the event of what it is for, in this transaction.

    `alone` is whether it was offered to nobody in particular.
    """
    second_factor.lock_person(person)
    known = passkeys_of(person)
    try:
        asked = _state_in(state, whose=None if alone else person)
        credential = json.loads(answered)
        auth.parse_authentication_response(credential)
        found = auth.get_server().authenticate_complete(asked, auth.get_credentials(person), credential)
    except _WRONG:
        return False
    used = next((one for one in known if _id_of(one) == found.credential_id), None)
    if used is None or not _is_first_answer(used, str(asked["challenge"]), at=at):
        return False
    used.last_used_at = at
    used.save(update_fields=["data", "last_used_at"])
    record("passkey")
    return True


def person_named_in(answered: str) -> User | None:
    """Whose passkey it says that it is; nothing of this is proved yet."""
    try:
        found = auth.extract_user_from_response(json.loads(answered))
    except (*_WRONG, OverflowError):
        return None
    return found if isinstance(found, User) and found.is_active else None


@transaction.atomic
def remove(person: AbstractUser, *, number: int, at: datetime) -> bool:
    """Remove one passkey; with the last factor its recovery codes go. Raises NotPermitted where one is demanded."""
    second_factor.lock_person(person)
    found = next((one for one in passkeys_of(person) if one.pk == number), None)
    if found is None:
        return False
    others = Authenticator.objects.filter(user_id=person.pk).exclude(pk=found.pk)
    if not others.exclude(type=second_factor.TYPES.RECOVERY_CODES).exists():
        return second_factor.remove_own(person, at=at)
    found.delete()
    words = f"{person} removed a passkey."
    second_factor.tell("person.second_factor_removed", person, words, at=at, kinds=[found.type])
    return True


def _is_first_answer(used: Authenticator, challenge: str, *, at: datetime) -> bool:
    """Whether this challenge was not answered before; from now on it was. Older ones are too old to be taken."""
    answered = {key: when for key, when in used.data.get("answered", {}).items() if at.timestamp() - when <= SECONDS}
    key = sha256(challenge.encode()).hexdigest()
    is_first = key not in answered
    used.data["answered"] = {**answered, key: at.timestamp()}
    return is_first


def _offer(options: Any, state: Any, *, whose: AbstractUser | None) -> Offer:
    sealed = seal(json.dumps({"asked": dict(state), "person": whose.pk if whose is not None else None}))
    return Offer(json.dumps(dict(options)["publicKey"]), sealed)


def _state_in(sealed: str, *, whose: AbstractUser | None) -> dict[str, Any]:
    begun = json.loads(unseal(sealed, seconds=SECONDS))
    if begun["person"] != (whose.pk if whose is not None else None):
        raise ValueError("It was offered to somebody else.")
    asked: dict[str, Any] = begun["asked"]
    return asked


def _id_of(stored: Authenticator) -> bytes:
    known: bytes = stored.wrap().authenticator_data.credential_data.credential_id
    return known
