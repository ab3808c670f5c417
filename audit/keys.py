"""Ed25519 keys that sign checkpoints, written as the C2SP *signed note* format writes them.

A key has a name (this installation's origin) and a key id: the first four bytes of
SHA-256(name || 0x0A || 0x01 || public key). A verifier key is ``name+keyid+base64(0x01 || public key)``; it is
no secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

ALGORITHM = b"\x01"
DEFAULT_ORIGIN = "exception-workbench"
KEY_FILE = "audit-signing-key"
SEED_BYTES = 32


@dataclass(frozen=True)
class VerifierKey:
    """The public half: checks signatures and makes none."""

    name: str
    public: bytes

    @property
    def key_id(self) -> str:
        return hashlib.sha256(self.name.encode() + b"\n" + ALGORITHM + self.public).hexdigest()[:8]

    def verifies(self, signature: bytes, text: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except InvalidSignature:
            return False
        return True

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id}+{base64.b64encode(ALGORITHM + self.public).decode()}"


@dataclass(frozen=True)
class SigningKey:
    """The private half. Its representation shows only what is public."""

    verifier: VerifierKey
    private: Ed25519PrivateKey

    def sign(self, text: bytes) -> bytes:
        return self.private.sign(text)

    def __repr__(self) -> str:
        return f"SigningKey({self.verifier})"


def origin() -> str:
    """The name of this log, the same for the life of the installation (setting ``AUDIT_ORIGIN``)."""
    name = str(getattr(settings, "AUDIT_ORIGIN", "") or DEFAULT_ORIGIN)
    if re.search(r"[\s+]", name):
        raise ImproperlyConfigured(f"AUDIT_ORIGIN={name!r} must not contain blanks or plus signs.")
    return name


def signing_key() -> SigningKey:
    """The key that signs checkpoints now, from setting ``AUDIT_SIGNING_KEY`` (base64 of a 32-byte seed).

    Outside production a key is made on first use and kept below ``WB_HOME``.
    """
    text = str(getattr(settings, "AUDIT_SIGNING_KEY", "") or "")
    if not text:
        if getattr(settings, "PRODUCTION", True):
            raise ImproperlyConfigured(
                "AUDIT_SIGNING_KEY is not set. Set AUDIT_SIGNING_KEY (or AUDIT_SIGNING_KEY_FILE) to the base64 of "
                "32 random bytes, for example from: openssl rand -base64 32"
            )
        text = _development_key(Path(settings.WB_HOME) / "secrets" / KEY_FILE)
    return key_from_seed(text, name=origin())


def key_from_seed(text: str, *, name: str) -> SigningKey:
    """The key that a base64 seed stands for."""
    try:
        seed = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        seed = b""
    if len(seed) != SEED_BYTES:
        raise ImproperlyConfigured("AUDIT_SIGNING_KEY is not the base64 of exactly 32 bytes.")
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return SigningKey(VerifierKey(name, private.public_key().public_bytes_raw()), private)


def parse_verifier_key(text: str) -> VerifierKey:
    """Read ``name+keyid+base64``; raises ``ValueError`` that says what is wrong."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise ValueError(f'"{text}" is not a verifier key such as name+keyid+base64.')
    try:
        encoded = base64.b64decode(parts[2], validate=True)
    except (binascii.Error, ValueError):
        encoded = b""
    if len(encoded) != 33 or encoded[:1] != ALGORITHM:
        raise ValueError(f'"{text}" does not hold an Ed25519 public key.')
    key = VerifierKey(parts[0], encoded[1:])
    if key.key_id != parts[1]:
        raise ValueError(f'"{text}" does not match its own key id {key.key_id}.')
    return key


def verifier_keys() -> Mapping[str, VerifierKey]:
    """Every key whose checkpoints are accepted, by key id: the current one and those in ``AUDIT_VERIFIER_KEYS``."""
    keys = [parse_verifier_key(text) for text in getattr(settings, "AUDIT_VERIFIER_KEYS", ())]
    if getattr(settings, "AUDIT_SIGNING_KEY", "") or not keys:
        keys.append(signing_key().verifier)
    return {key.key_id: key for key in keys}


def _development_key(path: Path) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        # Written beside and linked, so that two processes that start together agree on one complete key.
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(base64.b64encode(os.urandom(SEED_BYTES)).decode() + "\n")
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return path.read_text(encoding="ascii")
