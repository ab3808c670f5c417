"""What the names of dropped files mean, wherever they lie: a document `NAME.xml` and beside it `NAME.refusal.xml`."""

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath

from integrations.handed_in import HandedIn, MessageRefused
from integrations.models import Connection, InboxMessage

MEDIA_TYPES = {".xml": "application/xml", ".json": "application/json", ".txt": "text/plain", ".csv": "text/csv"}
REFUSAL_MARK = ".refusal"
UNFINISHED = (".part", ".tmp", ".swp")


def is_unfinished(name: str) -> bool:
    """Whether a sender is still at it, by its name."""
    return name.startswith(".") or name.lower().endswith(UNFINISHED)


def is_refusal(name: str) -> bool:
    return _stem(name).endswith(REFUSAL_MARK)


def refusal_beside(document: str, names: Iterable[str]) -> str | None:
    """The refusal of a document among the names of its directory."""
    beginning = f"{_stem(document)}{REFUSAL_MARK}."
    return min((name for name in names if name.startswith(beginning)), default=None)


def has_document(refusal: str, names: Iterable[str]) -> bool:
    """Whether the document of a refusal is among the names of its directory."""
    stem = _stem(refusal).removesuffix(REFUSAL_MARK)
    return any(_stem(name) == stem and not is_refusal(name) for name in names)


def printable(name: str) -> str:
    """A file name as it may be stored and shown: a name on disk is any bytes."""
    text = name.encode(errors="backslashreplace").decode()
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def handed_in_as(
    document: str,
    payload: bytes,
    *,
    refusal: str | None = None,
    answer: bytes = b"",
    purpose: InboxMessage.Purpose = InboxMessage.Purpose.REFUSED,
) -> HandedIn:
    """The message that the content of a document, and of the refusal beside it, make. Names are without folders."""
    # The same name may come again next month with another document, so the name alone does not identify it.
    digest = hashlib.sha256(payload + b"\x00" + answer).hexdigest()[:16]
    return HandedIn(
        external_id=f"{printable(_stem(document))[:170]}-{digest}",
        payload=payload,
        payload_media_type=_media_type(document),
        refusal=answer,
        refusal_media_type=_media_type(refusal) if refusal is not None else "",
        context={"file_name": printable(document)},
        purpose=purpose,
    )


def a_link() -> MessageRefused:
    return MessageRefused(
        "This is a link to a file, not a file.", field="payload", remedy="Drop a copy of the file itself."
    )


def too_large(size: int, connection: Connection) -> MessageRefused:
    """`size` in bytes."""
    return MessageRefused(
        f"The file has {size:,} bytes; {connection.name} takes at most {connection.max_bytes:,}.",
        field="payload",
        remedy="Send a smaller document, or ask an administrator to raise the connection's limit.",
    )


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _media_type(name: str) -> str:
    return MEDIA_TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")
