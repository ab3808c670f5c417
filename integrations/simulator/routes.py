"""How a simulated system takes part: it declares its routes, and answers what comes in on them."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Protocol

from integrations.simulator.faults import FaultName
from integrations.simulator.ledger import Ledger, Record
from integrations.simulator.replies import Reply, problem


@dataclass(frozen=True, slots=True)
class World:
    """What all systems share. `lock` guards the ledger and every index over it; what takes time is done outside."""

    ledger: Ledger
    lock: Lock
    seed: int


@dataclass(frozen=True, slots=True)
class Request:
    """What came in. Header names are in lower case; `fault` is the one in force, which is noted with the attempt.

    `rest` is what of the address stands for the `*` of its route.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    fault: FaultName = FaultName.NONE
    rest: str = ""

    @property
    def key(self) -> str:
        return self.headers.get("idempotency-key", "")

    def json_object(self) -> dict[str, Any]:
        """The body of a control call; raises Refused. Only as application/json: no browser sends that across origins
        without asking first."""
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(problem(415, "NOT_JSON", "Send Content-Type: application/json."))
        try:
            content = json.loads(self.body)
        except ValueError as error:
            raise Refused(problem(400, "NOT_UNDERSTOOD", f"body: it is not JSON: {error}")) from None
        if not isinstance(content, dict):
            raise Refused(problem(400, "NOT_UNDERSTOOD", "Send an object, such as {}."))
        return content


class Refused(Exception):
    """A request that gets `reply` and goes no further."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Route:
    """`signed_in`: the bearer token is asked for. `note`: the system keeps an attempt that a fault stopped before it
    was looked at, with the status that it was answered (None: cut off). `problem`: how the system words a status."""

    answer: Callable[[Request], Reply]
    signed_in: bool = False
    note: Callable[[Request, int | None], None] | None = None
    problem: Callable[[int, str, str], Reply] = problem


Routes = dict[tuple[str, str], Route]  # (method, path) → who answers it; a path may end in /* for whatever follows


def route_of(routes: Routes, method: str, path: str) -> tuple[str, str, Route] | None:
    """The place of a path, by which faults name it, what follows it, and its route; None where nobody answers."""
    if (exact := routes.get((method, path))) is not None:
        return path, "", exact
    for (known, place), route in routes.items():
        stem = place.removesuffix("*")
        if known == method and stem != place and path.startswith(stem):
            return stem.rstrip("/"), path.removeprefix(stem), route
    return None


def fault_places(routes: Routes) -> frozenset[str]:
    """By which names faults are put on the simulated systems, as `route_of` names their requests."""
    return frozenset(place.removesuffix("/*") for _, place in routes if not place.startswith("/control/"))


class System(Protocol):
    """One simulated system. The server asks nothing else of it."""

    def routes(self) -> Routes: ...

    def index(self) -> None:
        """Read the ledger anew, after a start or a reset; the caller holds the lock."""

    def close(self) -> None: ...


def attempt_of(system: str, request: Request) -> Record:
    """The ledger's note of a submission, before it is known what came of it."""
    return {
        "record": "attempt",
        "system": system,
        "at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "key": request.key,
        "business_key": "",
        "sha256": hashlib.sha256(request.body).hexdigest(),
        "fault": request.fault,
        "status": None,
    }
