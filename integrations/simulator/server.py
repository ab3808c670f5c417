"""The simulator's HTTP side: routes, sign-in, faults on the wire."""

import hmac
import json
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from integrations.simulator.authority import TaxAuthority
from integrations.simulator.faults import Fault, FaultName, FaultNotUnderstood, FaultSwitch
from integrations.simulator.judge import Judge
from integrations.simulator.ledger import Ledger
from integrations.simulator.replies import Reply, json_reply, problem
from integrations.simulator.source import Source

MAX_BODY = 20 * 1024 * 1024  # bytes
RETRY_AFTER = "1"  # seconds, with 429 and 503
LOCAL_NAMES = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True)
class Secrets:
    token: str
    webhook: str


class Simulator(ThreadingHTTPServer):
    """Tax authority and source on 127.0.0.1. `stopping` ends faults that hold a connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *, port: int, ledger: Ledger, seed: int, secrets: Secrets, allow_reset: bool) -> None:
        lock = threading.Lock()
        self.ledger = ledger
        self.judge = Judge()
        self.authority = TaxAuthority(ledger=ledger, judge=self.judge, seed=seed, lock=lock)
        self.source = Source(ledger=ledger, secret=secrets.webhook, lock=lock)
        self.faults = FaultSwitch()
        self.token = secrets.token
        self.allow_reset = allow_reset
        self.lock = lock
        self.stopping = threading.Event()
        super().__init__(("127.0.0.1", port), RequestHandler)

    def server_close(self) -> None:
        self.stopping.set()
        super().server_close()
        self.judge.close()
        self.ledger.close()

    def reset(self) -> None:
        with self.lock:
            self.ledger.reset()
            self.authority.index()
        self.faults.clear()


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

    def _serve(self) -> None:
        self.url = urlsplit(self.path)
        if (self.headers.get("Host") or "").partition(":")[0] not in LOCAL_NAMES:
            return self._send(problem(421, "WRONG_HOST", "The simulator answers on 127.0.0.1 and localhost only."))
        route = ROUTES.get((self.command, self.url.path))
        if route is None:
            return self._send(problem(404, "NOT_FOUND", f"There is no {self.command} {self.url.path} here."))
        body = self._read_body()
        if body is None:
            return None
        fault = self.server.faults.take(method=self.command, path=self.url.path)
        reply = self._stopped_by(fault, body) or route(self, body, fault)
        if fault is not None and fault.name is FaultName.TIMEOUT_AFTER:
            return self._hold_and_cut(fault.seconds)
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

    def _stopped_by(self, fault: Fault | None, body: bytes) -> Reply | None:
        """Faults that keep a request from being looked at; None lets it through, for `slow` after the wait."""
        match fault:
            case Fault(name=FaultName.SLOW):
                self.server.stopping.wait(fault.seconds)
            case Fault(name=FaultName.TIMEOUT_BEFORE):
                self._note(fault, body, status=None)
                self._hold_and_cut(fault.seconds)
                return CUT
            case Fault(name=FaultName.TOO_MANY_REQUESTS):
                self._note(fault, body, status=429)
                return problem(429, "TOO_MANY_REQUESTS", "Slow down.", Retry_After=RETRY_AFTER)
            case Fault(name=FaultName.DOWN):
                self._note(fault, body, status=503)
                return problem(503, "DOWN", "The authority is closed.", Retry_After=RETRY_AFTER, Connection="close")
        return None

    def _note(self, fault: Fault, body: bytes, *, status: int | None) -> None:
        if (self.command, self.url.path) == ("POST", "/tax-authority/documents"):
            key = self.headers.get("Idempotency-Key", "")
            self.server.authority.note_unanswered(key=key, body=body, fault=fault.name, status=status)

    def _hold_and_cut(self, seconds: float) -> None:
        """Say nothing until the time is over, the client goes, or the simulator stops."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at and not self.server.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.05)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                break
        self.close_connection = True

    def _send(self, reply: Reply) -> None:
        if reply is CUT:
            return
        if reply.status >= HTTPStatus.BAD_REQUEST and self.command == "POST":
            self.close_connection = True  # a body may stand unread on the connection
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.media_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, text in reply.headers.items():
            self.send_header(name, text)
        if self.close_connection and "Connection" not in reply.headers:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)

    def _not_signed_in(self) -> Reply | None:
        given = self.headers.get("Authorization", "").encode("latin-1", "replace")
        if hmac.compare_digest(given, f"Bearer {self.server.token}".encode()):
            return None
        return problem(401, "TOKEN_REFUSED", "The bearer token is missing or wrong.", WWW_Authenticate="Bearer")

    def submit_document(self, body: bytes, fault: Fault | None) -> Reply:
        name = fault.name if fault else FaultName.NONE
        key = self.headers.get("Idempotency-Key", "")
        return self._not_signed_in() or self.server.authority.submit(key=key, body=body, fault=name)

    def find_document(self, body: bytes, fault: Fault | None) -> Reply:
        keys = parse_qs(self.url.query).get("business_key")
        if not keys:
            return problem(400, "BUSINESS_KEY_MISSING", "Ask with ?business_key=SELLER|NUMBER.")
        return self._not_signed_in() or self.server.authority.find(keys[0])

    def validate_document(self, body: bytes, fault: Fault | None) -> Reply:
        return self._not_signed_in() or self.server.authority.validate(body)

    def receive_webhook(self, body: bytes, fault: Fault | None) -> Reply:
        return self.server.source.receive(headers=dict(self.headers.items()), body=body)

    def list_events(self, body: bytes, fault: Fault | None) -> Reply:
        return json_reply(200, {"events": self.server.source.events()})

    def switch_fault(self, body: bytes, fault: Fault | None) -> Reply:
        # A browser cannot send this media type across origins without being asked first.
        if self.headers.get_content_type() != "application/json":
            return problem(415, "NOT_JSON", "Send Content-Type: application/json.")
        try:
            self.server.faults.switch(_json_object(body))
        except FaultNotUnderstood as error:
            return problem(400, "FAULT_NOT_UNDERSTOOD", error.detail)
        return self.show_health(body, fault)

    def show_ledger(self, body: bytes, fault: Fault | None) -> Reply:
        with self.server.lock:
            ledger = self.server.ledger
            return json_reply(200, {"effects": _plain(ledger.effects), "attempts": _plain(ledger.attempts)})

    def show_health(self, body: bytes, fault: Fault | None) -> Reply:
        return json_reply(200, {"status": "ok", "faults": self.server.faults.active()})

    def reset(self, body: bytes, fault: Fault | None) -> Reply:
        if not self.server.allow_reset:
            return problem(403, "RESET_FORBIDDEN", "Start the simulator with --allow-reset to allow this.")
        if self.headers.get_content_type() != "application/json":
            return problem(415, "NOT_JSON", "Send Content-Type: application/json.")
        self.server.reset()
        return self.show_health(body, fault)

    def log_message(self, *_: Any) -> None:
        """Quiet: the ledger says what happened."""


CUT = Reply(status=0)
ROUTES: dict[tuple[str, str], Callable[[RequestHandler, bytes, Fault | None], Reply]] = {
    ("POST", "/tax-authority/documents"): RequestHandler.submit_document,
    ("GET", "/tax-authority/documents"): RequestHandler.find_document,
    ("POST", "/tax-authority/validate"): RequestHandler.validate_document,
    ("POST", "/source/webhook"): RequestHandler.receive_webhook,
    ("GET", "/source/events"): RequestHandler.list_events,
    ("POST", "/control/faults"): RequestHandler.switch_fault,
    ("GET", "/control/ledger"): RequestHandler.show_ledger,
    ("GET", "/control/health"): RequestHandler.show_health,
    ("POST", "/control/reset"): RequestHandler.reset,
}


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError as error:
        raise FaultNotUnderstood("body", f"The body is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise FaultNotUnderstood("body", 'Send an object such as {"fault": "slow", "times": 1, "seconds": 2}.')
    return content


def _plain(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name != "record"} for record in records]
