"""An archive that is a folder of this machine, or one that is mounted there."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings as configured

from integrations.archive_settings import FolderSettings
from integrations.archives.failures import ArchiveFailed
from integrations.archives.files import ByRename

_PIECE = 1 << 20
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


@contextmanager
def folder_store(settings: FolderSettings) -> Iterator[ByRename]:
    """Raises ArchiveFailed for whatever goes wrong there."""
    try:
        yield ByRename(FolderStore(_folder(settings)))
    except OSError as error:
        raise ArchiveFailed(f"The folder cannot be used: {error.strerror or type(error).__name__}.") from error


def _folder(settings: FolderSettings) -> Path:
    if not configured.ARCHIVE_FOLDER:
        raise ArchiveFailed("WB_ARCHIVE_FOLDER is not set, so that no folder may be written to.", pauses=True)
    root = Path(configured.ARCHIVE_FOLDER).resolve()
    folder = (root / settings.folder).resolve()
    if not folder.is_relative_to(root):  # by a link
        raise ArchiveFailed("The folder does not lie below the one of WB_ARCHIVE_FOLDER.", pauses=True)
    if not root.is_dir():  # a volume that is not mounted: nothing is written where it should be
        raise ArchiveFailed("The folder of WB_ARCHIVE_FOLDER is not there. Is its volume mounted?")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class FolderStore:
    """Links are not followed, and nothing is overwritten."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pieces(self, name: str) -> Iterator[bytes]:
        with os.fdopen(os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            while piece := file.read(_PIECE):
                yield piece

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        mine = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o640)
        with os.fdopen(mine, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, name: str, to: str) -> None:
        here, there = self._folder / name, self._folder / to
        try:
            os.link(here, there)  # which, unlike a rename, overwrites nothing
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            here.rename(there)
        else:
            here.unlink()
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self, name: str) -> None:
        (self._folder / name).unlink()
