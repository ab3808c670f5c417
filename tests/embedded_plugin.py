"""Starts a throw-away PostgreSQL and Valkey for a test run. Loaded with ``-p``: before pytest-django reads settings."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import psycopg

from workbench.embedded.home import Home
from workbench.embedded.postgres import APPLICATION, OWNER, SUPERUSER, Postgres
from workbench.embedded.valkey import Valkey


def _stop(postgres: Postgres, valkey: Valkey, directory: str, owner_pid: int) -> None:
    if os.getpid() != owner_pid:  # a forked child runs the same exit functions
        return
    valkey.stop()
    postgres.stop()
    shutil.rmtree(directory, ignore_errors=True)


def _let_the_owner_pass_guards(postgres: Postgres) -> None:
    """For emptying the database between tests, and for nothing that a test proves: see `tests.guards`."""
    with psycopg.connect(postgres.url(SUPERUSER, database="postgres"), autocommit=True) as session:
        session.execute(f"GRANT SET ON PARAMETER session_replication_role TO {OWNER}")


def _start() -> None:
    directory = tempfile.mkdtemp(prefix="wb-test-", dir="/tmp")
    home = Home(Path(directory))
    postgres, valkey = Postgres(home), Valkey(home)
    # The cluster is thrown away: what a power failure would do to it is of no interest.
    postgres.process.command += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
    # Tables of a dozen rows are joined in any order at once, and to weigh all orders took half of the server's time.
    # What is measured with many rows runs on servers of its own, with the settings of the product.
    postgres.process.command += ["-c", "join_collapse_limit=3"]
    # Rows of tests are rolled back: statistics that are taken meanwhile say that a table of many pages has no row, and
    # a join of a dozen tables of fifty rows is then planned as loops within loops, which take minutes.
    postgres.process.command += ["-c", "autovacuum=off"]  # `tests.vacuuming` sweeps between tests
    atexit.register(_stop, postgres, valkey, directory, os.getpid())
    postgres.start()
    valkey.start()
    _let_the_owner_pass_guards(postgres)
    os.environ["DATABASE_URL"] = postgres.url(APPLICATION)
    os.environ["DATABASE_OWNER_URL"] = postgres.url(OWNER)
    os.environ["WB_HOME"] = directory
    os.environ["REDIS_URL"] = valkey.url()
    os.environ["WB_TESTS_THROW_AWAY"] = directory


os.environ["WB_PROFILE"] = "test"
os.environ["WB_DATABASE_ROLE"] = "owner"
# The sync API of Playwright runs an event loop in the thread of the test.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
if "DATABASE_URL" not in os.environ:
    _start()
