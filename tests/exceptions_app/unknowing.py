"""An exception that was sent to a target which never answers and cannot be asked."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from exceptions_app import replays
from exceptions_app.models import ExceptionCase, Proposal
from tests.arrivals import configure, replay
from tests.cast import Cast
from tests.scripted_server import ScriptedServer, scripted


def _hang_up(connection: socket.socket) -> None:
    connection.close()


@contextmanager
def silent_target(cast: Cast, *, target_kind: str = "neither") -> Iterator[ScriptedServer]:
    """Where the cast's connection leads to, while it lasts. Each request is read and never answered."""
    with scripted(_hang_up) as server:
        configure(
            cast.connection,
            target_url=f"http://127.0.0.1:{server.port}",
            target_token="t",
            target_kind=target_kind,
        )
        yield server


def of_unknown_outcome(cast: Cast, number: str = "INV-1001") -> ExceptionCase:
    """Corrected, approved and sent to whatever the connection leads to."""
    case = replay(cast, number)
    replays.carry_out_due()
    case.refresh_from_db()
    return case


def statement(case: ExceptionCase) -> Proposal:
    """The one that waits for a second person."""
    return Proposal.objects.get(case=case, state=Proposal.State.OPEN)
