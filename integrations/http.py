"""The one way out: every HTTP request to another system goes through `exchange`.

It tells apart what matters for sending something twice: a request that provably never left (NOT_SENT, FORBIDDEN),
one that was answered in full, and everything else, which is UNKNOWN. No redirects, no proxies from the environment,
no connection kept open (a stale one would turn "not sent" into "unknown"), one address checked and then used.
"""

import http.client
import logging
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cache
from http import HTTPStatus
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

import certifi

from integrations.addresses import AddressRefused, allowed_addresses, require_allowed_host
from integrations.crash_points import Point, passing

logger = logging.getLogger(__name__)

MAX_ANSWER = 5 * 1024 * 1024  # bytes
_CHUNK = 64 * 1024
# Characters of what another system says and we keep: what speaks another protocol may say anything.
_LONGEST_NAME, _LONGEST_VALUE, _LONGEST_REASON = 100, 4000, 300
_KEPT_OUT_OF_EVIDENCE = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "www-authenticate"}
)
# Goes on while the machine sleeps, where the system has such a clock: a lease does too.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_leaves_by: ContextVar[float] = ContextVar("leaves_by", default=math.inf)  # by that clock


class Outcome(StrEnum):
    ANSWERED = "answered"  # a whole answer came; what it means is for its parser to say
    NOT_SENT = "not_sent"  # no byte of the request reached the other side: it may be tried again
    FORBIDDEN = "forbidden"  # we refuse to send this: to try again is of no use
    UNKNOWN = "unknown"  # a byte may have reached it, and no whole answer came


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one request came to. Header names are in lower case; `status` may be set when the rest is missing."""

    outcome: Outcome
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    detail: str = ""

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def evidence(self) -> dict[str, str]:
        """The headers as they may be stored and shown: without credentials."""
        return {name: "[removed]" if name in _KEPT_OUT_OF_EVIDENCE else text for name, text in self.headers.items()}


class Stream(Protocol):
    """A body that is not held in memory: its size in bytes, and its pieces, which are asked for once."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...


def exchange(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | Stream = b"",
    timeout: float,
    deadline: float | None = None,
    max_answer: int = MAX_ANSWER,
    into: Callable[[bytes], object] | None = None,
) -> Exchange:
    """Send one request and return what it came to; never raises for what the network or the other side does.

    `timeout` is in seconds, for connecting and for every wait for bytes; `deadline` in seconds for all of it
    (default: twice the time-out). An answer larger than `max_answer` bytes is UNKNOWN; `into` takes the pieces of one
    with status 200 instead, however large: they count when the outcome is ANSWERED.
    """
    started = time.monotonic()
    wire = _Wire(timeout=timeout, ends_at=started + (deadline or 2 * timeout))
    reader = _Reader(max_answer, into)
    result = _send(wire, method, url, headers=headers, body=body, reader=reader)
    taken = round((time.monotonic() - started) * 1000)
    logger.info("%s %s: %s %s in %s ms", method, _shown(url), result.outcome, result.status or "", taken)
    return result


@contextmanager
def leaving_within(time_left: timedelta) -> Iterator[None]:
    """No request begins to leave here later than that from now: it is NOT_SENT.

    For who must not send when their claim to do so is over, and may be frozen at any moment: it is looked at between
    the connection and the first byte.
    """
    token = _leaves_by.set(time.clock_gettime(_CLOCK) + time_left.total_seconds())
    try:
        yield
    finally:
        _leaves_by.reset(token)


class _Expired(OSError):
    pass


@dataclass(slots=True)
class _Wire:
    """One socket with a clock: when the deadline passes, the socket is shut and any wait on it ends."""

    timeout: float
    ends_at: float
    expired: bool = False
    sock: socket.socket | None = None

    def remaining(self) -> float:
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise _Expired("the deadline passed")
        return min(self.timeout, left)

    def open(self, target: SplitResult) -> None:
        host = require_allowed_host(target)
        port = target.port or (443 if target.scheme == "https" else 80)
        addresses = allowed_addresses(host, port, scheme=target.scheme)
        self.sock = self._connect(addresses, port)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if target.scheme == "https":
            self.sock.settimeout(self.remaining())
            self.sock = _tls().wrap_socket(self.sock, server_hostname=host)
        self.sock.settimeout(self.remaining())

    def _connect(self, addresses: list[str], port: int) -> socket.socket:
        failure: OSError = OSError("the name has no address")
        for address in addresses:
            try:
                return socket.create_connection((address, port), timeout=self.remaining())
            except _Expired:
                raise
            except OSError as error:
                failure = error
        raise failure

    def expire(self) -> None:
        self.expired = True
        if self.sock is not None:
            # The plain method: a TLS socket's own would take the session away under the reading thread.
            with suppress(OSError):  # closed by the other side in the same moment
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()


class _TooLarge(Exception):
    pass


class _Reader:
    """Where the body of an answer goes, and what is kept of it."""

    def __init__(self, most: int, into: Callable[[bytes], object] | None) -> None:
        self.kept = bytearray()
        self._most, self._into = most, into

    def read(self, answer: http.client.HTTPResponse) -> None:
        """Raises _TooLarge."""
        if self._into is not None and answer.status == HTTPStatus.OK:
            while chunk := answer.read(_CHUNK):
                self._into(chunk)
            return
        while chunk := answer.read(min(_CHUNK, self._most + 1 - len(self.kept))):
            self.kept += chunk
            if len(self.kept) > self._most:
                raise _TooLarge(f"The answer is larger than {self._most} bytes.")


def _send(
    wire: _Wire, method: str, url: str, *, headers: Mapping[str, str], body: bytes | Stream, reader: _Reader
) -> Exchange:
    try:
        target = urlsplit(url)
        wire.open(target)
    except AddressRefused as error:
        return Exchange(Outcome.FORBIDDEN, detail=_reason(error))
    except (OSError, ValueError) as error:  # ssl.SSLError and socket.gaierror are OSErrors, UnicodeError a ValueError
        wire.close()
        return Exchange(Outcome.NOT_SENT, detail=f"No connection: {_reason(error)}")
    alarm = threading.Timer(max(0.0, wire.ends_at - time.monotonic()), wire.expire)
    alarm.daemon = True
    alarm.start()
    try:
        return _converse(wire, method, target, headers=headers, body=body, reader=reader)
    finally:
        alarm.cancel()
        wire.close()


def _converse(
    wire: _Wire,
    method: str,
    target: SplitResult,
    *,
    headers: Mapping[str, str],
    body: bytes | Stream,
    reader: _Reader,
) -> Exchange:
    """From the first byte on: what is not a whole answer is UNKNOWN, whatever went wrong."""
    connection = http.client.HTTPConnection(target.hostname or "")
    connection.sock = wire.sock
    try:
        _put_request(connection, method, target, headers=headers, body=body)
    except (ValueError, UnicodeError) as error:  # a header that cannot be written: nothing has been sent yet
        return Exchange(Outcome.FORBIDDEN, detail=f"The request cannot be written: {_reason(error)}")
    status: int | None = None
    received: dict[str, str] = {}
    try:
        passing(Point.WIRE_OPEN)
        if time.clock_gettime(_CLOCK) >= _leaves_by.get():
            return Exchange(Outcome.NOT_SENT, detail="Too late to send it: the time for it was over.")
        _send_all(connection, body)
        passing(Point.WIRE_SENT)
        with connection.getresponse() as answer:
            status = answer.status
            received = {
                _clean(name, _LONGEST_NAME).lower(): _clean(text, _LONGEST_VALUE) for name, text in answer.getheaders()
            }
            reader.read(answer)
            cut_short = bool(answer.length) and method != "HEAD"
    except _TooLarge as error:
        return _unknown(status, received, b"", str(error))
    except Exception as error:  # noqa: BLE001 — whatever went wrong, a byte may have arrived
        detail = "The deadline passed before the answer was complete." if wire.expired else _reason(error)
        return _unknown(status, received, bytes(reader.kept), detail)
    if cut_short or wire.expired:
        return _unknown(status, received, bytes(reader.kept), "The answer was cut short.")
    return Exchange(Outcome.ANSWERED, status, received, bytes(reader.kept))


def _send_all(connection: http.client.HTTPConnection, body: bytes | Stream) -> None:
    try:
        connection.endheaders(body or None)
    except (BrokenPipeError, ConnectionResetError):
        if isinstance(body, bytes):
            raise
        # Who refuses a large body may answer and close before all of it came: the answer is read then.


def _put_request(
    connection: http.client.HTTPConnection,
    method: str,
    target: SplitResult,
    *,
    headers: Mapping[str, str],
    body: bytes | Stream,
) -> None:
    """Write the head into the connection's buffer; `endheaders` sends it."""
    path = target.path or "/"
    connection.putrequest(
        method, f"{path}?{target.query}" if target.query else path, skip_host=True, skip_accept_encoding=True
    )
    standard = {
        "Host": target.netloc,
        "Connection": "close",
        "Accept-Encoding": "identity",
        "User-Agent": "exception-workbench",
    }
    if body or method in ("POST", "PUT", "PATCH"):
        standard["Content-Length"] = str(len(body))
    for name, text in {**standard, **headers}.items():
        connection.putheader(name, text)


def _unknown(status: int | None, headers: Mapping[str, str], body: bytes, detail: str) -> Exchange:
    return Exchange(Outcome.UNKNOWN, status, headers, body, detail)


def _reason(error: BaseException) -> str:
    if isinstance(error, http.client.RemoteDisconnected):
        return "The connection was closed before an answer came."
    if isinstance(error, http.client.BadStatusLine):
        return f"The answer is not HTTP: {_clean(str(error), _LONGEST_REASON)}"
    return _clean(str(error), _LONGEST_REASON) or type(error).__name__


def _clean(text: str, longest: int) -> str:
    """A text that came over the wire, fit to be stored and shown: one line without control characters, not longer."""
    return "".join(character if character.isprintable() else " " for character in text[:longest]).strip()


def _shown(url: str) -> str:
    """A URL for the log: without credentials, query or fragment."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
    except ValueError:
        return "a malformed URL"


@cache
def _tls() -> ssl.SSLContext:
    """The system's authorities, and certifi's: a Python that was unpacked rather than installed knows none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
