"""Everything that `./run` brings up, in order, and takes down again."""

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from workbench.embedded.home import Home
from workbench.embedded.port import open_port
from workbench.embedded.process import Process, stop_leftovers, wait_until
from workbench.embedded.servers import Servers, is_set, python
from workbench.embedded.simulator import SimulatorProcess
from workbench.embedded.supervisor import Supervisor

ROOT = Path(__file__).resolve().parent.parent.parent
READY_SECONDS = 180
PROBE_SECONDS = 10
STOP_SECONDS = 10
TICK_SECONDS = 0.2
WORKER_PROCESSES = 2


class CannotStart(Exception):
    """Something stands in the way. The text says what to do."""


class Stack:
    """The servers, the simulator, web, worker and beat of one home, whose lock the caller holds."""

    def __init__(self, home: Home, *, say: Callable[[str], None]) -> None:
        self.home = home
        self.say = say
        self.servers = Servers(home)
        self.server_supervisor = Supervisor(say=say)
        self.supervisor = Supervisor(say=say)
        self.processes: list[Process] = []
        self.environment: dict[str, str] = {}
        self.listener: socket.socket | None = None
        self.url = ""
        self._state_is_old = False

    def start(self) -> None:
        """Bring everything up and return when the web process says that it is ready."""
        for name in stop_leftovers(self.home):
            self.say(f"stopped {name}, which an earlier run had left behind")
        # First of all, so that a taken port is said at once; and kept, so that web finds it again after a crash.
        self.listener = open_port()
        host, port = self.listener.getsockname()
        self.url = f"http://{host}:{port}"
        self.say(f"starting in {self.home.path}; logs are in {self.home.logs}")
        self.servers.start()
        self._adopt(self.server_supervisor, self.servers.processes())
        self.environment = self.servers.environment()
        if self.servers.postgres is None and not is_set("DATABASE_OWNER_URL"):
            self.say(
                "warning: DATABASE_OWNER_URL is not set, so the application owns its tables and the refusals that the "
                "database makes are weaker. Set it to the role that owns the schema, and DATABASE_URL to one with less."
            )
        self.command("prepare")
        demonstration = self.environment["WB_PROFILE"] == "development" and os.environ.get("WB_DEMO", "1") != "0"
        if demonstration:
            self._start_simulator()
        # Before the workers: they would take part in the story that it tells.
        logins = self.command("seed_demo", "--print-logins") if demonstration else ""
        self._start_application(self.listener)
        self._wait_until_ready()
        self.write_state()
        print(f"ready {self.url}", flush=True)
        if logins:
            print(logins, flush=True)

    def run(self) -> None:
        """Keep everything running until an exception, such as the one that a signal raises, ends it."""
        while True:
            time.sleep(TICK_SECONDS)
            changed = [self.server_supervisor.tick(), self.supervisor.tick()]
            self._state_is_old |= any(changed)
            if self._state_is_old:
                self._write_state_when_possible()

    def stop(self) -> None:
        """Stop the application, then the servers. Nothing of ours runs afterwards."""
        self.home.forget_state()
        for name in self.supervisor.stop(seconds=STOP_SECONDS):
            self.say(
                f"{name} did not stop within {STOP_SECONDS} s and was ended; its work is taken up at the next start"
            )
        self.servers.stop()
        if self.listener:
            self.listener.close()

    def command(self, *arguments: str) -> str:
        """Run one management command and return what it printed; refuse to go on when it fails."""
        log = self.home.logs / f"{arguments[0]}.log"
        with log.open("wb") as errors:
            done = subprocess.run(
                python("manage.py", *arguments),
                cwd=ROOT,
                env=self._full_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            said = done.stdout + log.read_text(encoding="utf-8", errors="replace")
            raise CannotStart(f"manage.py {' '.join(arguments)} failed:\n{said[-3000:]}")
        return done.stdout.rstrip()

    def write_state(self) -> None:
        """Let `./run manage`, and tests, find the running installation."""
        self.home.write_state(
            {
                "supervisor": os.getpid(),
                "url": self.url,
                "environment": self.environment,
                "processes": {process.name: process.pid for process in self.processes},
            }
        )

    def _write_state_when_possible(self) -> None:
        """A full disk is no reason to stop what still runs: it is written with a later tick."""
        with contextlib.suppress(OSError):
            self.write_state()
            self._state_is_old = False

    def _start_simulator(self) -> None:
        simulator = SimulatorProcess(self.home, environment=self._full_environment(), directory=ROOT)
        simulator.start()
        self.environment |= simulator.environment()
        self._adopt(self.supervisor, [simulator.process])

    def _start_application(self, listener: socket.socket) -> None:
        (self.home.path / "beat").mkdir(mode=0o700, exist_ok=True)
        celery = python("-m", "celery", "-A", "workbench")
        web = self._process(
            "web",
            [
                *python("-m", "gunicorn", "workbench.wsgi:application"),
                *("--bind", f"fd://{listener.fileno()}"),
                *("--worker-class", "gthread", "--workers", os.environ.get("WEB_CONCURRENCY", "2"), "--threads", "8"),
                "--preload",  # once for all workers, which share what was loaded
                *("--worker-tmp-dir", str(self.home.processes.parent)),
                *("--access-logfile", "-"),
                # It would be made below the home directory of the user, which may be missing or read-only.
                "--no-control-socket",
            ],
            descriptors=(listener.fileno(),),
        )
        processes = os.environ.get("WB_WORKER_PROCESSES", str(WORKER_PROCESSES))
        worker = self._process(
            "worker",
            [
                *celery,
                "worker",
                "--loglevel",
                "INFO",
                "--concurrency",
                processes,
                "--without-gossip",
                "--without-mingle",
            ],
        )
        beat = self._process(
            "beat",
            [
                *celery,
                "beat",
                "--loglevel",
                "WARNING",
                "--pidfile=",
                "--schedule",
                str(self.home.path / "beat" / "schedule"),
            ],
        )
        for process in (web, worker, beat):
            process.start()
        self._adopt(self.supervisor, [web, worker, beat])

    def _process(self, name: str, command: list[str], *, descriptors: tuple[int, ...] = ()) -> Process:
        environment = self._full_environment()
        return Process(self.home, name, command, environment=environment, directory=ROOT, descriptors=descriptors)

    def _adopt(self, supervisor: Supervisor, processes: list[Process]) -> None:
        self.processes += processes
        supervisor.watch(processes)

    def _full_environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name != "WB_DATABASE_ROLE"}
        return inherited | self.environment | {"PYTHONUNBUFFERED": "1"}

    def _wait_until_ready(self) -> None:
        web = next(process for process in self.processes if process.name == "web")
        wait_until(lambda: web.exit_status() is not None or self._is_ready(), seconds=READY_SECONDS)
        if web.exit_status() is not None:
            raise CannotStart(f"The web process ended while starting:\n{web.last_lines()}")
        if not self._is_ready():
            raise CannotStart(f"The web process was not ready within {READY_SECONDS} s. See {web.log}.")

    def _is_ready(self) -> bool:
        host, port = re.fullmatch(r"http://(.+):(\d+)", self.url).groups()  # type: ignore[union-attr]
        allowed = [name for name in os.environ.get("ALLOWED_HOSTS", "").split(",") if name and name[0] not in ".*"]
        connection = HTTPConnection(host, int(port), timeout=PROBE_SECONDS)
        try:
            connection.request("GET", "/readyz", headers={"Host": allowed[0] if allowed else "localhost"})
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
