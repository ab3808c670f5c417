"""One child process: started, stopped, and remembered in a pid file so that a later supervisor can clean up."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.embedded.home import Home

LAUNCHER = Path(__file__).with_name("launch.py")
POLL_SECONDS = 0.02
LARGEST_LOG_BYTES = 20 * 1024 * 1024


def launcher(*, death_signal: signal.Signals, identity: str = "same") -> list[str]:
    """Return the beginning of a command line that ties a program to this process (see launch.py)."""
    return [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(death_signal)), identity]


def identity_of(pid: int) -> str | None:
    """Return what tells this process from a later one with the same number; None when there is no such process."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            state, *fields = stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if state == "Z" else fields[18]  # starttime, in clock ticks since boot
    listed = subprocess.run(
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return listed.stdout.strip() or None


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Poll until the condition holds; return False when the time is up."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


class Process:
    """A named child of the supervisor."""

    def __init__(
        self,
        home: Home,
        name: str,
        command: Sequence[str],
        *,
        environment: dict[str, str],
        stop_signal: signal.Signals = signal.SIGTERM,
        identity: str = "same",
        directory: Path | None = None,
        descriptors: tuple[int, ...] = (),
    ) -> None:
        self.name = name
        self.command = list(command)
        self.environment = environment
        self.stop_signal = stop_signal
        self.identity = identity
        self.directory = directory
        self.descriptors = descriptors
        self.log = home.logs / f"{name}.log"
        self.pid_file = home.processes / name
        self.popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program; its output goes to its log file."""
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [*launcher(death_signal=self.stop_signal, identity=self.identity), *self.command],
                env=self.environment,
                cwd=self.directory,
                pass_fds=self.descriptors,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        # On a full disk it runs without: it is bound to this process anyway, and the file only helps to clean up.
        with contextlib.suppress(OSError):
            self.pid_file.write_text(
                f"{self.popen.pid} {int(self.stop_signal)} {identity_of(self.popen.pid)}", encoding="ascii"
            )

    @property
    def pid(self) -> int | None:
        return self.popen.pid if self.popen else None

    def exit_status(self) -> int | None:
        """Return None while the process runs; negative numbers are signals."""
        return self.popen.poll() if self.popen else 0

    def ask_to_stop(self) -> None:
        if self.popen and self.popen.poll() is None:
            self.popen.send_signal(self.stop_signal)

    def wait_stopped(self, *, seconds: float) -> bool:
        """Wait for the end, by force when the time is up; return whether it ended by itself."""
        if self.popen is None:
            return True
        by_itself = wait_until(lambda: self.exit_status() is not None, seconds=seconds)
        if not by_itself:
            self.popen.kill()
            self.popen.wait()
        self.end_group()
        self.pid_file.unlink(missing_ok=True)
        self.popen = None
        return by_itself

    def stop(self, *, seconds: float) -> bool:
        self.ask_to_stop()
        return self.wait_stopped(seconds=seconds)

    def end_group(self) -> None:
        """End what a killed process left behind: each child leads a process group of its own."""
        if self.popen and self.popen.returncode is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.popen.pid, signal.SIGKILL)

    def last_lines(self, count: int = 15) -> str:
        """Return the end of the log, for a message that a person reads."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-count:])


def stop_leftovers(home: Home, *, seconds: float = 10) -> list[str]:
    """Stop what a killed supervisor left running here; return the names. Call it only with the home's lock held."""
    stopped = []
    for pid_file in sorted(home.processes.iterdir()):
        try:
            pid, stop_signal, identity = pid_file.read_text(encoding="ascii").split()
        except ValueError:
            pid_file.unlink()
            continue
        if identity_of(int(pid)) == identity:
            stopped.append(pid_file.name)
            _stop_stranger(int(pid), int(stop_signal), identity, seconds=seconds)
        pid_file.unlink()
    return stopped


def _stop_stranger(pid: int, stop_signal: int, identity: str, *, seconds: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, stop_signal)
        if not wait_until(lambda: identity_of(pid) != identity, seconds=seconds):
            os.killpg(pid, signal.SIGKILL)
            wait_until(lambda: identity_of(pid) != identity, seconds=seconds)
