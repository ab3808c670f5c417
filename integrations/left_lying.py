"""Files that still lie in a watched folder though they should have been taken in: what each of them waits for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from integrations.file_pairs import has_document, is_refusal, is_unfinished, printable, refusal_beside
from integrations.folder import folder_of, what_lies_in
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
    for name, path in finished.items():
        if not is_refusal(name):
            waiting.append((path, _document_waits_for(name, finished, connection)))
        elif not has_document(name, finished):
            waiting.append((path, WaitsFor.DOCUMENT))
    found = [_lying(path, waits_for, at=at) for path, waits_for in waiting]
    return sorted((lying for lying in found if lying is not None), key=lambda lying: (lying.since, lying.file_name))


def _document_waits_for(name: str, files: Iterable[str], connection: Connection) -> WaitsFor:
    complete = connection.refusal_optional or refusal_beside(name, files) is not None
    return WaitsFor.WORKER if complete else WaitsFor.REFUSAL


def _lying(path: Path, waits_for: WaitsFor, *, at: datetime) -> LeftLying | None:
    """None while it may still be on its way, or when it is gone since."""
    try:
        since = datetime.fromtimestamp(path.lstat().st_ctime, UTC)
    except FileNotFoundError:
        return None
    return LeftLying(file_name=printable(path.name), waits_for=waits_for, since=since) if at - since > OVERDUE else None
