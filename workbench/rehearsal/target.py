"""One simulated target: started, set up as its lane says, and read by the judge."""

import json
from http.client import HTTPConnection
from typing import Any

from workbench.embedded.home import Home
from workbench.embedded.simulator import SimulatorProcess
from workbench.embedded.stack import ROOT
from workbench.rehearsal.lanes import Lane
from workbench.rehearsal.network import Network

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
        self.url = f"http://127.0.0.1:{network.way_to(self.port)}{self.lane.path.rpartition('/')[0]}"
        if self.lane.set_up:
            self.post("/control/erp", dict(self.lane.set_up))

    def post(self, path: str, content: Record, **headers: str) -> Record:
        """A call past the network, which must succeed. Raises TargetRefused."""
        return self.post_bytes(path, json.dumps(content).encode(), **headers)

    def post_bytes(self, path: str, content: bytes, **headers: str) -> Record:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            given = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"} | headers
            connection.request("POST", path, content, given)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise TargetRefused(f"POST {path}: {answer.status} {body[:500].decode(errors='replace')}")
        told: Record = json.loads(body)
        return told

    def fault(self, name: str, *, share: float, seconds: float = 0.0, method: str = "POST", seed: int = 0) -> None:
        self.post(
            "/control/faults",
            {"fault": name, "path": self.lane.path, "method": method, "seconds": seconds, "share": share, "seed": seed},
        )

    def answer_no_question(self) -> None:
        """As a system does that has no way to be asked."""
        self.post("/control/faults", {"fault": "garbage", "path": self.lane.path, "method": "GET"})

    def no_faults(self) -> None:
        self.post("/control/faults", {"fault": "none"})

    def records(self, kind: str) -> list[Record]:
        """What the ledger has of `effect` or `attempt` since the rehearsal began, in its order."""
        lines = self._ledger.read_text(encoding="utf-8").splitlines()[self._begins_at :]
        return [record for record in map(json.loads, lines) if record["record"] == kind]

    def begin_afresh(self) -> None:
        """What stands in the ledger by now is of an earlier rehearsal."""
        self._begins_at = len(self._ledger.read_text(encoding="utf-8").splitlines())
