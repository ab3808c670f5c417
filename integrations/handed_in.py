"""What a source hands in, and when it cannot be taken in."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations.models import Connection, InboxMessage


class MessageRefused(Exception):
    """A message that cannot be taken in. `field` names the part at fault, `remedy` says what to do."""

    def __init__(self, problem: str, *, field: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.field = field
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A message as its sender handed it in."""

    external_id: str
    payload: bytes
    payload_media_type: str
    refusal: bytes = b""
    refusal_media_type: str = ""
    refusal_status: int | None = None
    refusal_headers: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    purpose: InboxMessage.Purpose = InboxMessage.Purpose.REFUSED
    ordering_key: str = ""

    @property
    def sha256(self) -> str:
        """Over payload and refusal: the same invoice refused for another reason is another message.

        And so is one that is to be delivered; of what was refused the hash says nothing about it, as it always did.
        """
        digest = hashlib.sha256()
        parts = [self.payload, self.refusal, str(self.refusal_status or "").encode()]
        if self.purpose != InboxMessage.Purpose.REFUSED:
            parts.append(self.purpose.value.encode())
        for part in parts:
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.hexdigest()


def refusal_of(handed_in: HandedIn, *, connection: Connection) -> MessageRefused | None:
    """Why the message cannot be kept at all, None when it can; what it says is for its reader to understand."""
    try:
        _refuse_unusable(connection, handed_in)
    except MessageRefused as refusal:
        return refusal
    return None


def _refuse_unusable(connection: Connection, handed_in: HandedIn) -> None:
    identifier = handed_in.external_id
    if not identifier.strip() or len(identifier) > 200 or not identifier.isprintable():
        raise MessageRefused(
            "The message has no usable identifier.",
            field="id",
            remedy="Send 1 to 200 printable characters, unique per message.",
        )
    if len(handed_in.ordering_key) > 200 or not handed_in.ordering_key.isprintable():
        raise MessageRefused(
            "The ordering key cannot be used.", field="ordering_key", remedy="Send up to 200 printable characters."
        )
    for name, media_type in (
        ("payload.media_type", handed_in.payload_media_type),
        ("refusal.media_type", handed_in.refusal_media_type),
    ):
        if len(media_type) > 100 or not media_type.isprintable():
            raise MessageRefused(
                "The media type is none.", field=name, remedy="Send one such as application/xml, up to 100 characters."
            )
    if not handed_in.payload:
        raise MessageRefused("The payload is empty.", field="payload", remedy="Send the refused document itself.")
    for name, part in (("payload", handed_in.payload), ("refusal", handed_in.refusal)):
        if len(part) > connection.max_bytes:
            raise MessageRefused(
                f"The {name} has {len(part):,} bytes; {connection.name} takes at most {connection.max_bytes:,}.",
                field=name,
                remedy="Send a smaller document, or ask an administrator to raise the connection's limit.",
            )
