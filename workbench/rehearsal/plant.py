"""The private installation of a rehearsal: servers, targets, workers, and the blows that they can be dealt."""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import psycopg
import redis
from cryptography.fernet import Fernet
from psycopg import sql

from integrations.delivery.safeguards import MARK_OF_A_REHEARSAL
from workbench.embedded.home import Home
from workbench.embedded.postgres import APPLICATION, DATABASE, OWNER, SUPERUSER, Postgres
from workbench.embedded.process import Process, wait_until
from workbench.embedded.servers import python
from workbench.embedded.stack import ROOT
from workbench.embedded.valkey import Valkey
from workbench.rehearsal.lanes import Lane
from workbench.rehearsal.network import Network
from workbench.rehearsal.target import Target

# All that is left of the caller's environment: nothing that leads to an installation or changes how one behaves.
KEPT: Final = frozenset(
    {"PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "WB_EMBEDDED_PG_BIN", "WB_EMBEDDED_VALKEY_BIN"}
)
START_SECONDS: Final = 180  # machines are noisy
STOP_SECONDS: Final = 5
_CLEAN: Final = "clean"  # the database as it was made


class CannotRehearse(Exception):
    """The private installation did not come up. The text says what its command printed."""


@dataclass(frozen=True, slots=True)
class Blow:
    """Something that was done to the installation, by the clock of `time.time`."""

    at: float
    what: str


class Plant:
    """Use as a context; everything is thrown away at its end."""

    def __init__(self, lanes: list[Lane]) -> None:
        self.lanes = lanes
        self.targets: dict[str, Target] = {}
        self.network = Network()
        self.workers: list[Process] = []
        self.others: list[Process] = []
        self.processes = 0  # of each worker, besides itself

    def __enter__(self) -> "Plant":
        self._directory = tempfile.mkdtemp(prefix="wb-rehearsal-", dir="/tmp")
        self.home = Home(Path(self._directory))
        self.postgres, self.valkey = Postgres(self.home), Valkey(self.home)
        # No blow cuts the power: what PostgreSQL has written outlives it, however it ends.
        self.postgres.process.command += ["-c", "fsync=off"]
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_workers()
        for target in self.targets.values():
            target.process.stop(seconds=STOP_SECONDS)
        if self.targets:
            self.network.__exit__()
        self.valkey.stop()
        self.postgres.stop()
        self.home.remove_outside_sockets()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self) -> None:
        self.postgres.start()
        self.valkey.start()
        with psycopg.connect(self.postgres.url(SUPERUSER), autocommit=True) as connection:
            connection.execute(_mark())
        self.run = 0
        for lane in self.lanes:
            self.targets[lane.kind] = Target(lane, Home(self.home.path / lane.kind), self.inherited())
        self.network.__enter__()
        self.manage("migrate", "--verbosity", "0")
        for target in self.targets.values():
            target.start(self.network)

    def begin_afresh(self) -> None:
        """Each rehearsal has the database as it was made. No process of ours may be connected."""
        self.run += 1
        for target in self.targets.values():
            target.begin_afresh()
        with psycopg.connect(self.postgres.url(SUPERUSER, database="postgres"), autocommit=True) as connection:
            ours, clean = sql.Identifier(DATABASE), sql.Identifier(_CLEAN)
            if self.run == 1:
                connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(clean, ours))
                return
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(ours))
            owner = sql.Identifier(OWNER)
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(ours, owner, clean))
            connection.execute(_mark())

    def inherited(self) -> dict[str, str]:
        return {name: text for name, text in os.environ.items() if name in KEPT} | {"PYTHONUNBUFFERED": "1"}

    def environment(self) -> dict[str, str]:
        """Whole: nothing of the caller's leads anywhere else."""
        keys = self.home.secret_file("field-encryption-keys", make=lambda: Fernet.generate_key().decode())
        return self.inherited() | {
            "DJANGO_SETTINGS_MODULE": "workbench.settings",
            "WB_HOME": str(self.home.path),
            "WB_PROFILE": "development",
            "DATABASE_URL": self.postgres.url(APPLICATION),
            "DATABASE_OWNER_URL": self.postgres.url(OWNER),
            "REDIS_URL": self.valkey.url(),
            "SECRET_KEY_FILE": str(self.home.secret_file("secret-key")),
            "FIELD_ENCRYPTION_KEYS_FILE": str(keys),
            "INTEGRATIONS_ALLOW_LOOPBACK": "true",
            "LOG_LEVEL": "WARNING",
        }

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - a command of our own
            python("manage.py", *arguments),
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CannotRehearse(f"manage.py {arguments[0]} failed:\n{(done.stdout + done.stderr)[-3000:]}")
        return done.stdout

    def database(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """As nobody of the installation sees it, for the judge and for what a rehearsal takes away."""
        return psycopg.connect(self.superuser_url(), connect_timeout=10, autocommit=True)

    def superuser_url(self) -> str:
        return self.postgres.url(SUPERUSER)

    # Processes ---------------------------------------------------------------------------------------------------

    def process(self, name: str, *arguments: str, **variables: str) -> Process:
        return Process(self.home, name, python(*arguments), environment=self.environment() | variables, directory=ROOT)

    def start_workers(self, workers: list[Process], others: list[Process], *, processes: int = 0) -> None:
        """Return when each worker has that many processes of its own. Raises CannotRehearse."""
        self.workers, self.others, self.processes = workers, others, processes
        for process in [*workers, *others]:
            process.start()
        for worker in workers:
            wait_until(partial(_is_up, worker, processes), seconds=START_SECONDS)
            if worker.exit_status() is not None:
                raise CannotRehearse(f"{worker.name} ended while starting:\n{worker.last_lines()}")

    def start_again_what_ended(self) -> None:
        """As a service manager does: a worker gives up by itself when it finds no database or loses its processes."""
        for process in [*self.workers, *self.others]:
            if process.exit_status() is not None:
                process.end_group()
                process.start()

    def stop_workers(self) -> None:
        for process in [*self.workers, *self.others]:
            signal_family(process, signal.SIGCONT)
            process.ask_to_stop()
        for process in [*self.workers, *self.others]:
            process.wait_stopped(seconds=STOP_SECONDS)
        self.workers, self.others = [], []

    # Blows -------------------------------------------------------------------------------------------------------

    def break_postgres(self) -> None:
        """At once: its sessions are cut, and what was not committed is gone."""
        if self.postgres.process.popen is not None:
            self.postgres.process.popen.send_signal(signal.SIGQUIT)
        self.postgres.process.wait_stopped(seconds=STOP_SECONDS)

    def flush_valkey(self) -> None:
        with suppress(redis.RedisError), redis.Redis(unix_socket_path=str(self.valkey.socket)) as client:
            client.flushall()

    def break_valkey(self) -> None:
        """What it held is gone."""
        if self.valkey.process.popen is not None:
            self.valkey.process.popen.kill()
        self.valkey.process.wait_stopped(seconds=STOP_SECONDS)


def _is_up(worker: Process, processes: int) -> bool:
    return worker.exit_status() is not None or (worker.pid is not None and len(family(worker.pid)) > processes)


def _mark() -> sql.Composed:
    return sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(DATABASE), sql.Literal(MARK_OF_A_REHEARSAL))


def family(pid: int) -> list[int]:
    """A process and all that descend from it, itself first."""
    listed = subprocess.run(["/bin/ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    parents = [(int(child), int(parent)) for child, parent in (line.split() for line in listed.splitlines())]
    found = [pid]
    for member in found:
        found += [child for child, parent in parents if parent == member]
    return found


def signal_family(process: Process, number: signal.Signals) -> None:
    if process.pid is None or process.exit_status() is not None:
        return
    for pid in family(process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
