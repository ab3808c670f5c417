"""The directory of one installation: secrets, data, logs, sockets. By default ``var/`` in the clone."""

import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

# A Unix socket path must fit 104 bytes on macOS and 108 on Linux, and the servers append their own file names.
LONGEST_SOCKET_DIRECTORY = 75


def _random_text() -> str:
    return secrets.token_urlsafe(48)


class AlreadyRunning(Exception):
    """Another supervisor holds this home."""


class Home:
    """Paths below one directory that only its owner may read."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        for directory in (self.path, self.secrets, self.logs, self.processes):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock: IO[str] | None = None

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def logs(self) -> Path:
        return self.path / "log"

    @property
    def processes(self) -> Path:
        return self.path / "processes"

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    def secret(self, name: str) -> str:
        """Return the secret of that name; the first call makes it, readable by its owner alone."""
        return self.secret_file(name).read_text(encoding="ascii")

    def secret_file(self, name: str, *, make: Callable[[], str] = _random_text) -> Path:
        """Return the file that holds the secret of that name, made when it is not there yet."""
        path = self.secrets / name
        if not path.exists():
            write_private(path, make())
        return path

    def sockets(self) -> Path:
        """Return a directory for Unix sockets, below home when the path is short enough for a socket."""
        inside = self.path / "run"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_DIRECTORY:
            inside.mkdir(mode=0o700, exist_ok=True)
            return inside
        note = self.path / "run-directory"
        if note.exists():
            noted = Path(note.read_text(encoding="utf-8"))
            if noted.is_dir() and noted.stat().st_uid == os.geteuid():
                return noted
        outside = Path(tempfile.mkdtemp(prefix="wb-", dir="/tmp"))
        write_private(note, str(outside))
        return outside

    def remove_outside_sockets(self) -> None:
        """Remove the socket directory when it is not below home. Only once every server has stopped."""
        note = self.path / "run-directory"
        if note.exists():
            shutil.rmtree(note.read_text(encoding="utf-8"), ignore_errors=True)
            note.unlink()

    def lock(self) -> None:
        """Make this process the only one that may start and stop servers here, until it ends."""
        file = (self.path / "lock").open("a", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise AlreadyRunning(str(self.path)) from error
        self._lock = file

    def write_state(self, state: dict[str, Any]) -> None:
        """Tell other processes, such as ``./run manage``, how to reach what is up."""
        write_private(self.state_file, json.dumps(state, indent=1))

    def read_state(self) -> dict[str, Any]:
        """Return what the running supervisor wrote, or an empty dictionary."""
        try:
            state: dict[str, Any] = json.loads(self.state_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return state

    def forget_state(self) -> None:
        self.state_file.unlink(missing_ok=True)


def write_private(path: Path, content: str) -> None:
    """Replace a file in one step, readable by its owner alone from its first byte."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    temporary.replace(path)
