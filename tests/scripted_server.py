"""A server that does to one connection exactly what a test says, byte by byte."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Script = Callable[[socket.socket], None]


class ScriptedServer:
    """`requests` holds what each connection sent, as far as it was read."""

    def __init__(self, script: Script) -> None:
        self.requests: list[bytes] = []
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._last = socket.socket()  # bound at once, so that the thread knows by its address when to stop
        self._last.bind(("127.0.0.1", 0))
        self._stops_at = self._last.getsockname()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/path"

    def _serve(self) -> None:
        while True:
            connection, address = self._listener.accept()
            with connection:
                if address == self._stops_at:
                    return
                connection.settimeout(10)
                try:
                    self.requests.append(_read_request(connection))
                    self._script(connection)
                except OSError:
                    pass  # the client has gone, which is what some tests are about

    def close(self) -> None:
        """Stop once every connection made so far is served, however late the thread comes to it."""
        with self._last, self._listener:
            self._last.connect(("127.0.0.1", self.port))
            self._thread.join()


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return data
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length and (chunk := connection.recv(65536)):
        body += chunk
    return head + b"\r\n\r\n" + body


@contextmanager
def scripted(script: Script) -> Iterator[ScriptedServer]:
    server = ScriptedServer(script)
    try:
        yield server
    finally:
        server.close()


def answering(status: str, body: bytes = b"", *headers: str) -> Script:
    """A script that answers and closes."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]

    def script(connection: socket.socket) -> None:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return script
