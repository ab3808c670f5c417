"""What the database refuses about bulk runs, whoever writes."""

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from exceptions_app.actions import bulk_carry, bulk_log
from exceptions_app.actions.bulk_start import pause_bulk
from exceptions_app.models import BulkRun
from tests.cast import MORNING, Cast
from tests.exceptions_app.bulk_runs.runs import start
from tests.factories import make_case

pytestmark = pytest.mark.django_db(transaction=True)

DONE = """
    INSERT INTO exceptions_app_bulkoutcome (item_id, state, detail, at)
    SELECT max(id), {}, now() FROM exceptions_app_bulkitem
"""
JOIN = """
    INSERT INTO exceptions_app_bulkitem (run_id, position, case_id, revision, currency)
    SELECT run_id, 3, case_id, revision, '' FROM exceptions_app_bulkitem LIMIT 1
"""


@pytest.fixture
def run(cast: Cast) -> BulkRun:
    """Of two exceptions, the first of them done."""
    started = start([make_case(cast), make_case(cast)], by=cast.clerk)
    bulk_carry.carry_out_item(started.pk, started.items.earliest("position").pk)
    return started


def write(statement: str, *, about: BulkRun | None = None) -> None:
    """One statement in a transaction, with an event about the run when one is given."""
    with transaction.atomic(), connection.cursor() as cursor:
        if about is not None:
            bulk_log.record(about, "bulk.started", by=about.starter, at=MORNING, words="Forged:")
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE exceptions_app_bulkrun SET count = 9", "count is never changed"),
        ("UPDATE exceptions_app_bulkrun SET parameters = '{}'", "parameters is never changed"),
        ("UPDATE exceptions_app_bulkrun SET starter_id = starter_id + 1", "starter_id is never changed"),
        ("UPDATE exceptions_app_bulkrun SET state = 'finished'", "not every item has an outcome"),
        ("UPDATE exceptions_app_bulkrun SET state = 'odd'", "bulk_known_state"),
        ("DELETE FROM exceptions_app_bulkrun", "never deleted"),
        ("UPDATE exceptions_app_bulkitem SET revision = 7", "rows of this table are never changed"),
        ("DELETE FROM exceptions_app_bulkitem", "rows of this table are never changed"),
        (JOIN, "has no place in bulk run"),
        (
            "UPDATE exceptions_app_bulkoutcome SET state = 'failed', detail = 'x'",
            "rows of this table are never changed",
        ),
        ("DELETE FROM exceptions_app_bulkoutcome", "rows of this table are never changed"),
        (DONE.format("'failed', ''"), "bulk_outcome_has_reason"),
        (DONE.format("'done', ''"), "no audit event about case:EX-"),
    ],
)
def test_database_refuses_even_with_an_event(run: BulkRun, statement: str, says: str):
    with pytest.raises(DatabaseError, match=says):
        write(statement, about=run)


def test_change_without_an_event_is_refused(run: BulkRun):
    with pytest.raises(IntegrityError, match="no audit event about bulk:BU-"):
        write("UPDATE exceptions_app_bulkrun SET state = 'paused'")


def test_nothing_is_done_while_it_is_paused(run: BulkRun):
    pause_bulk(run.pk, by=run.starter, at=MORNING)
    with pytest.raises(IntegrityError, match="is paused"):
        write(DONE.format("'skipped', 'x'"))


def test_what_is_over_stays_so(run: BulkRun):
    write("UPDATE exceptions_app_bulkrun SET state = 'cancelled'", about=run)
    with pytest.raises(IntegrityError, match="is cancelled and cannot become running"):
        write("UPDATE exceptions_app_bulkrun SET state = 'running'", about=run)
