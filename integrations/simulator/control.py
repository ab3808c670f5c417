"""What a test or a demonstration asks of the simulator itself: faults, what is late, the ledger, a fresh start."""

from collections.abc import Callable, Collection
from typing import Any

from integrations.simulator.faults import FaultNotUnderstood, FaultSwitch
from integrations.simulator.late import Late
from integrations.simulator.replies import Reply, json_reply, problem
from integrations.simulator.routes import Request, Route, Routes, World


class Control:
    def __init__(
        self,
        *,
        world: World,
        faults: FaultSwitch,
        places: Callable[[], Collection[str]],
        late: Late,
        reset: Callable[[], None] | None,
    ) -> None:
        """`places` are those that faults can be put on. `reset` is None where forgetting everything is not allowed."""
        self._world = world
        self._faults = faults
        self._places = places
        self._late = late
        self._reset = reset

    def routes(self) -> Routes:
        return {
            ("POST", "/control/faults"): Route(self.switch_fault),
            ("POST", "/control/late"): Route(self.book_what_is_late),
            ("GET", "/control/ledger"): Route(self.show_ledger),
            ("GET", "/control/health"): Route(self.show_health),
            ("POST", "/control/reset"): Route(self.forget),
        }

    def index(self) -> None:
        """Nothing of its own stands in the ledger."""

    def close(self) -> None:
        """Nothing is held."""

    def switch_fault(self, request: Request) -> Reply:
        told = request.json_object()
        if "path" in told and str(told["path"]) not in (places := self._places()):
            # A fault that hits nothing would pass for a system that withstands it.
            detail = f"path: nobody answers there. Faults can be put on {', '.join(sorted(places))}."
            return problem(400, "FAULT_NOT_UNDERSTOOD", detail)
        try:
            self._faults.switch(told)
        except FaultNotUnderstood as error:
            return problem(400, "FAULT_NOT_UNDERSTOOD", error.detail)
        return self.show_health(request)

    def book_what_is_late(self, request: Request) -> Reply:
        request.json_object()
        self._late.hurry()
        return self.show_health(request)

    def show_ledger(self, request: Request) -> Reply:
        with self._world.lock:
            ledger = self._world.ledger
            return json_reply(200, {"effects": _plain(ledger.effects), "attempts": _plain(ledger.attempts)})

    def show_health(self, request: Request) -> Reply:
        return json_reply(200, {"status": "ok", "faults": self._faults.active()})

    def forget(self, request: Request) -> Reply:
        if self._reset is None:
            return problem(403, "RESET_FORBIDDEN", "Start the simulator with --allow-reset to allow this.")
        request.json_object()
        self._reset()
        return self.show_health(request)


def _plain(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name != "record"} for record in records]
