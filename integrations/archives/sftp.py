"""An archive on an SFTP server, over the wire that pull sources use."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from integrations.archives.failures import ArchiveFailed
from integrations.archives.files import ByRename
from integrations.pull.outcome import PullFailed
from integrations.pull.sftp_wire import Server, signed_in
from integrations.pull_settings import SftpSettings


@contextmanager
def sftp_store(settings: SftpSettings, secret: str, *, timeout: float, deadline: float) -> Iterator[ByRename]:
    """Raises ArchiveFailed for whatever goes wrong there. Times in seconds: of each wait, and of all."""
    try:
        with signed_in(settings, secret, timeout=timeout, deadline=deadline) as server:
            yield ByRename(SftpStore(server, settings.folder.rstrip("/")))
    except PullFailed as failure:
        raise ArchiveFailed(failure.problem, pauses=failure.pauses) from failure


class SftpStore:
    """The folder has to be there: one that is missing may be a volume that is not mounted."""

    def __init__(self, server: Server, folder: str) -> None:
        self._server, self._folder = server, folder

    def pieces(self, name: str) -> Iterator[bytes]:
        return self._server.pieces(self._path(name))

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        self._server.write(self._path(name), chunks)

    def rename(self, name: str, to: str) -> None:
        self._server.rename(self._path(name), self._path(to))

    def remove(self, name: str) -> None:
        self._server.remove(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"
