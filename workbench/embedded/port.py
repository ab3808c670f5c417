"""The port that people open in their browser."""

import errno
import os
import socket

FIRST_PORT = 8000
PORTS_TRIED = 100
BACKLOG = 512


class PortTaken(Exception):
    """The wanted port cannot be had. The text says what to do."""


def open_port() -> socket.socket:
    """Bind the port that PORT asks for, else the first free one from 8000 on.

    The socket is held here and inherited by the web process, so that the port stays ours while that one restarts.
    """
    address = os.environ.get("WB_BIND", "").strip() or "127.0.0.1"
    wanted = os.environ.get("PORT", "").strip()
    if wanted and not (wanted.isdecimal() and int(wanted) < 2**16):
        raise PortTaken(f"PORT={wanted!r} is not a port. Write a number from 1 to 65535, or leave it out.")
    ports = [int(wanted)] if wanted else range(FIRST_PORT, FIRST_PORT + PORTS_TRIED)
    for port in ports:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE and not wanted:
                continue
            reason = "is taken by another program" if error.errno == errno.EADDRINUSE else f"cannot be used: {error}"
            raise PortTaken(
                f"Port {port} on {address} {reason}. Set PORT to another one, or leave PORT out to take a free one."
            ) from error
        return listener
    raise PortTaken(f"No port from {ports[0]} to {ports[-1]} is free. Set PORT to one that is.")
