"""The wire to an SFTP server: its key is checked before anything is said about us, and every wait has an end."""

import base64
import hashlib
import hmac
import io
import socket
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import paramiko

from integrations.addresses import AddressRefused, allowed_addresses, require_listed_host
from integrations.pull.outcome import PullFailed
from integrations.pull_settings import SftpSettings

MOST_ENTRIES = 10_000  # of one folder that are looked at
_PIECE = 1 << 20
_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies in a folder. `size` in bytes; `changed` is the server's own time, comparable only with itself."""

    name: str
    size: int
    changed: int
    mode: int

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def stamp(self) -> list[int]:
        """What changes when somebody writes."""
        return [self.size, self.changed]


class Server:
    """What is asked of the server. Paths that are not there raise FileNotFoundError."""

    def __init__(self, client: paramiko.SFTPClient) -> None:
        self._client = client

    @property
    def is_open(self) -> bool:
        channel = self._client.get_channel()
        return channel is not None and not channel.closed

    def entries(self, folder: str) -> list[Entry]:
        """By name. Of very many, the first that the server names."""
        found = islice(self._client.listdir_iter(folder), MOST_ENTRIES)
        entries = [Entry(one.filename, one.st_size or 0, int(one.st_mtime or 0), one.st_mode or 0) for one in found]
        return sorted((one for one in entries if one.name not in (".", "..")), key=lambda one: one.name)

    def read(self, path: str, *, limit: int) -> bytes:
        """At most `limit` bytes, whatever the server says about the size."""
        with self._client.open(path, "rb", bufsize=0) as file:
            kept = bytearray()
            while len(kept) < limit and (chunk := file.read(min(32_768, limit - len(kept)))):
                kept += chunk
        return bytes(kept)

    def pieces(self, path: str) -> Iterator[bytes]:
        """All of a file, piece by piece."""
        with self._client.open(path, "rb") as file:
            file.prefetch()
            while chunk := file.read(_PIECE):
                yield chunk

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        """Write a file, over what is there under that name."""
        with self._client.open(path, "wb") as file:
            file.set_pipelined(True)
            for chunk in chunks:
                file.write(chunk)

    def make_folder(self, path: str) -> None:
        """Make it unless it is there."""
        try:
            self._client.stat(path)
        except FileNotFoundError:
            self._client.mkdir(path)

    def rename(self, path: str, to: str) -> None:
        """All or nothing; what is there is not overwritten."""
        self._client.rename(path, to)

    def remove(self, path: str) -> None:
        self._client.remove(path)

    def remove_folder(self, path: str) -> None:
        self._client.rmdir(path)


@contextmanager
def signed_in(settings: SftpSettings, secret: str, *, timeout: float, deadline: float) -> Iterator[Server]:
    """The server, signed in to. Raises PullFailed for whatever goes wrong on the way or inside.

    `timeout` is in seconds, for connecting and for every wait; `deadline` in seconds for all of it.
    """
    ends_at = time.monotonic() + deadline
    key = _private_key(secret) if settings.sign_in == "key" else None
    transport = _connected(settings, timeout)
    alarm = threading.Timer(deadline, transport.close)
    alarm.daemon = True
    alarm.start()
    try:
        _agree_on_keys(transport, timeout)
        _require_pinned_key(transport, settings)
        _sign_in(transport, settings, secret, key)
        client = paramiko.SFTPClient.from_transport(transport)
        if client is None:
            raise PullFailed("The server opens no SFTP channel.")
        channel = client.get_channel()
        if channel is not None:
            channel.settimeout(timeout)
        yield Server(client)
    except TimeoutError as error:
        raise PullFailed(f"The server said nothing for {timeout:g} seconds.") from error
    except UnicodeDecodeError as error:
        raise PullFailed(
            "A name on the server is not UTF-8. Have it renamed, so that the folder can be read."
        ) from error
    except (OSError, EOFError, paramiko.SSHException) as error:
        if time.monotonic() >= ends_at:
            raise PullFailed(f"It took more than {deadline:g} seconds and was broken off.") from error
        raise PullFailed(f"The server cannot be used: {str(error) or type(error).__name__}.") from error
    finally:
        alarm.cancel()
        transport.close()


def _connected(settings: SftpSettings, timeout: float) -> paramiko.Transport:
    try:
        host = require_listed_host(settings.host)
        addresses = allowed_addresses(host, settings.port, scheme="sftp")
    except AddressRefused as error:
        raise PullFailed(str(error)) from error
    except OSError as error:
        raise PullFailed(f"No connection: {getattr(error, 'strerror', None) or error}.") from error
    failure: OSError = OSError("the name has no address")
    for address in addresses:
        try:
            wire = socket.create_connection((address, settings.port), timeout=timeout)
        except OSError as error:
            failure = error
            continue
        try:
            transport = paramiko.Transport(wire)
        except (OSError, paramiko.SSHException) as error:
            wire.close()
            raise PullFailed(f"No connection: {getattr(error, 'strerror', None) or error}.") from error
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = timeout
        transport.channel_timeout = timeout
        return transport
    raise PullFailed(f"No connection: {failure.strerror or failure}.")


def _agree_on_keys(transport: paramiko.Transport, timeout: float) -> None:
    transport.start_client(timeout=timeout)
    if not transport.initial_kex_done:  # it returns without a word when the time is over
        raise TimeoutError


def _require_pinned_key(transport: paramiko.Transport, settings: SftpSettings) -> None:
    """Before a name or a secret is sent."""
    shown = fingerprint(transport.get_remote_server_key())
    if not any(hmac.compare_digest(shown, pinned.rstrip("=")) for pinned in settings.host_keys):
        raise PullFailed(
            f"The server showed another key than those in host_keys: {shown}. Nothing was sent. Ask who runs it whether"
            " the key was changed; then add the fingerprint, and resume.",
            pauses=True,
        )


def fingerprint(key: paramiko.PKey) -> str:
    """As `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def _sign_in(transport: paramiko.Transport, settings: SftpSettings, secret: str, key: paramiko.PKey | None) -> None:
    try:
        if key is not None:
            more = transport.auth_publickey(settings.user, key)
        else:
            more = transport.auth_password(settings.user, secret)
    except paramiko.BadAuthenticationType as error:
        raise PullFailed(
            f"The server does not take a {settings.needs_secret}; it takes {', '.join(error.allowed_types)}.",
            pauses=True,
        ) from error
    except paramiko.AuthenticationException as error:
        if "timeout" in str(error).lower():
            raise TimeoutError from error
        raise PullFailed(
            f"The server refused the sign-in of {settings.user}. Mend the {settings.needs_secret}, and resume.",
            pauses=True,
        ) from error
    if more:
        raise PullFailed(f"The server wants {', '.join(more)} as well, which a pull cannot give.", pauses=True)


def _private_key(text: str) -> paramiko.PKey:
    for kind in _KEYS:
        try:
            return kind.from_private_key(io.StringIO(text))
        except (paramiko.SSHException, ValueError):  # not of this kind
            continue
    raise PullFailed(
        "The secret is no private key that can be read. Write an Ed25519, ECDSA or RSA key without pass phrase.",
        pauses=True,
    )
