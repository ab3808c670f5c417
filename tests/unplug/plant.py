"""The installation whose pieces are taken away, with its home on a small disk of its own where the machine allows that.

The disk is a file system in memory, mounted in a namespace that only this installation sees, so that it can be filled
without root and without harm to anybody else. Where namespaces are refused the home is an ordinary directory, and the
disk alone cannot be unplugged.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.stack import RunningStack

DISK_BYTES = 2 * 1024**3  # room for the write-ahead log of an hour; only what is used takes memory
TRIES = 100
OWN_DISK = ["unshare", "--user", "--map-root-user", "--mount", "--"]
# The simulator stands for other companies' systems, whose disk is their own.
MOUNT = 'mount -t tmpfs -o "size=$1,mode=700" tmpfs "$2" && ln -s "$3" "$2/simulator" && shift 3 && exec "$@"'


def can_have_own_disk() -> bool:
    try:
        probe = subprocess.run(
            [*OWN_DISK, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False, timeout=30
        )
    except FileNotFoundError:
        return False
    return probe.returncode == 0


class Plant(RunningStack):
    """One `./run` whose pieces can be taken away and given back."""

    def __init__(self, directory: Path, **variables: str) -> None:
        super().__init__(directory / "home", **variables)
        self.has_own_disk = can_have_own_disk()
        self._simulator = directory / "simulator"
        for place in (self.home, self._simulator):
            place.mkdir()

    def command(self, *arguments: str) -> list[str]:
        started = super().command(*arguments)
        if not self.has_own_disk:
            return started
        if self.process is not None:
            return [*self._inside(), *started]
        places = [str(DISK_BYTES), str(self.home), str(self._simulator)]
        return [*OWN_DISK, "sh", "-c", MOUNT, "sh", *places, *started]

    def _inside(self) -> list[str]:
        pid = str(self.process.pid)
        return ["nsenter", "--target", pid, "--user", "--mount", "--preserve-credentials", f"--wd={Path.cwd()}"]

    @property
    def seen_home(self) -> Path:
        """The home as it is seen from out here."""
        return Path(f"/proc/{self.process.pid}/root{self.home}") if self.has_own_disk else self.home

    def state(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.seen_home / "state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def log(self, name: str) -> str:
        return (self.seen_home / "log" / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def database(self) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(self.database_url, host=str(self.seen_home / "run"), connect_timeout=5, autocommit=True)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
        return super().stop(number)

    @contextmanager
    def nobody_watching(self) -> Iterator[None]:
        """Meanwhile the supervisor starts nothing again."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def signal_family(self, pid: int, number: signal.Signals) -> None:
        """To a process and all that it started."""
        for member in family(pid):
            with suppress(ProcessLookupError):
                os.kill(member, number)

    def resize_disk(self, size: int) -> None:
        subprocess.run(
            [*self._inside(), "mount", "-o", f"remount,size={size}", str(self.home)], check=True, capture_output=True
        )

    def fill_disk(self) -> None:
        """Nothing more can be written: the disk becomes as small as what is on it."""
        for _ in range(TRIES):
            facts = os.statvfs(self.seen_home)
            with suppress(subprocess.CalledProcessError):  # more was written in between
                self.resize_disk((facts.f_blocks - facts.f_bfree) * facts.f_frsize)
                return
        raise AssertionError("The disk could not be filled.")


def family(pid: int) -> set[int]:
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [(int(child), int(parent)) for child, parent in (line.split() for line in listed.splitlines())]
    found = {pid}
    while more := {child for child, parent in parents if parent in found} - found:
        found |= more
    return found
