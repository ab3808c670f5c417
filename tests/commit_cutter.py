"""A line to PostgreSQL that is cut while a COMMIT is on its way: before the server has it, or before its answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

from django.db import connection as database

_COMMIT = b"COMMIT\x00"


class Cut(StrEnum):
    BEFORE = "before the server has it"
    AFTER = "before its answer"


class Line:
    """Passes everything on, until `cut_at` COMMITs have come by: the last of them is cut. `cuts` counts them."""

    def __init__(self, directory: Path, server: str) -> None:
        self.cuts = 0
        self._left = 0
        self._how = Cut.BEFORE
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / Path(server).name))
        self._listener.listen(16)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut_at(self, number: int, how: Cut) -> None:
        """The `number`th COMMIT from now on, counted from 1."""
        self._left, self._how = number, how

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            for work in (self._to_server, self._to_client):
                thread = threading.Thread(target=work, args=(client, server))
                self._threads.append(thread)
                thread.start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if _COMMIT in data and self._is_the_one():
                    _hang_up(client)
                    if self._how is Cut.AFTER:
                        server.sendall(data)  # it commits, and nobody hears of it
                    break
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _is_the_one(self) -> bool:
        self._left -= 1
        if self._left == 0:
            self.cuts += 1
        return self._left == 0

    def _to_client(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        with client, server:
            _hang_up(client)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)


def _hang_up(client: socket.socket) -> None:
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)


@contextmanager
def cuttable(directory: Path) -> Iterator[Line]:
    """This thread's connection goes through the line; PostgreSQL listens on a socket in a directory."""
    straight = database.settings_dict
    database.close()
    line = Line(directory, f"{straight['HOST']}/.s.PGSQL.{straight['PORT'] or 5432}")
    database.settings_dict = {**straight, "HOST": str(directory)}
    try:
        yield line
    finally:
        database.close()
        database.settings_dict = straight
        line.close()
