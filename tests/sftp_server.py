"""A real SFTP server for tests: paramiko's, in this process, over a temporary folder, with accidents on demand."""

import io
import os
import socket
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

USER, PASSWORD = "workbench", "password-of-the-server"
_OK, _FAILURE = 0, 4  # draft-ietf-secsh-filexfer-02, section 7
_ACCEPTED, _REFUSED = 0, 2  # as paramiko counts them
_ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
Accident = Callable[[str], None]


def new_key() -> str:
    """An Ed25519 key as ssh-keygen writes it."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


class SftpServer:
    """`accidents` are called with the path before an operation of that name (list, open, read, write, rename, remove).

    `names` are shown in listings besides what is there. `attempts` counts how often somebody tried to sign in.
    """

    def __init__(self, root: Path, *, silent: bool = False) -> None:
        self.root = root
        self.key = paramiko.Ed25519Key.from_private_key(io.StringIO(new_key()))
        self.private_key = new_key()
        self.user_key = paramiko.Ed25519Key.from_private_key(io.StringIO(self.private_key))
        self.accidents: dict[str, Accident] = {}
        self.names: list[str] = []
        self.attempts: list[str] = []
        self.operations: list[tuple[str, str]] = []
        self._silent = silent
        self._transports: list[paramiko.Transport] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def host_key(self) -> str:
        """As `ssh-keygen -l` prints it."""
        return "SHA256:" + b64encode(sha256(self.key.asbytes()).digest()).decode().rstrip("=")

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(accepted)
            if self._silent or self._stopping.is_set():
                continue
            transport = paramiko.Transport(accepted)
            transport.add_server_key(self.key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files)
            self._transports.append(transport)
            with suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=_Door(self))

    def cut(self, path: str = "") -> None:
        """An accident: every connection is gone."""
        for transport in self._transports:
            transport.close()

    def before(self, operation: str, path: str) -> None:
        self.operations.append((operation, path))
        accident = self.accidents.get(operation)
        if accident is not None:
            accident(path)

    def close(self) -> None:
        self._stopping.set()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._listener.close()
        self._thread.join(10)
        for transport in self._transports:
            transport.close()
            transport.join(10)
        for accepted in self._sockets:
            accepted.close()


class _Door(paramiko.ServerInterface):
    def __init__(self, server: SftpServer) -> None:
        self._server = server

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        self._server.attempts.append(username)
        right = (username, password) == (USER, PASSWORD)
        return _ACCEPTED if right else _REFUSED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self._server.attempts.append(username)
        right = username == USER and key.asbytes() == self._server.user_key.asbytes()
        return _ACCEPTED if right else _REFUSED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return 0 if kind == "session" else 1  # RFC 4254: administratively prohibited


def _read_too(flags: int) -> int:
    """What is written through a file object is opened for both."""
    return flags if flags & _ACCESS == os.O_RDONLY else flags & ~_ACCESS | os.O_RDWR


class _Handle(paramiko.SFTPHandle):
    def __init__(self, server: SftpServer, path: str, local: Path, flags: int) -> None:
        super().__init__(flags)
        self._server, self._path = server, path
        self._file = os.fdopen(os.open(local, flags, 0o600), "rb" if flags & _ACCESS == os.O_RDONLY else "r+b")

    def close(self) -> None:
        self._file.close()

    def read(self, offset: int, length: int) -> Any:
        self._server.before("read", self._path)
        self._file.seek(offset)
        return self._file.read(length)

    def write(self, offset: int, data: Any) -> Any:
        try:
            self._server.before("write", self._path)
            self._file.seek(offset)
            self._file.write(data)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return _OK

    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self._file.fileno()))


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, server: Any, *args: Any, **more: Any) -> None:
        self._server: SftpServer = server._server
        super().__init__(server)

    def _local(self, path: str) -> Path:
        return self._server.root / path.lstrip("/")

    def _do(self, operation: str, path: str, act: Callable[[], Any]) -> Any:
        try:
            self._server.before(operation, path)
            done = act()
            return _OK if done is None else done
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def list_folder(self, path: str) -> Any:
        def entries() -> list[paramiko.SFTPAttributes]:
            found = [
                paramiko.SFTPAttributes.from_stat(one.lstat(), one.name) for one in sorted(self._local(path).iterdir())
            ]
            invented = [
                paramiko.SFTPAttributes.from_stat(self._server.root.parent.lstat(), name) for name in self._server.names
            ]
            for one in invented:
                one.st_mode = 0o100644
            return found + invented

        return self._do("list", path, entries)

    def stat(self, path: str) -> Any:
        return self._do("stat", path, lambda: paramiko.SFTPAttributes.from_stat(self._local(path).stat()))

    def lstat(self, path: str) -> Any:
        return self._do("stat", path, lambda: paramiko.SFTPAttributes.from_stat(self._local(path).lstat()))

    def open(self, path: str, flags: int, attr: Any) -> Any:
        return self._do("open", path, lambda: _Handle(self._server, path, self._local(path), _read_too(flags)))

    def rename(self, oldpath: str, newpath: str) -> Any:
        def rename() -> int:
            if self._local(newpath).exists():
                return _FAILURE
            self._local(oldpath).rename(self._local(newpath))
            return _OK

        return self._do("rename", oldpath, rename)

    def remove(self, path: str) -> Any:
        return self._do("remove", path, lambda: self._local(path).unlink())

    def mkdir(self, path: str, attr: Any) -> Any:
        return self._do("mkdir", path, lambda: self._local(path).mkdir())

    def rmdir(self, path: str) -> Any:
        return self._do("rmdir", path, lambda: self._local(path).rmdir())


@contextmanager
def sftp_server(root: Path, *, silent: bool = False) -> Iterator[SftpServer]:
    """A server on a free port of this machine; a silent one takes connections and says nothing."""
    server = SftpServer(root, silent=silent)
    try:
        yield server
    finally:
        server.close()
