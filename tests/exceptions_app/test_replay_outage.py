"""A full disk while the end of a delivery is written: nothing is sent twice, and the delivery is not blamed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection as database

from exceptions_app import replays
from exceptions_app.states import State
from integrations.delivery import MAX_CLAIMS
from tests.arrivals import replay
from tests.cast import Cast
from tests.exceptions_app.delivering import assert_resolved_once, submission, time_passes, work_until_done
from tests.simulator_process import RunningSimulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("connected")]


@contextmanager
def no_room_for_the_end() -> Iterator[None]:
    with database.cursor() as cursor:
        cursor.execute("""
            CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$;
            CREATE TRIGGER no_room BEFORE UPDATE ON integrations_delivery FOR EACH ROW
                WHEN (NEW.state IN ('confirmed', 'already_there')) EXECUTE FUNCTION no_room();
        """)
    try:
        yield
    finally:
        with database.cursor() as cursor:
            cursor.execute("DROP FUNCTION no_room CASCADE")


def test_delivery_whose_end_cannot_be_written_is_asked_about_until_there_is_room(
    cast: Cast, simulator: RunningSimulator
):
    case = replay(cast)

    with no_room_for_the_end():
        for _ in range(MAX_CLAIMS + 2):
            replays.carry_out_due()
            time_passes()
        delivery = submission(case)
        case.refresh_from_db()
        assert (delivery.claims, delivery.sends, delivery.is_live) == (0, 1, True)
        assert (case.state, len(simulator.effects)) == (State.REPLAYING, 1)
    work_until_done()

    assert_resolved_once(case, simulator)
