"""A small S3 server for tests: objects in memory, every request's signature verified, with accidents on demand.

It computes Signature Version 4 by itself, from the specification and not from what the workbench signs with.
"""

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

REGION, BUCKET = "eu-test-1", "evidence"
ACCESS_KEY, SECRET_KEY = "AKIATEST", "secret-key/of+the store"
_CONDITION = "if-none-match"
_LOCK = ("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date")


@dataclass
class Stored:
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    written_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def told(self) -> dict[str, str]:
        return {"Last-Modified": format_datetime(self.written_at, usegmt=True), **self.headers}


class Said(Exception):
    """What the server answers instead."""

    def __init__(self, status: int, code: str, message: str = "", *, more: str = "", location: str = "") -> None:
        super().__init__(code)
        self.status, self.location = status, location
        told = f"<Code>{code}</Code><Message>{escape(message or f'{code} it is.')}</Message>{more}"
        self.body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{told}</Error>'.encode() if code else b""


Accident = Callable[["S3Server"], None]


class S3Server:
    """`objects` by bucket and key; `asked` has method, path and headers of what came; `rights` of the key.

    `accidents` are called with the server before a request of that method, and raise Said for what it answers;
    `after` once it is done and before it is answered. `conditions`: known, ignored or refused. `spoils`: what is read
    comes with other bytes.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.buckets = {BUCKET}
        self.rights = {"GET", "PUT"}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.accidents: dict[str, Accident] = {}
        self.after: dict[str, Accident] = {}
        self.conditions = "known"
        self.locks = False
        self.spoils = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Asked", (_Asked,), {"s3": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def names(self) -> list[str]:
        return sorted(self.objects)

    @property
    def methods(self) -> list[str]:
        return [method for method, _, _ in self.asked]

    def get(self, path: str) -> Stored:
        self._require_bucket(path)
        if path not in self.objects:
            raise Said(404, "NoSuchKey")
        found = self.objects[path]
        return replace(found, content=b"x" * len(found.content)) if self.spoils else found

    def put(self, path: str, headers: dict[str, str], content: bytes) -> None:
        self._require_bucket(path)
        if _CONDITION in headers and self.conditions == "refused":
            raise Said(501, "NotImplemented")
        if _CONDITION in headers and self.conditions == "known" and path in self.objects:
            raise Said(412, "PreconditionFailed")
        told = headers.get("x-amz-checksum-sha256")
        if told is not None and base64.b64decode(told) != hashlib.sha256(content).digest():
            raise Said(400, "BadDigest")
        lock = {name: headers[name] for name in _LOCK if name in headers}
        if lock and not self.locks:
            raise Said(400, "InvalidRequest", "Bucket is missing Object Lock Configuration")
        self.objects[path] = Stored(content, lock)

    def require_right(self, method: str) -> None:
        if method not in self.rights:
            raise Said(403, "AccessDenied")

    def _require_bucket(self, path: str) -> None:
        if path.split("/")[1] not in self.buckets:
            raise Said(404, "NoSuchBucket")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Asked(BaseHTTPRequestHandler):
    s3: S3Server
    timeout = 20

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""

    def do_GET(self) -> None:
        self._answer(lambda path, _headers, _content: self.s3.get(path))

    def do_PUT(self) -> None:
        self._answer(self.s3.put)

    def _answer(self, act: Callable[[str, dict[str, str], bytes], Stored | None]) -> None:
        headers = {name.lower(): text for name, text in self.headers.items()}
        path = urlsplit(self.path).path
        self.s3.asked.append((self.command, path, headers))
        try:
            if accident := self.s3.accidents.get(self.command):
                accident(self.s3)
            content = self.rfile.read(int(headers.get("content-length", 0)))
            require_signature(self.command, self.path, headers, content)
            self.s3.require_right(self.command)
            stored = act(path, headers, content)
            if after := self.s3.after.get(self.command):
                after(self.s3)
        except Said as said:
            self._say(said.status, said.body, {"Location": said.location} if said.location else {})
        except ConnectionError:
            self.close_connection = True
        else:
            self._say(200, stored.content if stored else b"", stored.told if stored else {})

    def _say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        with suppress(ConnectionError):  # who asked has gone, which is what some tests are about
            self.end_headers()
            self.wfile.write(body)


def require_signature(method: str, target: str, headers: dict[str, str], content: bytes) -> None:
    """Raises Said as S3 does; https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html."""
    kind, _, rest = headers.get("authorization", "").partition(" ")
    if kind != "AWS4-HMAC-SHA256":
        raise Said(403, "AccessDenied")
    given = dict(part.strip().split("=", 1) for part in rest.split(","))
    access_key, day, region, service, last = given["Credential"].split("/")
    if access_key != ACCESS_KEY:
        raise Said(403, "InvalidAccessKeyId")
    if region != REGION:
        raise Said(400, "AuthorizationHeaderMalformed", more=f"<Region>{REGION}</Region>")
    at = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs(datetime.now(UTC) - at) > timedelta(minutes=15) or day != headers["x-amz-date"][:8]:
        raise Said(403, "RequestTimeTooSkewed")
    names = given["SignedHeaders"].split(";")
    unsigned = {name for name in headers if name.startswith("x-amz-") or name in ("host", _CONDITION)} - set(names)
    if unsigned or (service, last) != ("s3", "aws4_request"):
        raise Said(403, "AccessDenied", f"Not signed: {unsigned}")
    told = headers["x-amz-content-sha256"]
    path, _, query = target.partition("?")
    canonical = [f"{name}:{' '.join(headers[name].split())}" for name in names]
    request = "\n".join([method, path, query, *canonical, "", ";".join(names), told])
    scope = f"{day}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{SECRET_KEY}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(key.hex(), given["Signature"]):
        raise Said(403, "SignatureDoesNotMatch")
    if hashlib.sha256(content).hexdigest() != told:
        raise Said(400, "XAmzContentSHA256Mismatch")


@contextmanager
def s3_server() -> Iterator[S3Server]:
    server = S3Server()
    try:
        yield server
    finally:
        server.close()
