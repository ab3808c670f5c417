"""The simulator's HTTP side: sign-in and faults on the wire; each system declares its own routes."""

import hmac
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from integrations.simulator.authority import TaxAuthority
from integrations.simulator.bank import Bank
from integrations.simulator.control import Control
from integrations.simulator.erp import Erp
from integrations.simulator.faults import Fault, FaultName, FaultSwitch
from integrations.simulator.feed import Feed
from integrations.simulator.late import Late
from integrations.simulator.ledger import Ledger
from integrations.simulator.master_data import MasterData
from integrations.simulator.replies import Reply, problem
from integrations.simulator.routes import Refused, Request, Route, Routes, System, World, fault_places, route_of
from integrations.simulator.source import Source
from integrations.simulator.wire_faults import turned_away, unreadable

MAX_BODY = 20 * 1024 * 1024  # bytes
LOCAL_NAMES = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True)
class Secrets:
    token: str
    webhook: str


class Simulator(ThreadingHTTPServer):
    """All systems on 127.0.0.1. `stopping` ends faults that hold a connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *, port: int, ledger: Ledger, seed: int, secrets: Secrets, allow_reset: bool) -> None:
        self.world = World(ledger=ledger, lock=threading.Lock(), seed=seed)
        self.faults = FaultSwitch(seed=seed)
        self.turns = Turns()
        self.token = secrets.token
        self.stopping = threading.Event()
        self.late = Late()
        self._resets = 0
        self.systems: tuple[System, ...] = (
            TaxAuthority(world=self.world),
            Erp(world=self.world),
            MasterData(world=self.world),
            Bank(world=self.world),
            Source(world=self.world, secret=secrets.webhook),
            Feed(world=self.world),
            Control(
                world=self.world,
                faults=self.faults,
                places=lambda: fault_places(self.routes),
                late=self.late,
                reset=self.reset if allow_reset else None,
            ),
        )
        self.routes: Routes = {place: route for system in self.systems for place, route in system.routes().items()}
        super().__init__(("127.0.0.1", port), RequestHandler)

    def server_close(self) -> None:
        self.stopping.set()
        super().server_close()
        for system in self.systems:
            system.close()
        self.world.ledger.close()

    def later(self, seconds: float, do: Callable[[], object]) -> None:
        """What has not been done when the simulator ends, or is reset, is never done."""
        resets = self._resets

        def do_if_still_wanted() -> None:
            if not self.stopping.is_set() and resets == self._resets:
                do()

        self.late.begin(seconds, do_if_still_wanted)

    def reset(self) -> None:
        self._resets += 1
        with self.world.lock:
            self.world.ledger.reset()
            for system in self.systems:
                system.index()
        self.faults.clear()


class Turns:
    """How many requests of each path were done, so that one can wait for another that overtakes it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._done: Counter[str] = Counter()

    def passed(self, path: str) -> None:
        with self._changed:
            self._done[path] += 1
            self._changed.notify_all()

    def let_another_pass(self, path: str, *, seconds: float, unless: threading.Event) -> None:
        ends_at = time.monotonic() + seconds
        with self._changed:
            before = self._done[path]
            while self._done[path] == before and not unless.is_set() and (left := ends_at - time.monotonic()) > 0:
                self._changed.wait(min(left, 0.2))


class RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Simulator"
    sys_version = ""
    timeout = 60  # seconds without a byte from the client
    server: Simulator

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        url = urlsplit(self.path)
        if (self.headers.get("Host") or "").partition(":")[0] not in LOCAL_NAMES:
            return self._send(problem(421, "WRONG_HOST", "The simulator answers on 127.0.0.1 and localhost only."))
        found = route_of(self.server.routes, self.command, url.path)
        if found is None:
            return self._send(problem(404, "NOT_FOUND", f"There is no {self.command} {url.path} here."))
        place, rest, route = found
        body = self._read_body()
        if body is None:
            return None
        told_apart_by = rest.encode() + (body or url.query.encode())
        fault = self.server.faults.take(method=self.command, path=place, content=told_apart_by)
        request = Request(
            headers={name.lower(): text for name, text in self.headers.items()},
            query=dict(parse_qsl(url.query)),
            body=body,
            fault=fault.name if fault else FaultName.NONE,
            rest=unquote(rest),
        )
        reply = self._stopped_by(fault, route, request) or self._not_signed_in(route)
        if reply is None and fault is not None and fault.name is FaultName.BOOK_LATE:
            self.server.later(fault.seconds, lambda: _answer(route, request))
            return self._hold_and_cut(0)
        reply = reply or _answer(route, request)
        self.server.turns.passed(place)
        return self._finish(fault, request, reply)

    def _finish(self, fault: Fault | None, request: Request, reply: Reply) -> None:
        """Faults that spoil an answer after everything was done."""
        match fault:
            case Fault(name=FaultName.TIMEOUT_AFTER):
                return self._hold_and_cut(fault.seconds)
            case Fault(name=FaultName.DROP_MID_ANSWER):
                return self._send(reply, half=True)
            case Fault(name=FaultName.GARBAGE):
                return self._send(unreadable(request.body))
            case Fault(name=FaultName.ERROR_AFTER):
                return self._send(problem(500, "INTERNAL", "Something broke after the request was done."))
        return self._send(reply)

    def _read_body(self) -> bytes | None:
        """The whole body; None when the request was answered, or has gone, already."""
        if self.command == "GET":
            return b""
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            self._send(problem(411, "LENGTH_REQUIRED", "Send a Content-Length."))
            return None
        if int(length) > MAX_BODY:
            self._send(problem(413, "TOO_LARGE", f"The body is larger than {MAX_BODY} bytes."))
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return None
        return body

    def _stopped_by(self, fault: Fault | None, route: Route, request: Request) -> Reply | None:
        """Faults that keep a request from being looked at; None lets it through, after the wait if there is one."""
        match fault:
            case Fault(name=FaultName.SLOW):
                self.server.stopping.wait(fault.seconds)
            case Fault(name=FaultName.TIMEOUT_BEFORE):
                _note(route, request, status=None)
                self._hold_and_cut(fault.seconds)
                return CUT
            case Fault(name=FaultName.REORDER):
                self.server.turns.let_another_pass(fault.path, seconds=fault.seconds, unless=self.server.stopping)
            case Fault():
                reply = turned_away(fault.name, route.problem)
                if reply is not None:
                    _note(route, request, status=reply.status)
                return reply
        return None

    def _hold_and_cut(self, seconds: float) -> None:
        """Say nothing until the time is over, the client goes, or the simulator stops."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at and not self.server.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.05)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                break
        self.close_connection = True

    def _send(self, reply: Reply, *, half: bool = False) -> None:
        if reply is CUT:
            return
        if reply.status >= HTTPStatus.BAD_REQUEST and self.command in ("POST", "PUT"):
            self.close_connection = True  # a body may stand unread on the connection
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.media_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, text in reply.headers.items():
            self.send_header(name, text)
        if self.close_connection and "Connection" not in reply.headers:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body[: len(reply.body) // 2] if half else reply.body)
        self.close_connection = self.close_connection or half

    def _not_signed_in(self, route: Route) -> Reply | None:
        given = self.headers.get("Authorization", "").encode("latin-1", "replace")
        if not route.signed_in or hmac.compare_digest(given, f"Bearer {self.server.token}".encode()):
            return None
        reply = route.problem(401, "TOKEN_REFUSED", "The bearer token is missing or wrong.")
        return replace(reply, headers={"WWW-Authenticate": "Bearer"})

    def log_message(self, *_: Any) -> None:
        """Quiet: the ledger says what happened."""


CUT = Reply(status=0)


def _answer(route: Route, request: Request) -> Reply:
    try:
        return route.answer(request)
    except Refused as refused:
        return refused.reply


def _note(route: Route, request: Request, *, status: int | None) -> None:
    if route.note is not None:
        route.note(request, status)
