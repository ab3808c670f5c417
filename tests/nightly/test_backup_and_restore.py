"""A backup of a large installation, restored: its audit trail is whole, and nothing is booked a second time."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.nightly.conftest import Tell
from tests.nightly.site import Site
from workbench.embedded.home import Home
from workbench.embedded.postgres import DATABASE, OWNER, SUPERUSER, Postgres

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(7200)]

EVENTS = 1_000_000
REPLAYS = 20  # that wait in the backup and are sent after it was made
TABLES = ("audit_event", "audit_seal", "integrations_delivery", "exceptions_app_exceptioncase")
LIVE = "SELECT count(*) FROM integrations_delivery WHERE operation = 'submit' AND finished_at IS NULL"
WAITING = "SELECT count(*) FROM audit_backlog"
RECOGNISED = "SELECT count(*) FROM integrations_delivery WHERE state = 'already_there' AND business_key LIKE %s"
SIGNED = ("--by", "administrator", "--because", "A drill.")


@contextmanager
def database_alone(site: Site) -> Iterator[Postgres]:
    """The cluster of an installation that is down, up."""
    postgres = Postgres(Home(site.stack.home))
    postgres.start()
    try:
        yield postgres
    finally:
        postgres.stop()


def back_up(site: Site, dump: Path) -> None:
    postgres = Postgres(Home(site.stack.home))
    subprocess.run(
        [postgres.binaries / "pg_dump", "--format=custom", "--compress=1", f"--file={dump}", postgres.url(SUPERUSER)],
        check=True,
    )


def restore(site: Site, dump: Path) -> None:
    with database_alone(site) as postgres:
        with psycopg.connect(postgres.url(SUPERUSER, database="postgres"), autocommit=True) as connection:
            name = sql.Identifier(DATABASE)
            connection.execute(sql.SQL("DROP DATABASE {}").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(OWNER)))
        command = [str(postgres.binaries / "pg_restore"), "--exit-on-error", "--jobs=2"]
        subprocess.run([*command, f"--dbname={postgres.url(SUPERUSER)}", str(dump)], check=True)


def counts(site: Site) -> dict[str, int]:
    return {table: site.count(f"SELECT count(*) FROM {table}") for table in TABLES}  # noqa: S608 - of our own


def send_what_waits(site: Site) -> None:
    site.inside("resume()")
    while site.count(LIVE):
        time.sleep(0.5)


def test_backup_and_restore(site: Site, share: float, tell: Tell, tmp_path: Path):
    events, dump = max(round(EVENTS * share), 1), tmp_path / "backup"
    site.inside(f"approve_replays({REPLAYS})")
    site.inside(f"fill_audit_trail({events})")
    while site.count(WAITING):  # the schedule seals too, and of two sealers one finds nothing to do
        time.sleep(0.5)
    before = counts(site)
    assert before["audit_seal"] == before["audit_event"] > events
    began_at = time.monotonic()
    back_up(site, dump)
    backed_up_at = time.monotonic()
    send_what_waits(site)
    booked = [f"DRILL-{place:06}" for place in range(REPLAYS)]
    assert site.booked == booked
    site.stack.stop()

    lost_at = time.monotonic()
    restore(site, dump)
    restored_at = time.monotonic()
    whole = f"The audit log is whole: {before['audit_seal']} sealed events, 0 waiting"
    assert whole in site.stack.manage("verify_audit")
    verified_at = time.monotonic()
    said = site.stack.manage("restored", *SIGNED)
    assert f"drill: {REPLAYS} under way; the target is asked before anything is sent." in said
    site.stack.start()
    ready_at = time.monotonic()
    after = counts(site)
    assert {table: after[table] for table in TABLES[2:]} == {table: before[table] for table in TABLES[2:]}
    send_what_waits(site)

    assert (site.booked, site.count(RECOGNISED, "%DRILL-%")) == (booked, REPLAYS)
    tell(f"backup with {before['audit_event']:,} audit events", backed_up_at - began_at, 300)
    tell("restore", restored_at - lost_at, 300)
    tell("verification of the whole chain", verified_at - restored_at, 300)
    tell("from the loss to the first page, all of it", ready_at - lost_at, 300)
