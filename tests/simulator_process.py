"""A real simulator for tests: its own process, its own ledger, faults by HTTP.

The first conftest has the fixture: one that several folders imported would be started for each of them.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

TOKEN = "token-of-the-simulator"
WEBHOOK_SECRET = "whsec_c2VjcmV0LW9mLXRoZS1zaW11bGF0b3ItZm9yLXRlc3Rz"
_ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 60
_ANSWER_SECONDS = 30


class RunningSimulator:
    """The process and what a test asks of it. `restart` keeps the ledger and the port."""

    token = TOKEN
    webhook_secret = WEBHOOK_SECRET

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ledger_file = directory / "ledger.jsonl"
        self._port = 0
        self._http = requests.Session()
        self._http.trust_env = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def authority_url(self) -> str:
        """The target URL of a connection."""
        return f"{self.url}/tax-authority"

    @property
    def erp_url(self) -> str:
        return f"{self.url}/erp"

    @property
    def bank_url(self) -> str:
        return f"{self.url}/bank"

    @property
    def feed_url(self) -> str:
        """The items of the feed that can be pulled."""
        return f"{self.url}/feed/items"

    @property
    def webhook_url(self) -> str:
        return f"{self.url}/source/webhook"

    def start(self) -> None:
        port_file = self.directory / "port"
        port_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "integrations.simulator", "--allow-reset", "--seed", "7"]
        command += ["--port", str(self._port), "--port-file", str(port_file), "--ledger", str(self.ledger_file)]
        secrets = {"SIMULATOR_TOKEN": TOKEN, "SIMULATOR_WEBHOOK_SECRET": WEBHOOK_SECRET}
        with (self.directory / "output").open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=_ROOT, env=os.environ | secrets, stdout=output, stderr=subprocess.STDOUT
            )
        ends_at = time.monotonic() + _START_SECONDS
        while not port_file.exists():
            if self.process.poll() is not None or time.monotonic() > ends_at:
                self.kill()
                raise RuntimeError(f"The simulator did not start: {(self.directory / 'output').read_text()}")
            time.sleep(0.05)
        self._port = int(port_file.read_text())

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(_ANSWER_SECONDS)

    def restart(self) -> None:
        self.kill()
        self.start()

    def get(self, path: str, **parameters: str) -> requests.Response:
        return self._http.get(
            self.url + path, params=parameters, headers=self._authorization(), timeout=_ANSWER_SECONDS
        )

    def post(self, path: str, body: bytes = b"", **headers: str) -> requests.Response:
        """POST with the token; header names are written with underscores."""
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        sent = self._authorization() | given
        return self._http.post(self.url + path, data=body, headers=sent, timeout=_ANSWER_SECONDS)

    def put(self, path: str, body: bytes, **headers: str) -> requests.Response:
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        sent = self._authorization() | given
        return self._http.put(self.url + path, data=body, headers=sent, timeout=_ANSWER_SECONDS)

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}

    def submit(self, content: bytes, *, key: str) -> requests.Response:
        return self.post("/tax-authority/documents", content, Content_Type="application/xml", Idempotency_Key=key)

    def fault(self, name: str, **settings: Any) -> None:
        """Switch a fault: times (None: until `none`), seconds, path, method."""
        answer = self._http.post(
            f"{self.url}/control/faults", json={"fault": name, **settings}, timeout=_ANSWER_SECONDS
        )
        assert answer.status_code == 200, answer.text

    def change_erp(self, **change: Any) -> dict[str, Any]:
        """Set up the ERP: close_periods, open_periods, add, remove, honour_keys, deduplicate_references."""
        answer = self._http.post(f"{self.url}/control/erp", json=change, timeout=_ANSWER_SECONDS)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def change_feed(self, **change: Any) -> dict[str, Any]:
        """Set up the feed: add (with skip), late, repeat, lose, answer (with times and retry_after)."""
        answer = self._http.post(f"{self.url}/control/feed", json=change, timeout=_ANSWER_SECONDS)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def reset(self) -> None:
        answer = self._http.post(f"{self.url}/control/reset", json={}, timeout=_ANSWER_SECONDS)
        assert answer.status_code == 200, answer.text

    @property
    def effects(self) -> list[dict[str, Any]]:
        """What the systems have booked, in order; `system` says which."""
        return list(self.get("/control/ledger").json()["effects"])

    @property
    def attempts(self) -> list[dict[str, Any]]:
        return list(self.get("/control/ledger").json()["attempts"])

    @property
    def events(self) -> list[dict[str, Any]]:
        """What the source was told by webhook."""
        return list(self.get("/source/events").json()["events"])


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSimulator]:
    running = RunningSimulator(tmp_path_factory.mktemp("simulator"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def simulator(simulator_process: RunningSimulator) -> RunningSimulator:
    """The simulator with an empty ledger and no fault."""
    simulator_process.reset()
    return simulator_process
