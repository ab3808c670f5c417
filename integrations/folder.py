"""Watched folders: a file is claimed by an atomic rename, taken in, and archived; what cannot be taken is quarantined.

A sender writes `NAME.xml` (or `.json` …) and beside it `NAME.refusal.xml`. A pair is complete when both are there, or
when the connection says that one is enough. Senders who cannot write atomically write under a name that ends in
`.part` and rename. Nothing is ever deleted: originals move to `archive/` or `quarantine/`.
"""

import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from audit import log as audit_log
from integrations import inbox
from integrations.models import Connection, FolderProblem, InboxMessage

log = logging.getLogger(__name__)

MEDIA_TYPES = {".xml": "application/xml", ".json": "application/json", ".txt": "text/plain", ".csv": "text/csv"}
REFUSAL_MARK = ".refusal"
UNFINISHED = (".part", ".tmp", ".swp")


@dataclass(frozen=True, slots=True)
class Pair:
    """A document and the refusal beside it."""

    name: str
    payload: Path
    refusal: Path | None


def collect(connection: Connection, *, at: datetime) -> int:
    """Take in every complete pair of one connection's folder. Returns how many were taken in."""
    folder = folder_of(connection)
    for place in ("", "claimed", "archive", "quarantine"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    taken = 0
    for pair in [*_left_behind(folder, connection), *_complete_pairs(folder, connection)]:
        claimed = _claim(pair, folder)
        if claimed is not None:
            taken += _take_in(connection, claimed, folder, at=at)
    return taken


def folder_of(connection: Connection) -> Path:
    """The connection's folder, which cannot lie outside the intake folder."""
    root = Path(settings.INTAKE_FOLDER).resolve()
    folder = (root / connection.watched_folder).resolve()
    if not folder.is_relative_to(root) or folder == root:
        raise ValueError(f"The folder of {connection} must lie below the intake folder.")
    return folder


def _complete_pairs(folder: Path, connection: Connection) -> Iterator[Pair]:
    files = {entry.name: Path(entry.path) for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)}
    for name, path in sorted(files.items()):
        if name.startswith(".") or name.endswith(UNFINISHED) or path.stem.endswith(REFUSAL_MARK):
            continue
        refusal = next(
            (files[other] for other in sorted(files) if other.startswith(f"{path.stem}{REFUSAL_MARK}.")), None
        )
        if refusal is not None or connection.refusal_optional:
            yield Pair(path.stem, path, refusal)


def _left_behind(folder: Path, connection: Connection) -> Iterator[Pair]:
    """Pairs that were claimed by a worker that died; the inbox recognises those it had stored already."""
    yield from _complete_pairs(folder / "claimed", connection)


def _claim(pair: Pair, folder: Path) -> Pair | None:
    """Rename into `claimed/`: of two workers exactly one succeeds."""
    if pair.payload.parent.name == "claimed":
        return pair
    try:
        refusal = None
        if pair.refusal is not None:
            refusal = pair.refusal.rename(folder / "claimed" / pair.refusal.name)
        return Pair(pair.name, pair.payload.rename(folder / "claimed" / pair.payload.name), refusal)
    except FileNotFoundError:
        return None


def _take_in(connection: Connection, pair: Pair, folder: Path, *, at: datetime) -> bool:
    try:
        handed_in = _read(pair)
        receipt = inbox.receive(
            connection, handed_in, via=InboxMessage.Via.FOLDER, by=f"folder:{connection.slug}", at=at
        )
    except FileNotFoundError:
        return False  # another worker finished this left-behind pair first
    except inbox.MessageRefused as error:
        _quarantine(connection, pair, folder, error, at=at)
        return False
    _put_away(pair, folder / "archive", at=at)
    return not receipt.is_repeat


def _read(pair: Pair) -> inbox.HandedIn:
    payload = pair.payload.read_bytes()
    refusal = pair.refusal.read_bytes() if pair.refusal is not None else b""
    # The same name may come again next month with another document, so the name alone does not identify it.
    digest = hashlib.sha256(payload + b"\x00" + refusal).hexdigest()[:16]
    return inbox.HandedIn(
        external_id=f"{pair.name[:170]}-{digest}",
        payload=payload,
        payload_media_type=_media_type(pair.payload),
        refusal=refusal,
        refusal_media_type=_media_type(pair.refusal) if pair.refusal is not None else "",
        context={"file_name": pair.payload.name},
    )


def _media_type(path: Path) -> str:
    return MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")


def _quarantine(connection: Connection, pair: Pair, folder: Path, error: inbox.MessageRefused, *, at: datetime) -> None:
    kept = _put_away(pair, folder / "quarantine", at=at)
    with transaction.atomic():
        FolderProblem.objects.create(
            connection=connection,
            file_name=pair.payload.name,
            quarantined_as=str(kept.relative_to(folder)),
            problem=error.problem,
            remedy=error.remedy,
            found_at=at,
        )
        audit_log.record(
            "message.quarantined",
            subject=f"connection:{connection.slug}",
            scope=f"connection/{connection.slug}",
            actor=f"folder:{connection.slug}",
            actor_kind="machine",
            at=at,
            summary=f"{pair.payload.name} could not be taken in and was put into quarantine: {error.problem}",
            data={"file": pair.payload.name, "kept_as": str(kept.relative_to(folder))},
        )


def _put_away(pair: Pair, place: Path, *, at: datetime) -> Path:
    """Move both files, never over an older one."""
    stamp = at.strftime("%Y%m%dT%H%M%S%f")
    place.mkdir(parents=True, exist_ok=True)
    if pair.refusal is not None:
        pair.refusal.rename(place / f"{stamp}-{pair.refusal.name}")
    return pair.payload.rename(place / f"{stamp}-{pair.payload.name}")
