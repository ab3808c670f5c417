"""Files that still lie in a watched folder though they should have been taken in: what each of them waits for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from integrations.folder import (
    REFUSAL_MARK,
    folder_of,
    is_refusal,
    is_unfinished,
    printable,
    refusal_beside,
    what_lies_in,
)
from integrations.models import Connection

# A sender writes both halves within seconds, and the folder is looked at every few.
OVERDUE = timedelta(minutes=1)


class WaitsFor(StrEnum):
    DOCUMENT = "its document"
    REFUSAL = "its refusal"
    WORKER = "a worker that can take it in"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftLying:
    """One file and since when nothing about it has changed."""

    file_name: str
    waits_for: WaitsFor
    since: datetime


def left_lying(connection: Connection, *, at: datetime) -> list[LeftLying]:
    """What has lain there for longer than OVERDUE, longest first.

    A refusal whose document is there as well is not listed beside it. Raises OSError when the folder cannot be read,
    ValueError when it lies outside the intake folder.
    """
    try:
        links, files = what_lies_in(folder_of(connection))
    except FileNotFoundError:
        return []  # nothing was dropped yet, and no worker has looked
    finished = {name: path for name, path in files.items() if not is_unfinished(name)}
    waiting = [(link, WaitsFor.WORKER) for link in links]
    for path in finished.values():
        if not is_refusal(path):
            waiting.append((path, _document_waits_for(path, finished, connection)))
        elif not _has_document(path, finished):
            waiting.append((path, WaitsFor.DOCUMENT))
    found = [_lying(path, waits_for, at=at) for path, waits_for in waiting]
    return sorted((lying for lying in found if lying is not None), key=lambda lying: (lying.since, lying.file_name))


def _document_waits_for(path: Path, files: dict[str, Path], connection: Connection) -> WaitsFor:
    complete = connection.refusal_optional or refusal_beside(path, files) is not None
    return WaitsFor.WORKER if complete else WaitsFor.REFUSAL


def _has_document(refusal: Path, files: dict[str, Path]) -> bool:
    stem = refusal.stem.removesuffix(REFUSAL_MARK)
    return any(path.stem == stem and not is_refusal(path) for path in files.values())


def _lying(path: Path, waits_for: WaitsFor, *, at: datetime) -> LeftLying | None:
    """None while it may still be on its way, or when it is gone since."""
    try:
        since = datetime.fromtimestamp(path.lstat().st_ctime, UTC)
    except FileNotFoundError:
        return None
    return LeftLying(file_name=printable(path.name), waits_for=waits_for, since=since) if at - since > OVERDUE else None
