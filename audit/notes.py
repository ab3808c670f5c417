"""Checkpoints as text that can leave the database: C2SP *tlog-checkpoint* in a *signed note*.

The text is the origin, the size and the Merkle root (base64), each on its line, then three extension lines: the head
of the hash chain, the time, and the SHA-256 of the previous checkpoint's text. A blank line and the signature follow.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from audit.canonical import timestamp
from audit.keys import SigningKey, VerifierKey

NO_PREVIOUS = bytes(32)
B64_32 = r"[A-Za-z0-9+/]{43}="
TEXT = re.compile(
    r"(?P<origin>[^\s+]+)\n"
    r"(?P<size>[1-9][0-9]{0,18})\n"
    rf"(?P<root>{B64_32})\n"
    rf"chain (?P<chain>{B64_32})\n"
    r"at (?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)\n"
    rf"previous (?P<previous>{B64_32})\n"
)
SIGNED = re.compile(rf"^(?P<text>{TEXT.pattern})\n— (?P<name>\S+) (?P<signature>[A-Za-z0-9+/]+=*)\n", re.MULTILINE)


class NotANote(ValueError):
    """Text that should hold signed checkpoints holds none."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a checkpoint states: the log's first ``size`` events have this root and this chain head."""

    origin: str
    size: int
    root: bytes
    chain_head: bytes
    at: datetime
    previous_digest: bytes

    @property
    def text(self) -> str:
        return (
            f"{self.origin}\n{self.size}\n{_b64(self.root)}\nchain {_b64(self.chain_head)}\n"
            f"at {timestamp(self.at)}\nprevious {_b64(self.previous_digest)}\n"
        )


@dataclass(frozen=True, kw_only=True)
class SignedNote:
    """A checkpoint's text with one signature."""

    text: str
    key_id: str
    signature: bytes

    @property
    def checkpoint(self) -> Checkpoint:
        return parse_text(self.text)

    @property
    def digest(self) -> bytes:
        """What the next checkpoint calls ``previous``."""
        return hashlib.sha256(self.text.encode()).digest()

    @property
    def header(self) -> str:
        """The whole note in one line of base64, as an HTTP header can carry it."""
        return base64.b64encode(str(self).encode()).decode()

    def fault(self, keys: Mapping[str, VerifierKey]) -> str | None:
        """Why the signature is not to be trusted, or None when it is."""
        key = keys.get(self.key_id)
        if key is None:
            return f"it is signed with key {self.key_id}, which is not known here"
        if key.name != self.checkpoint.origin:
            return f"its origin {self.checkpoint.origin} is not that of key {self.key_id}"
        if not key.verifies(self.signature, self.text.encode()):
            return "its signature is not valid"
        return None

    def __str__(self) -> str:
        signature = _b64(bytes.fromhex(self.key_id) + self.signature)
        return f"{self.text}\n— {self.checkpoint.origin} {signature}\n"


def sign(checkpoint: Checkpoint, *, key: SigningKey) -> SignedNote:
    text = checkpoint.text
    return SignedNote(text=text, key_id=key.verifier.key_id, signature=key.sign(text.encode()))


def parse_text(text: str) -> Checkpoint:
    """Read the text of a note; raises ``NotANote``."""
    match = TEXT.fullmatch(text)
    if match is None:
        raise NotANote("This is not the text of a checkpoint.")
    return Checkpoint(
        origin=match["origin"],
        size=int(match["size"]),
        root=base64.b64decode(match["root"]),
        chain_head=base64.b64decode(match["chain"]),
        at=datetime.strptime(match["at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC),
        previous_digest=base64.b64decode(match["previous"]),
    )


def parse_notes(content: str) -> list[SignedNote]:
    """Every complete signed note in ``content``, in order. What an interrupted write left behind is passed over."""
    return [_signed(match) for match in SIGNED.finditer(content)]


def _signed(match: re.Match[str]) -> SignedNote:
    try:
        signature = base64.b64decode(match["signature"], validate=True)
    except ValueError:
        signature = b""
    return SignedNote(text=match["text"], key_id=signature[:4].hex(), signature=signature[4:])


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()
