import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.embedded import __main__
from workbench.embedded.home import AlreadyRunning, Home
from workbench.embedded.port import PortTaken, open_port
from workbench.embedded.process import Process, identity_of, stop_leftovers, wait_until
from workbench.embedded.supervisor import Supervisor

ROOT = Path(__file__).parents[2]
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
# Says when it is deaf, so that no signal reaches it before.
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
]
WITH_CHILD = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
time.sleep(600)
"""
PARENT = [sys.executable, "-c", WITH_CHILD]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "a home with spaces")


@pytest.fixture
def started(home: Home) -> Iterator[list[Process]]:
    processes: list[Process] = []
    yield processes
    for process in processes:
        if process.popen:
            process.popen.kill()
            process.wait_stopped(seconds=10)


def start(home: Home, started: list[Process], command: list[str], name: str = "child") -> Process:
    process = Process(home, name, command, environment={})
    started.append(process)
    process.start()
    return process


def is_gone(pid: int) -> bool:
    return identity_of(pid) is None


def test_process_stops_when_asked(home: Home, started: list[Process]) -> None:
    process = start(home, started, SLEEP)
    pid = process.pid
    assert pid is not None
    assert process.stop(seconds=30) is True
    assert is_gone(pid)
    assert list(home.processes.iterdir()) == []


def test_process_that_does_not_listen_is_ended(home: Home, started: list[Process]) -> None:
    process = start(home, started, DEAF)
    assert wait_until(lambda: "deaf" in process.last_lines(), seconds=30)
    assert process.stop(seconds=0.1) is False
    assert process.popen is None


def test_children_of_a_killed_process_are_ended(home: Home, started: list[Process]) -> None:
    process = start(home, started, PARENT)
    assert process.popen is not None
    assert wait_until(lambda: process.last_lines().strip() != "", seconds=30)
    grandchild = int(process.last_lines())
    process.popen.kill()
    process.wait_stopped(seconds=30)
    assert wait_until(lambda: is_gone(grandchild), seconds=30)


def test_leftover_of_a_killed_supervisor_is_stopped(home: Home, started: list[Process]) -> None:
    process = start(home, started, SLEEP, name="web")
    assert process.pid is not None
    assert stop_leftovers(home) == ["web"]
    assert process.exit_status() is not None
    assert list(home.processes.iterdir()) == []


def test_process_that_only_has_the_number_of_a_leftover_is_left_alone(home: Home, started: list[Process]) -> None:
    stranger = start(home, started, SLEEP, name="stranger")
    (home.processes / "web").write_text(f"{stranger.pid} {int(signal.SIGTERM)} 1")
    (home.processes / "stranger").unlink()
    assert stop_leftovers(home) == []
    assert stranger.exit_status() is None


def test_pid_file_cut_short_is_forgotten(home: Home) -> None:
    (home.processes / "web").write_text("12")
    assert stop_leftovers(home) == []
    assert list(home.processes.iterdir()) == []


def test_supervisor_starts_again_what_ended(home: Home, started: list[Process]) -> None:
    said: list[str] = []
    process = start(home, started, SLEEP, name="web")
    first = process.pid
    supervisor = Supervisor(say=said.append)
    supervisor.watch([process])
    assert supervisor.tick() is False
    assert process.popen is not None
    process.popen.kill()
    assert wait_until(supervisor.tick, seconds=30)
    assert said == [f"web was ended by signal 9 after 0 s; it starts again in 0.5 s; see {process.log}"]
    assert wait_until(supervisor.tick, seconds=30)
    assert process.pid != first
    assert said[1:] == [f"web started again as process {process.pid}"]
    assert supervisor.stop(seconds=30) == []


def test_supervisor_waits_longer_each_time(home: Home, started: list[Process]) -> None:
    said: list[str] = []
    process = start(home, started, [sys.executable, "-c", "raise SystemExit(3)"], name="web")
    supervisor = Supervisor(say=said.append)
    supervisor.watch([process])
    assert wait_until(lambda: bool(supervisor.tick()) and len(said) >= 5, seconds=60)
    pauses = [line.split("starts again in ")[1].split(" s")[0] for line in said if "starts again in" in line]
    assert pauses == ["0.5", "1", "2"]


def test_supervisor_goes_on_where_a_process_cannot_even_be_started(home: Home, started: list[Process]) -> None:
    said: list[str] = []
    process = start(home, started, SLEEP, name="web")
    supervisor = Supervisor(say=said.append)
    supervisor.watch([process])
    assert process.popen is not None
    process.popen.kill()
    home.logs.rename(home.path / "elsewhere")  # as good as a full disk: its log cannot be opened
    assert wait_until(lambda: bool(supervisor.tick()) or len(said) >= 3, seconds=30)
    assert wait_until(lambda: bool(supervisor.tick()) or len(said) >= 3, seconds=30)
    assert "web cannot be started and is tried again in 1 s" in said[1]
    (home.path / "elsewhere").rename(home.logs)
    assert wait_until(supervisor.tick, seconds=30)
    assert process.exit_status() is None
    assert supervisor.stop(seconds=30) == []


def test_process_runs_without_a_pid_file_where_none_can_be_written(home: Home, started: list[Process]) -> None:
    home.processes.rmdir()
    process = start(home, started, SLEEP)
    assert process.exit_status() is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="There is no /dev/full on this machine.")
def test_nobody_to_be_told_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", closefd=False))
    __main__.say("a disk is full")


def test_home_is_private(home: Home) -> None:
    home.secret("key")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home.path, home.secrets, home.secrets / "key")}
    assert modes == {"a home with spaces": 0o700, "secrets": 0o700, "key": 0o600}


def test_secret_is_made_once(home: Home) -> None:
    first = home.secret("key")
    assert len(first) >= 50
    assert Home(home.path).secret("key") == first


LOCKING = """
import sys
from pathlib import Path
from workbench.embedded.home import Home
home = Home(Path(sys.argv[1]))
home.lock()
print("locked", flush=True)
sys.stdin.read()
"""


def test_home_is_locked_for_one_process_until_it_is_gone(home: Home) -> None:
    command = [sys.executable, "-c", LOCKING, str(home.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(AlreadyRunning):
            Home(home.path).lock()
        holder.kill()
    again = subprocess.run(command, input=b"", capture_output=True, cwd=ROOT, timeout=60, check=True)
    assert again.stdout == b"locked\n"


def test_sockets_of_a_deep_home_are_elsewhere(tmp_path: Path) -> None:
    home = Home(tmp_path / ("deep" * 20))
    sockets = home.sockets()
    assert len(os.fsencode(sockets)) <= 75
    assert home.sockets() == sockets
    home.remove_outside_sockets()
    assert not sockets.exists()


def test_port_given_and_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        with pytest.raises(
            PortTaken, match=f"Port {port} on 127.0.0.1 is taken by another program. Set PORT to another"
        ):
            open_port()


@pytest.mark.parametrize("port", ["http", "70000", "-1"])
def test_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PORT", port)
    with pytest.raises(PortTaken, match=f"PORT='{port}' is not a port"):
        open_port()


def test_port_by_default_moves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)
    with open_port() as first, open_port() as second:
        assert first.getsockname()[1] < second.getsockname()[1]
