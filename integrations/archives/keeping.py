"""How a file gets into an archive, whatever kind it is: under another name first, read back, renamed, read again.

The name of a file has its digest. So whatever another worker puts there at the same time is the same, and what lies
there with other content was changed by somebody else: it is left as it is, and told.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from django.core.exceptions import ImproperlyConfigured

from integrations.archive_settings import FolderSettings, read_archive_settings
from integrations.archives.failures import ArchiveFailed, FileChanged
from integrations.archives.folder import folder_store
from integrations.archives.sftp import sftp_store
from integrations.models import Archive
from integrations.pull_settings import SettingsRefused

__all__ = ["ArchiveFailed", "FileChanged", "Parcel", "keep"]
LONGEST = 600.0  # seconds for one attempt
_OLD_ATTEMPTS = 10  # of which leftovers are looked for


class Store(Protocol):
    """An archive that is open. Names are those of files in its one folder; each may raise OSError."""

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content. Raises FileNotFoundError."""

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a file until it is durable."""

    def rename(self, name: str, to: str) -> None:
        """All or nothing; what is there is not overwritten."""

    def remove(self, name: str) -> None:
        """Raises FileNotFoundError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A file to be kept. `chunks` gives its content from the start, each time; `attempt` counts from 1."""

    name: str
    size: int
    sha256: str
    attempt: int
    chunks: Callable[[], Iterable[bytes]]

    def temporary(self, attempt: int) -> str:
        """Where an attempt writes: a worker that was thought dead cannot write into the file of the next one."""
        return f".{self.name}.{attempt}.part"


def keep(archive: Archive, parcel: Parcel) -> bool:
    """Have the archive keep a file; False when it lies there already. Raises ArchiveFailed, FileChanged among them."""
    with _opened(archive) as store:
        for old in range(max(1, parcel.attempt - _OLD_ATTEMPTS), parcel.attempt):
            _remove(store, parcel.temporary(old))  # of a worker that died
        if _is_kept(store, parcel):
            return False
        mine = parcel.temporary(parcel.attempt)
        try:
            _write(store, mine, parcel)
            store.rename(mine, parcel.name)
        except (ArchiveFailed, OSError):
            _remove(store, mine)
            raise
        if not _is_kept(store, parcel):
            raise ArchiveFailed("The file was written, and is not there any more.")
        return True


def _write(store: Store, name: str, parcel: Parcel) -> None:
    store.write(name, parcel.chunks())
    if _digest(store, name) != (parcel.size, parcel.sha256):
        raise ArchiveFailed("What was read back is not what was written. The file was not put in its place.")


def _opened(archive: Archive) -> AbstractContextManager[Store]:
    try:
        settings = read_archive_settings(archive.kind, archive.settings)
        archive.refresh_from_db(fields=["secret"])
    except SettingsRefused as refused:
        raise ArchiveFailed(f"The settings cannot be used. {refused}", pauses=True) from refused
    except ImproperlyConfigured as error:
        raise ArchiveFailed(str(error), pauses=True) from error
    if isinstance(settings, FolderSettings):
        return folder_store(settings)
    return sftp_store(settings, archive.secret, timeout=archive.timeout_seconds, deadline=LONGEST)


def _is_kept(store: Store, parcel: Parcel) -> bool:
    """Whether it lies there as it should; raises FileChanged when it is not what its name says."""
    try:
        size, sha256 = _digest(store, parcel.name)
    except FileNotFoundError:
        return False
    if (size, sha256) != (parcel.size, parcel.sha256):
        raise FileChanged(
            f"In the archive lies {parcel.name} with other content: {size} bytes, SHA-256 {sha256}. "
            "It was left as it is. Find out who changed it."
        )
    return True


def _digest(store: Store, name: str) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    for piece in store.pieces(name):
        size += len(piece)
        digest.update(piece)
    return size, digest.hexdigest()


def _remove(store: Store, name: str) -> None:
    """What cannot be removed now is looked for again by the next attempt."""
    try:
        store.remove(name)
    except OSError:
        return
