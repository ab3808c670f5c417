"""Watched folders: a file is claimed by an atomic rename, taken in, and archived; what cannot be taken is quarantined.

A sender writes `NAME.xml` (or `.json` …) and beside it `NAME.refusal.xml`. A pair is complete when both are there, or
when the connection says that one is enough. A file is left alone until nothing about it has changed for some seconds;
senders who may pause longer than that while they write do so under a name that ends in `.part`, and rename.

Each pair gets a directory of its own, `claimed/STAMP-RANDOM/`, which is renamed as a whole to `archive/` or
`quarantine/` once the message is durable. Nothing is ever deleted or overwritten, and a worker that is killed at any
step leaves something that the next one recognises: the document moves in last, so where it is the pair is whole.
"""

import logging
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection as database
from django.db import transaction

from audit import log as audit_log
from integrations import file_pairs, inbox
from integrations.models import Connection, FolderProblem, InboxMessage
from integrations.quotas import has_room

log = logging.getLogger(__name__)

PLACES = ("claimed", "archive", "quarantine")
# Long enough for the pauses of a copy over a network, short enough to read as “at once”.
QUIET = timedelta(seconds=5)
_LOCK_SPACE = -1  # connections count from 1, so nothing else takes these advisory locks


@dataclass(frozen=True, slots=True)
class Pair:
    """A document and the refusal beside it, and in which directory they lie."""

    payload: Path
    refusal: Path | None

    @property
    def place(self) -> Path:
        return self.payload.parent

    @property
    def shown(self) -> str:
        return file_pairs.printable(self.payload.name)


def collect(connection: Connection, *, at: datetime, quiet: timedelta = QUIET) -> int:
    """Take in every complete pair of one connection's folder. Returns how many were taken in.

    Does nothing while another worker is at it. Raises OSError when the folder itself cannot be used, ValueError when
    it lies outside the intake folder.
    """
    folder = folder_of(connection)
    for place in ("", *PLACES):
        (folder / place).mkdir(parents=True, exist_ok=True)
    with _alone(connection) as alone:
        if not alone:
            return 0
        taken = sum(_take_in(connection, pair, folder, at=at) for pair in _left_behind(folder))
        for pair in _complete_pairs(folder, connection, quiet=quiet):
            if not has_room(connection, at=at):
                break  # they stay where they are until there is
            claimed = _claim(pair, folder, at=at)
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


@contextmanager
def _alone(connection: Connection) -> Iterator[bool]:
    """Whether this worker is the only one at the folder, on any machine; the lock ends with its database session."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK_SPACE, connection.pk])
        (ours,) = cursor.fetchone()
    try:
        yield ours
    finally:
        if ours:
            with database.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK_SPACE, connection.pk])


def _complete_pairs(folder: Path, connection: Connection, *, quiet: timedelta) -> Iterator[Pair]:
    links, files = what_lies_in(folder)
    for link in links:
        yield Pair(link, None)  # claimed like a file and then refused, so that a person sees it
    for name, path in sorted(files.items()):
        if file_pairs.is_unfinished(name) or file_pairs.is_refusal(name):
            continue
        beside = file_pairs.refusal_beside(name, files)
        refusal = files[beside] if beside is not None else None
        complete = refusal is not None or connection.refusal_optional
        if complete and _at_rest(path, quiet) and (refusal is None or _at_rest(refusal, quiet)):
            yield Pair(path, refusal)


def what_lies_in(folder: Path) -> tuple[list[Path], dict[str, Path]]:
    """The links, and the ordinary files by name; directories are left out."""
    with os.scandir(folder) as entries:
        found = list(entries)
    links = sorted(Path(entry.path) for entry in found if entry.is_symlink())
    return links, {entry.name: Path(entry.path) for entry in found if entry.is_file(follow_symlinks=False)}


def _at_rest(path: Path, quiet: timedelta) -> bool:
    """By the time of the last change to anything about the file, which no sender can set."""
    try:
        return time.time() - path.lstat().st_ctime >= quiet.total_seconds()
    except FileNotFoundError:
        return False


def _claim(pair: Pair, folder: Path, *, at: datetime) -> Pair | None:
    """Rename into a directory of its own: of two workers exactly one succeeds. The document comes last."""
    place = folder / "claimed" / f"{at:%Y%m%dT%H%M%S}-{secrets.token_hex(6)}"
    try:
        place.mkdir()
        refusal = pair.refusal.rename(place / pair.refusal.name) if pair.refusal is not None else None
        return Pair(pair.payload.rename(place / pair.payload.name), refusal)
    except FileNotFoundError:
        return None  # whatever did move is put back by the next look at what was left behind
    except OSError as error:
        log.warning("A file in %s cannot be moved: %s", folder, error)
        return None


def _left_behind(folder: Path) -> Iterator[Pair]:
    """Pairs that a dead worker had claimed; the inbox recognises those that it had stored already."""
    for place in sorted((folder / "claimed").iterdir()):
        if not place.is_dir() or place.is_symlink():
            continue
        links, files = what_lies_in(place)
        payloads = [*links, *(path for path in files.values() if not file_pairs.is_refusal(path.name))]
        refusals = [path for path in files.values() if file_pairs.is_refusal(path.name)]
        if payloads:
            yield Pair(payloads[0], refusals[0] if refusals else None)
            continue
        try:
            _put_back(place, refusals, folder)
        except OSError as error:
            log.warning("What was claimed in %s cannot be put back: %s", place, error)


def _put_back(place: Path, refusals: list[Path], folder: Path) -> None:
    """A refusal whose document was not claimed any more: it waits for it again, or gives way to a newer one."""
    for refusal in refusals:
        back = folder / refusal.name
        if back.exists():
            place.rename(folder / "quarantine" / place.name)
            return
        refusal.rename(back)
    place.rmdir()


def _take_in(connection: Connection, pair: Pair, folder: Path, *, at: datetime) -> bool:
    """Make the message durable, then put its files away. One pair's trouble does not keep the others waiting."""
    try:
        handed_in = _read(pair, connection)
        receipt = inbox.receive(
            connection, handed_in, via=InboxMessage.Via.FOLDER, by=f"folder:{connection.slug}", at=at
        )
    except FileNotFoundError:
        return False  # another worker finished it first
    except inbox.QuotaReached:
        return False  # it stays claimed, and is the first to be taken in when there is room
    except inbox.MessageRefused as error:
        _quarantine(connection, pair, folder, error, at=at)
    except OSError as error:
        log.warning("A file of %s could not be taken in: %s", connection, error)
        trouble = inbox.MessageRefused(
            f"The file cannot be read: {error.strerror or type(error).__name__}.",
            field="payload",
            remedy="See that the workbench may read it, and drop it again.",
        )
        _quarantine(connection, pair, folder, trouble, at=at)
    else:
        _archive(pair, folder)
        return not receipt.is_repeat
    return False


def _archive(pair: Pair, folder: Path) -> None:
    """What cannot be put away now, as on a full disk, is found by the next look and recognised as taken in."""
    try:
        pair.place.rename(folder / "archive" / pair.place.name)
    except FileNotFoundError:
        pass  # another worker finished it first
    except OSError as error:
        log.warning("%s was taken in and cannot be put away yet: %s", pair.shown, error)


def _read(pair: Pair, connection: Connection) -> inbox.HandedIn:
    payload = _bytes(pair.payload, connection)
    refusal = _bytes(pair.refusal, connection) if pair.refusal is not None else b""
    beside = pair.refusal.name if pair.refusal is not None else None
    return file_pairs.handed_in_as(pair.payload.name, payload, refusal=beside, answer=refusal)


def _bytes(path: Path, connection: Connection) -> bytes:
    """The content of an ordinary file that is not too large; links are not followed, pipes not waited for."""
    if path.is_symlink():
        raise file_pairs.a_link()
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > connection.max_bytes:
            raise file_pairs.too_large(facts.st_size, connection)
        return file.read(connection.max_bytes + 1)


def _quarantine(connection: Connection, pair: Pair, folder: Path, error: inbox.MessageRefused, *, at: datetime) -> None:
    """Put the files aside and tell a person, both or neither; what cannot be put aside now, the next look finds."""
    try:
        _put_aside(connection, pair, folder, error, at=at)
    except OSError as trouble:
        log.warning("%s cannot be put into quarantine yet: %s", pair.shown, trouble)


def _put_aside(connection: Connection, pair: Pair, folder: Path, error: inbox.MessageRefused, *, at: datetime) -> None:
    kept_as = f"quarantine/{pair.place.name}/{pair.shown}"
    with transaction.atomic():
        FolderProblem.objects.create(
            connection=connection,
            file_name=pair.shown[:255],
            quarantined_as=kept_as[:500],
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
            summary=f"{pair.shown} could not be taken in and was put into quarantine: {error.problem}",
            data={"file": pair.shown, "kept_as": kept_as},
        )
        pair.place.rename(folder / "quarantine" / pair.place.name)
