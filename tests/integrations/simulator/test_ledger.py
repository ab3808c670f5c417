import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from integrations.simulator.ledger import Ledger
from tests.invoices import valid_invoice
from tests.simulator_process import TOKEN, WEBHOOK_SECRET, RunningSimulator

KEY = "a" * 64


def test_kill_forgets_nothing_that_was_booked(simulator: RunningSimulator) -> None:
    receipt = simulator.submit(valid_invoice(), key=KEY).json()
    before = simulator.effects

    simulator.restart()

    assert simulator.effects == before
    again = simulator.submit(valid_invoice(), key=KEY)
    assert (again.status_code, again.json()) == (200, receipt)


def test_kill_while_holding_the_answer_keeps_what_was_booked(simulator: RunningSimulator) -> None:
    simulator.fault("timeout_after", times=1, seconds=0)
    with pytest.raises(requests.ConnectionError):
        simulator.submit(valid_invoice(), key=KEY)

    simulator.restart()

    assert [effect["key"] for effect in simulator.effects] == [KEY]


def test_half_a_line_is_dropped_and_the_next_record_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    first, second = ({"record": "effect", "key": key} for key in "ab")
    path.write_bytes(json.dumps(first).encode() + b'\n{"record": "eff')

    ledger = Ledger(path)
    ledger.append(second)
    ledger.close()

    assert [json.loads(line) for line in path.read_text().splitlines()] == [first, second]


def run_simulator(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "integrations.simulator", *arguments]
    root = Path(__file__).resolve().parents[3]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, cwd=root, check=False)


def test_second_simulator_on_the_same_ledger_is_refused(simulator: RunningSimulator) -> None:
    secrets = {"SIMULATOR_TOKEN": TOKEN, "SIMULATOR_WEBHOOK_SECRET": WEBHOOK_SECRET}

    ended = run_simulator("--ledger", str(simulator.ledger_file), **secrets)

    assert ended.returncode == 1
    assert "Another simulator writes" in ended.stderr


def test_missing_secret_is_named(tmp_path: Path) -> None:
    without_token = run_simulator("--ledger", str(tmp_path / "ledger"))
    without_secret = run_simulator("--ledger", str(tmp_path / "ledger"), SIMULATOR_TOKEN=TOKEN)

    assert (without_token.returncode, without_secret.returncode) == (2, 2)
    assert "SIMULATOR_TOKEN" in without_token.stderr
    assert "SIMULATOR_WEBHOOK_SECRET" in without_secret.stderr
