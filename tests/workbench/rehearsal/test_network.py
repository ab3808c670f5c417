"""The network of a rehearsal: eight things that go wrong on it, each as it is named."""

import contextlib
import gc
import socket
import threading
from collections.abc import Iterator

import pytest

from workbench.rehearsal.network import Network, Toxic

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n" + b"x" * 400


@pytest.fixture
def target() -> Iterator[tuple[int, list[bytes]]]:
    """A port on which each connection is answered, and what came in there."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        seen.append(connection.recv(1000))
                        connection.sendall(ANSWER)
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], seen
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as running:
        yield running


def ask(port: int, *, seconds: float = 10) -> bytes | str:
    """What came back; in words when it is no answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            received = b""
            while chunk := connection.recv(1000):
                received += chunk
            return received
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "silence"


@pytest.mark.parametrize("toxic", [None, Toxic.LATENCY, Toxic.BANDWIDTH, Toxic.SLICER, Toxic.SLOW_CLOSE])
def test_answer_arrives_whole(network: Network, target: tuple[int, list[bytes]], toxic: Toxic | None):
    way = network.way_to(target[0])
    network.turn(toxic)
    assert ask(way) == ANSWER


def test_nobody_listens_while_it_is_down_and_the_port_stays(network: Network, target: tuple[int, list[bytes]]):
    way = network.way_to(target[0])
    network.turn(Toxic.DOWN)
    assert ask(way) == "refused"
    network.turn(None)
    assert ask(way) == ANSWER


@pytest.mark.parametrize("toxic", [Toxic.RESET_PEER, Toxic.LIMIT_DATA])
def test_request_arrives_and_its_answer_does_not(network: Network, target: tuple[int, list[bytes]], toxic: Toxic):
    way = network.way_to(target[0])
    network.turn(toxic)
    assert ask(way) != ANSWER
    assert target[1] == [b"GET / HTTP/1.1\r\n\r\n"]


def test_nothing_passes_and_nothing_is_closed(network: Network, target: tuple[int, list[bytes]]):
    way = network.way_to(target[0])
    network.turn(Toxic.TIMEOUT)
    assert ask(way, seconds=0.5) == "silence"
    assert target[1] == []


def test_what_was_only_just_accepted_is_closed_with_the_network(target: tuple[int, list[bytes]]):
    """A connection that nobody closes is a warning, and warnings are errors."""
    for _ in range(20):
        with contextlib.ExitStack() as clients:
            with Network() as network:
                way = network.way_to(target[0])
                for _ in range(20):
                    clients.enter_context(socket.create_connection(("127.0.0.1", way), timeout=10))
            gc.collect()


def test_nothing_waits_for_long_until_the_target_takes_it(network: Network):
    """Else it would be booked after the target said that it never was."""
    with contextlib.ExitStack() as others:
        busy = others.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        with contextlib.suppress(TimeoutError):
            while True:  # until no more are taken in
                others.enter_context(socket.create_connection(busy.getsockname(), timeout=0.3))
        assert ask(network.way_to(busy.getsockname()[1])) == b""
