"""The network between the workers and a target, and what goes wrong on it: eight toxics, after those of Toxiproxy.

It copies bytes and knows nothing of what they mean. It runs in a thread of its own.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable
from enum import StrEnum
from typing import Final

_CHUNK: Final = 16 * 1024
_LATENCY: Final = 0.3  # seconds on each way
_SLOW_BYTES: Final = 200  # per 50 ms
_LET_THROUGH: Final = 120  # bytes of an answer
# A target promises when at the latest something takes effect that reached it: nothing may wait longer on its way there.
# The system itself tries for minutes to connect, such as to a port that remembers an earlier connection of this number.
_LONGEST_WAIT: Final = 1.0  # seconds
_NO_LINGER: Final = struct.pack("ii", 1, 0)  # closing resets


class Toxic(StrEnum):
    LATENCY = "latency"
    DOWN = "down"  # nobody listens
    BANDWIDTH = "bandwidth"
    SLOW_CLOSE = "slow_close"
    TIMEOUT = "timeout"  # nothing passes, nothing is closed
    RESET_PEER = "reset_peer"  # after the request has passed
    SLICER = "slicer"
    LIMIT_DATA = "limit_data"  # the answer is cut short


class Network:
    """One way for each target. Use as a context."""

    def __init__(self) -> None:
        self.toxic: Toxic | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._ways: list[tuple[int, int]] = []  # our port, the target's
        self._servers: list[asyncio.Server] = []
        self._carrying: set[asyncio.Task[None]] = set()  # the loop itself keeps no task that waits for a stream

    def __enter__(self) -> "Network":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._do(_end_what_is_under_way())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def way_to(self, port: int) -> int:
        """The port that leads to the target's."""
        ours: int = self._do(self._listen(0, port))  # type: ignore[assignment]
        self._ways.append((ours, port))
        return ours

    def turn(self, toxic: Toxic | None) -> None:
        """From now on this happens on every way; None: nothing does."""
        was, self.toxic = self.toxic, toxic
        if toxic is Toxic.DOWN:
            self._do(self._close())
        elif was is Toxic.DOWN:
            self._do(self._open())

    def _do(self, work: Awaitable[object]) -> object:
        async def run() -> object:
            return await work

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=30)

    async def _listen(self, ours: int, port: int) -> int:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self._loop.create_task(self._carry(reader, writer, port))
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)
            task.add_done_callback(lambda _: _close(writer))  # also of one that was cancelled before it began

        server = await asyncio.start_server(accept, "127.0.0.1", ours, backlog=256, reuse_address=True)
        self._servers.append(server)
        name: tuple[str, int] = server.sockets[0].getsockname()
        return name[1]

    async def _open(self) -> None:
        for ours, port in self._ways:
            await self._listen(ours, port)

    async def _close(self) -> None:
        """Accept nothing more, and then close: asyncio forgets a connection that it accepted a turn before that."""
        for server in self._servers:
            for listener in server.sockets:
                self._loop.remove_reader(listener.fileno())
        await asyncio.sleep(0.01)
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        toxic = self.toxic
        if toxic is Toxic.TIMEOUT:
            await reader.read()  # until the client goes
            return
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_LONGEST_WAIT):
                there, back = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.gather(_copy(reader, back, toxic, answer=False), _copy(there, writer, toxic, answer=True))
            finally:
                back.close()


def _close(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()


async def _end_what_is_under_way() -> None:
    """Each connection is closed when its task ends, and transports close with the loop's next turns.

    What was accepted a moment ago may begin only in one of these turns, so it is looked again until nothing is left.
    """
    await asyncio.sleep(0.05)
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.05)


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, toxic: Toxic | None, *, answer: bool
) -> None:
    passed = 0
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_SLOW_BYTES if toxic in (Toxic.BANDWIDTH, Toxic.SLICER) else _CHUNK):
            if toxic in (Toxic.LATENCY, Toxic.BANDWIDTH):
                await asyncio.sleep(_LATENCY if toxic is Toxic.LATENCY else 0.05)
            if answer and toxic is Toxic.RESET_PEER:
                return _reset(writer)
            if answer and toxic is Toxic.LIMIT_DATA:
                chunk = chunk[: _LET_THROUGH - passed]
            writer.write(chunk)
            await writer.drain()
            passed += len(chunk)
            if answer and toxic is Toxic.LIMIT_DATA and passed >= _LET_THROUGH:
                return _reset(writer)
        if answer and toxic is Toxic.SLOW_CLOSE:
            await asyncio.sleep(1.0)
        if writer.can_write_eof():
            writer.write_eof()
    return None


def _reset(writer: asyncio.StreamWriter) -> None:
    opened: socket.socket | None = writer.get_extra_info("socket")
    if opened is not None:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()
