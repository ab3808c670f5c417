"""A file to be kept, and whether what lies in an archive is it.

The name of a file has its digest. So whatever another worker puts there at the same time is the same, and what lies
there with other content was changed by somebody else: it is left as it is, and told.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from integrations.archives.failures import FileChanged


@dataclass(frozen=True, slots=True)
class Found:
    """What was read in an archive."""

    size: int
    sha256: str


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

    def is_in(self, found: Found) -> bool:
        return (found.size, found.sha256) == (self.size, self.sha256)

    def require_in(self, found: Found) -> None:
        """Raises FileChanged when what lies there is not what its name says."""
        if not self.is_in(found):
            raise FileChanged(
                f"In the archive lies {self.name} with other content: {found.size} bytes, SHA-256 {found.sha256}. "
                "It was left as it is. Find out who changed it."
            )


class Reading:
    """Size and digest of what is read, piece by piece."""

    def __init__(self, pieces: Iterable[bytes] = ()) -> None:
        self._size, self._digest = 0, hashlib.sha256()
        for piece in pieces:
            self.add(piece)

    def add(self, piece: bytes) -> None:
        self._size += len(piece)
        self._digest.update(piece)

    @property
    def found(self) -> Found:
        return Found(self._size, self._digest.hexdigest())
