"""One simulated target: started, set up as its lane says, and read by the judge."""

import json
from http.client import HTTPConnection
from typing import Any

from workbench.embedded.home import Home
from workbench.embedded.simulator import SimulatorProcess
from workbench.embedded.stack import ROOT
from workbench.rehearsal.documents import Document
from workbench.rehearsal.lanes import Lane
from workbench.rehearsal.network import Network
from workbench.rehearsal.plan import Fault, Mix

Record = dict[str, Any]


class TargetRefused(Exception):
    """The simulator did not take what it was told."""


class Target:
    def __init__(self, lane: Lane, home: Home, environment: dict[str, str]) -> None:
        self.lane = lane
        self._simulator = SimulatorProcess(home, environment=environment, directory=ROOT)
        self.process = self._simulator.process
        self._ledger = home.path / "simulator" / "ledger.jsonl"
        self.port = 0  # of the simulator itself
        self.url = ""  # by way of the network
        self._begins_at = 0

    @property
    def token(self) -> str:
        return self._simulator.environment()["SIMULATOR_TOKEN"]

    def start(self, network: Network) -> None:
        self._simulator.start()
        self.port = int(self._simulator.environment()["WB_SIMULATOR_URL"].rpartition(":")[2])
        self.url = f"http://127.0.0.1:{network.way_to(self.port)}/erp"
        if self.lane.set_up:
            self.post("/control/erp", dict(self.lane.set_up))

    def book(self, document: Document, *, key: str) -> None:
        """As a source does itself, past the network."""
        method, path = document.place
        self._call(method, path, document.right, **{"Idempotency-Key": key})

    def post(self, path: str, content: Record) -> None:
        self._call("POST", path, json.dumps(content).encode())

    def _call(self, method: str, path: str, content: bytes, **headers: str) -> None:
        """Raises TargetRefused."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            given = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"} | headers
            connection.request(method, path, content, given)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise TargetRefused(f"{method} {path}: {answer.status} {body[:500].decode(errors='replace')}")

    def fault(self, fault: Fault, *, seed: int) -> None:
        method = self.lane.method if fault.on_submissions else "GET"
        told = {"fault": fault.name, "path": self.lane.path, "method": method, "share": fault.share, "seed": seed}
        self.post("/control/faults", told | {"seconds": fault.seconds})

    def take_faults(self, mix: Mix, *, seed: int) -> None:
        """As shares of its requests, until `no_faults`."""
        self._answer_no_question()
        for fault in mix.faults:
            if fault.on_submissions or self.lane.can_be_asked:
                self.fault(fault, seed=seed)
        if mix.late:
            self.fault(Fault("book_late", mix.late, seconds=self.lane.late), seed=seed)

    def no_faults(self) -> None:
        self.post("/control/faults", {"fault": "none"})
        self._answer_no_question()

    def book_what_is_late(self) -> None:
        """At once, instead of when it would have been. Returns when it is booked."""
        self.post("/control/late", {})

    def _answer_no_question(self) -> None:
        """A system that has no way to be asked has none when the storm is over either."""
        if not self.lane.can_be_asked:
            self.post("/control/faults", {"fault": "garbage", "path": self.lane.path, "method": "GET"})

    def records(self, kind: str) -> list[Record]:
        """What the ledger has of `effect` or `attempt` since the rehearsal began, in its order."""
        lines = self._ledger.read_text(encoding="utf-8").splitlines()[self._begins_at :]
        return [record for record in map(json.loads, lines) if record["record"] == kind]

    def begin_afresh(self) -> None:
        """What stands in the ledger by now is of an earlier rehearsal."""
        self._begins_at = len(self._ledger.read_text(encoding="utf-8").splitlines())
