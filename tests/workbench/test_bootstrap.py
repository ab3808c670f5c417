"""`./run` itself, in a directory with spaces: starting, stopping, surviving. Without the demonstration, to be quick."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from tests.stack import ROOT, RunningStack
from workbench.embedded.process import identity_of

pytestmark = [pytest.mark.stack, pytest.mark.one_engine, pytest.mark.xdist_group("bootstrap")]
SERVERS = {"postgres", "valkey"}
APPLICATION = {"web", "worker", "beat"}


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="wb boot ", dir="/tmp"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def started(directory: Path) -> Iterator[RunningStack]:
    running = RunningStack(directory / "a home", WB_DEMO="0")
    yield running
    running.stop()


@pytest.fixture
def installation(started: RunningStack) -> RunningStack:
    if started.process is None or started.process.poll() is not None:
        started.start()
    return started


def family(pids: dict[str, int]) -> set[int]:
    """Return the processes with all their descendants."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [(int(pid), int(parent)) for pid, parent in (line.split() for line in listed.splitlines())]
    found = set(pids.values())
    while more := {pid for pid, parent in parents if parent in found} - found:
        found |= more
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if identity_of(pid) is not None}


def is_ready(installation: RunningStack) -> bool:
    try:
        return requests.get(f"{installation.url}/readyz", timeout=10).status_code == 200
    except requests.RequestException:
        return False


def run(installation: RunningStack, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workbench.embedded", *arguments],
        cwd=ROOT,
        env=installation.environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_everything_is_up_and_served_by_the_application_role(installation: RunningStack) -> None:
    assert set(installation.pids()) == SERVERS | APPLICATION
    assert is_ready(installation)
    with psycopg.connect(installation.database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE mine (id int)")
    with psycopg.connect(installation.database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("TRUNCATE django_session")


def test_servers_are_not_on_the_network(installation: RunningStack) -> None:
    with psycopg.connect(installation.database_url) as connection:
        shown = connection.execute("SHOW listen_addresses").fetchone()
    assert shown == ("",)


def test_passwords_are_asked_for(installation: RunningStack) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(installation.database_url, password="wrong")


@pytest.mark.parametrize("name", sorted(SERVERS | APPLICATION))
def test_process_killed_comes_back(installation: RunningStack, name: str) -> None:
    before = installation.kill(name)
    installation.wait_until(lambda: installation.pids()[name] not in {before, None})
    installation.wait_until(lambda: is_ready(installation))
    assert f"{name} was ended by signal 9" in installation.output()


def test_manage_uses_what_is_up(installation: RunningStack) -> None:
    before = installation.pids()
    assert installation.manage("shell", "-c", "print(6 * 7)").splitlines()[-1] == "42"
    assert installation.pids() == before


def test_second_start_in_the_same_home_is_refused(installation: RunningStack) -> None:
    refused = run(installation)
    assert refused.returncode == 1
    assert f"It is already running at {installation.url}" in refused.stderr
    assert is_ready(installation)


def test_port_taken_is_said_and_nothing_is_left(installation: RunningStack, directory: Path) -> None:
    refused = run(installation, WB_HOME=str(directory / "other home"))
    assert refused.returncode == 1
    assert f"Port {installation.port} on 127.0.0.1 is taken by another program." in refused.stderr
    assert not (directory / "other home" / "postgres").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stop_leaves_no_process(installation: RunningStack, number: signal.Signals) -> None:
    processes = family(installation.pids())
    assert installation.stop(number) == 0
    assert alive(processes) == set()
    assert installation.state() == {}


def test_killed_supervisor_leaves_nothing_that_blocks_the_next_start(installation: RunningStack) -> None:
    processes = family(installation.pids())
    assert installation.stop(signal.SIGKILL) == -signal.SIGKILL
    installation.start()
    assert alive(processes) == set()
    assert is_ready(installation)


def test_start_interrupted_leaves_no_process(directory: Path) -> None:
    interrupted = RunningStack(directory / "interrupted", WB_DEMO="0")
    with interrupted.output_file.open("wb") as output:
        interrupted.process = subprocess.Popen(
            [sys.executable, "-m", "workbench.embedded"], cwd=ROOT, env=interrupted.environment, stdout=output
        )
    processes = interrupted.home / "processes"
    interrupted.wait_until((processes / "postgres").exists)
    pid = int((processes / "postgres").read_text().split()[0])
    assert interrupted.stop(signal.SIGINT) == 0
    assert alive({pid}) == set()


def test_manage_brings_its_own_servers_and_takes_them_away(started: RunningStack) -> None:
    if started.process and started.process.poll() is None:
        started.stop()
    printed = run(started, "manage", "shell", "-c", "from django.conf import settings; print(settings.WB_HOME)")
    assert (printed.returncode, printed.stdout.splitlines()[-1]) == (0, str(started.home))
    assert list((started.home / "processes").iterdir()) == []
    failed = run(started, "manage", "no_such_command")
    assert (failed.returncode, "Unknown command: 'no_such_command'" in failed.stderr) == (1, True)


def test_unknown_argument_shows_the_usage(started: RunningStack) -> None:
    shown = run(started, "mange")
    assert (shown.returncode, "./run manage COMMAND" in shown.stderr) == (2, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else for PostgreSQL")
def test_root_runs_postgres_in_a_user_namespace_or_as_another_user(installation: RunningStack) -> None:
    outside = Path("/proc/self/ns/user").readlink()
    postgres = Path(f"/proc/{installation.pids()['postgres']}")
    assert (postgres / "ns" / "user").readlink() != outside or postgres.stat().st_uid != 0
