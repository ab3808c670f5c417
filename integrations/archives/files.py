"""A file among files: under another name first, read back, renamed, read again."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from integrations.archives.failures import ArchiveFailed
from integrations.archives.parcels import Found, Parcel, Reading

_OLD_ATTEMPTS = 10  # of which leftovers are looked for


class Files(Protocol):
    """An archive that is open. Names are those of files in its one folder; each may raise OSError."""

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content. Raises FileNotFoundError."""

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a file until it is durable."""

    def rename(self, name: str, to: str) -> None:
        """All or nothing; what is there is not overwritten."""

    def remove(self, name: str) -> None:
        """Raises FileNotFoundError."""


class ByRename:
    """A store of files, where a file is whole before it has its name."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def tidy(self, parcel: Parcel) -> None:
        for old in range(max(1, parcel.attempt - _OLD_ATTEMPTS), parcel.attempt):
            self._remove(parcel.temporary(old))  # of a worker that died

    def holds(self, parcel: Parcel) -> bool:
        try:
            found = self._read(parcel.name)
        except FileNotFoundError:
            return False
        parcel.require_in(found)
        return True

    def put(self, parcel: Parcel) -> None:
        mine = parcel.temporary(parcel.attempt)
        try:
            self._write(mine, parcel)
            self._files.rename(mine, parcel.name)
        except (ArchiveFailed, OSError):
            self._remove(mine)
            raise

    def _write(self, name: str, parcel: Parcel) -> None:
        self._files.write(name, parcel.chunks())
        if not parcel.is_in(self._read(name)):
            raise ArchiveFailed("What was read back is not what was written. The file was not put in its place.")

    def _read(self, name: str) -> Found:
        return Reading(self._files.pieces(name)).found

    def _remove(self, name: str) -> None:
        """What cannot be removed now is looked for again by the next attempt."""
        try:
            self._files.remove(name)
        except OSError:
            return
