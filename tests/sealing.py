"""Sealing in a test, which has to wait for its neighbours: tests that run in parallel share one cluster.

An event is sealed once every older transaction of the cluster has ended, in whatever database; so it shall be. A test
that runs in a transaction is itself such a transaction: it can seal nothing of its own.
"""

import time
from datetime import datetime

import pytest
from django.db import connection as database

from audit import seal as sealer

PATIENCE = 120.0  # seconds; a neighbour's transaction lasts as long as its test

HELD_BACK = """
SELECT coalesce(max(transaction_id) >= pg_snapshot_xmin(pg_current_snapshot()), false)
FROM audit_backlog WHERE transaction_id < pg_snapshot_xmax(pg_current_snapshot())
"""
HOLDERS = """
SELECT coalesce(string_agg(datname || ' since ' || xact_start, ', '), 'none to be seen')
FROM pg_stat_activity WHERE backend_xid IS NOT NULL
"""


def seal(*, limit: int, at: datetime) -> int:
    """Seal up to `limit` events once nothing older runs; returns how many."""
    until_sealable()
    return sealer.seal(limit=limit, at=at)


def until_sealable() -> None:
    """Wait until all that is written can be sealed, or fail the test."""
    if database.in_atomic_block:
        pytest.fail("A test in a transaction holds back its own events: mark it with django_db(transaction=True).")
    ends_at = time.monotonic() + PATIENCE
    with database.cursor() as cursor:
        while cursor.execute(HELD_BACK).fetchone()[0]:
            if time.monotonic() > ends_at:
                holders = cursor.execute(HOLDERS).fetchone()[0]
                pytest.fail(f"Events cannot be sealed, because older transactions stay open: {holders}.")
            time.sleep(0.01)
