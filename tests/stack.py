"""The whole installation as a process of its own, as `./run` starts it, for tests that play a journey."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from workbench.embedded.home import Home

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 480  # nothing is wrong with what is slow
STOP_SECONDS = 60
POLL_SECONDS = 0.1
# What would lead the installation to the servers of the test run, or tell Django that it runs there.
NOT_INHERITED = ("DATABASE_", "REDIS_", "WB_", "PYTEST_", "DJANGO_", "SECRET_KEY", "FIELD_ENCRYPTION_", "AUDIT_")
# Which programs the servers are: a run of the tests on other ones tries the installation on them too.
PROGRAMS = frozenset({"WB_EMBEDDED_PG_BIN", "WB_EMBEDDED_VALKEY_BIN"})


def clean_environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without anything that concerns the test run."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in PROGRAMS or (not name.startswith(NOT_INHERITED) and name != "PORT")
    } | variables


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class RunningStack:
    """One `./run` with a home of its own."""

    def __init__(self, home: Path, **variables: str) -> None:
        self.home = home
        self.port = free_port()
        self.output_file = home.with_name(f"{home.name}.out")
        self.environment = clean_environment(WB_HOME=str(home), PORT=str(self.port), **variables)
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> list[str]:
        """The command line of `./run` with these arguments."""
        return [sys.executable, "-m", "workbench.embedded", *arguments]

    def start(self) -> None:
        """Start it and wait for its ready line."""
        with self.output_file.open("wb") as output:
            self.process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + READY_SECONDS
        while "ready http" not in self.output():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"The installation did not get ready:\n{self.output()}")
            time.sleep(POLL_SECONDS)
        self.wait_until(lambda: bool(self.state()))

    @property
    def is_up(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal to the supervisor and return its exit status once it has ended."""
        if self.process is None:
            raise AssertionError("It was never started.")
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=STOP_SECONDS)

    def output(self) -> str:
        """Return what it has printed so far: events, the ready line, the logins of the demonstration."""
        return self.output_file.read_text(encoding="utf-8")

    def log(self, name: str) -> str:
        return (self.home / "log" / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def state(self) -> dict[str, Any]:
        return Home(self.home).read_state()

    def pids(self) -> dict[str, int]:
        """Return the process numbers by name: postgres, valkey, simulator, web, worker, beat."""
        found: dict[str, int] = self.state()["processes"]
        return found

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a process by name and return its number."""
        pid = self.pids()[name]
        os.kill(pid, number)
        return pid

    def manage(self, *arguments: str) -> str:
        """Run one management command on what is up and return what it prints."""
        done = subprocess.run(
            self.command("manage", *arguments),
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wait_until(self, condition: Any, *, seconds: float = 60) -> None:
        """Poll until the condition holds; fail with the printed output when the time is up."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"It did not happen within {seconds} s. Printed so far:\n{self.output()}")
            time.sleep(POLL_SECONDS)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def simulator_url(self) -> str:
        return self._variable("WB_SIMULATOR_URL")

    @property
    def simulator_token(self) -> str:
        return self._variable("SIMULATOR_TOKEN")

    @property
    def database_url(self) -> str:
        """The URL of the application role; ``database_owner_url`` is the owner's."""
        return self._variable("DATABASE_URL")

    @property
    def database_owner_url(self) -> str:
        return self._variable("DATABASE_OWNER_URL")

    @property
    def redis_url(self) -> str:
        return self._variable("REDIS_URL")

    def _variable(self, name: str) -> str:
        value: str = self.state()["environment"][name]
        return value
