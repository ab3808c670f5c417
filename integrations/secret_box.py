"""Secrets of connections and of people, encrypted at rest with keys that the database does not hold."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

if TYPE_CHECKING:
    _TextField = models.TextField[str, str]
else:  # the class takes type arguments only in its stubs
    _TextField = models.TextField


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise ImproperlyConfigured(
            "FIELD_ENCRYPTION_KEYS: each key is 32 random bytes in URL-safe base64; "
            "make one with `./run manage generate_key`."
        ) from error


def seal(text: str) -> str:
    """Encrypt a text with the first key, for what is stored in a column of somebody else's making."""
    return _box(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def unseal(sealed: str, *, seconds: int | None = None) -> str:
    """What `seal` encrypted, with any of the keys; raises Unsealable, also when it is older than `seconds`."""
    try:
        return _box(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(sealed.encode(), ttl=seconds).decode()
    except InvalidToken as error:
        raise Unsealable("No key of FIELD_ENCRYPTION_KEYS opens it, or it is too old.") from error


class Unsealable(Exception):
    """It was changed, is too old, or was encrypted with a key that is gone."""


class SealedTextField(_TextField):
    """Text that is encrypted in the database (Fernet; the first key encrypts, all keys decrypt).

    Set `FIELD_ENCRYPTION_KEYS` with the new key first to rotate. A value that no key opens is an error,
    never an empty secret.
    """

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        if not value:
            return value
        try:
            return _box(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise ImproperlyConfigured(
                f"{self.model.__name__}.{self.name} was encrypted with a key that FIELD_ENCRYPTION_KEYS no longer has."
            ) from error

    def get_prep_value(self, value: Any) -> Any:
        if not value:
            return value
        return _box(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(str(value).encode()).decode()
