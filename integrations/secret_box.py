"""Secrets of connections and of people, encrypted at rest with keys that the database does not hold.

AES-256-GCM, under a key that is derived from one of FIELD_ENCRYPTION_KEYS. What was sealed before that is Fernet and is
opened as ever; it is sealed anew when it is written again. What is sealed begins with the name of how it was.
"""

import base64
import binascii
import os
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

if TYPE_CHECKING:
    _TextField = models.TextField[str, str]
else:  # the class takes type arguments only in its stubs
    _TextField = models.TextField

# No text of Fernet's has a full stop.
_KIND = "g1."
_TIME_BYTES, _NONCE_BYTES, _KEY_BYTES = 8, 12, 32


class _Box:
    """Seals with the first key, and opens with any."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._ciphers = [AESGCM(_derived(key)) for key in keys]

    def seal(self, content: bytes) -> str:
        at = int(time.time()).to_bytes(_TIME_BYTES)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[0].encrypt(nonce, content, _KIND.encode() + at)
        return _KIND + base64.urlsafe_b64encode(at + nonce + sealed).decode()

    def open(self, sealed: str, *, seconds: int | None = None) -> bytes:
        """Raises InvalidToken, also when it is older than `seconds`."""
        if not sealed.startswith(_KIND):
            return self._fernet.decrypt(sealed.encode(), ttl=seconds)
        at, nonce, rest, named = _parts(sealed)
        content = self._decrypt(nonce, rest, named)
        if seconds is not None and time.time() - at > seconds:
            raise InvalidToken
        return content

    def is_newest(self, sealed: str) -> bool:
        """Whether it was sealed in today's way with the first key."""
        if not sealed.startswith(_KIND):
            return False
        try:
            _, nonce, rest, named = _parts(sealed)
            self._ciphers[0].decrypt(nonce, rest, named)
        except (InvalidToken, InvalidTag, ValueError):
            return False
        return True

    def _decrypt(self, nonce: bytes, sealed: bytes, named: bytes) -> bytes:
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, sealed, named)
            except (InvalidTag, ValueError):
                continue
        raise InvalidToken


def _parts(sealed: str) -> tuple[int, bytes, bytes, bytes]:
    """When it was sealed, the nonce, what is encrypted, and what that is bound to. Raises InvalidToken."""
    try:
        raw = base64.b64decode(sealed.removeprefix(_KIND).encode(), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InvalidToken from error
    at, nonce, rest = raw[:_TIME_BYTES], raw[_TIME_BYTES:][:_NONCE_BYTES], raw[_TIME_BYTES + _NONCE_BYTES :]
    return int.from_bytes(at), nonce, rest, _KIND.encode() + at


def _derived(key: str) -> bytes:
    """A key for this alone, so that what Fernet does with the same one tells nothing of it."""
    raw = base64.urlsafe_b64decode(key)
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"exception-workbench sealed g1").derive(raw)


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> _Box:
    try:
        return _Box(keys)
    except ValueError as error:
        raise ImproperlyConfigured(
            "FIELD_ENCRYPTION_KEYS: each key is 32 random bytes in URL-safe base64; "
            "make one with `./run manage generate_key`."
        ) from error


def _ours() -> _Box:
    return _box(tuple(settings.FIELD_ENCRYPTION_KEYS))


def seal(text: str) -> str:
    """Encrypt a text with the first key, for what is stored in a column of somebody else's making."""
    return _ours().seal(text.encode())


def unseal(sealed: str, *, seconds: int | None = None) -> str:
    """What `seal` encrypted, with any of the keys; raises Unsealable, also when it is older than `seconds`."""
    try:
        return _ours().open(sealed, seconds=seconds).decode()
    except InvalidToken as error:
        raise Unsealable("No key of FIELD_ENCRYPTION_KEYS opens it, or it is too old.") from error


def is_newest(sealed: str) -> bool:
    """Whether the first key sealed it, in today's way: nothing is left to do when keys are changed."""
    return _ours().is_newest(sealed)


class Unsealable(Exception):
    """It was changed, is too old, or was encrypted with a key that is gone."""


class SealedTextField(_TextField):
    """Text that is encrypted in the database (the first key encrypts, all keys decrypt).

    Set `FIELD_ENCRYPTION_KEYS` with the new key first to rotate, and run `seal_anew`. A value that no key opens is an
    error, never an empty secret.
    """

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        if not value:
            return value
        try:
            return _ours().open(value).decode()
        except InvalidToken as error:
            raise ImproperlyConfigured(
                f"{self.model.__name__}.{self.name} was encrypted with a key that FIELD_ENCRYPTION_KEYS no longer has."
            ) from error

    def get_prep_value(self, value: Any) -> Any:
        if not value:
            return value
        return _ours().seal(str(value).encode())
