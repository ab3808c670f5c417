"""When nothing is taken up, and how much is: stops, maintenance, pace and breaker, seen by every worker."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db.models.functions import Now
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.actions import connections, sending
from exceptions_app.actions.settle import settle
from exceptions_app.machines import SETUP, machine
from integrations import delivery as engine
from integrations.delivery import gates
from integrations.models import Connection, Delivery, Gate, MaintenanceWindow
from tests.arrivals import configure
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.integrations.enqueued import enqueue, let_leases_end

pytestmark = pytest.mark.django_db

State = Delivery.State
SUBMIT, TELL = Delivery.Operation.SUBMIT, Delivery.Operation.WRITE_BACK
HOUR = timedelta(hours=1)


def claimed(limit: int = 8) -> list[int]:
    return [claim.delivery.pk for claim in engine.claim(limit=limit)]


def end(claim: engine.Claim, state: Delivery.State, **more: Any) -> None:
    """How a claim of no exception ended, as the worker writes it."""
    assert settle(engine.Settlement(claim.delivery, claim.epoch, state, **more), at=now())


def fail(claim: engine.Claim, **more: Any) -> None:
    end(claim, State.QUEUED, detail="No answer.", wait=timedelta(), **({"failed_technically": True} | more))


def plan(connection: Connection, *, starts: timedelta, ends: timedelta) -> MaintenanceWindow:
    at = now()
    return sending.plan_maintenance(
        connection.pk,
        starts_at=at + starts,
        ends_at=at + ends,
        by=machine(SETUP),
        at=at + starts,
        because="New server.",
    )


def held_by(connection: Connection, operation: Delivery.Operation = SUBMIT) -> str:
    hold = engine.hold_on(connection.pk, operation)
    return hold.held_by if hold else ""


def test_maintenance_is_written_down_in_the_time_that_it_names():
    amsterdam = ZoneInfo("Europe/Amsterdam")
    window = MaintenanceWindow(
        starts_at=datetime(2026, 11, 22, 9, 50, tzinfo=amsterdam), ends_at=datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
    )
    assert str(window) == "2026-11-22 08:50 to 2026-11-22 11:00 UTC"


def test_stop_keeps_everything_back_until_it_is_lifted(cast: Cast):
    document, told = enqueue(cast.connection, 1), enqueue(cast.connection, 2, operation=TELL)
    sending.stop_all(by=machine(SETUP), at=MORNING, because="Wrong tax rates go out.")
    assert claimed() == []
    assert (held_by(cast.connection), held_by(cast.connection, TELL)) == ("stopped", "stopped")
    sending.resume_all(by=machine(SETUP), at=MORNING)
    assert (claimed(), claimed()) == ([document.pk], [told.pk])
    assert held_by(cast.connection) == ""
    events = AuditEvent.objects.filter(subject="sending:all").order_by("pk")
    assert [event.action for event in events] == ["sending.stopped", "sending.resumed"]


def test_maintenance_keeps_documents_back_in_its_time_and_no_word_to_the_source(cast: Cast):
    document, told = enqueue(cast.connection, 1), enqueue(cast.connection, 2, operation=TELL)
    plan(cast.connection, starts=HOUR, ends=2 * HOUR)
    window = plan(cast.connection, starts=-HOUR, ends=HOUR)
    assert (held_by(cast.connection), held_by(cast.connection, TELL)) == ("maintenance", "")
    hold = engine.hold_on(cast.connection.pk)
    assert hold is not None
    assert (hold.because, hold.until) == ("New server.", window.ends_at)
    assert claimed() == [told.pk]
    sending.cancel_maintenance(window.pk, by=machine(SETUP), at=now())
    assert claimed() == [document.pk]


def test_maintenance_that_is_over_keeps_nothing_back(cast: Cast):
    document = enqueue(cast.connection)
    plan(cast.connection, starts=-2 * HOUR, ends=-HOUR)
    assert claimed() == [document.pk]


def test_pace_is_never_passed_in_any_minute():
    for per_minute in (1, 2, 3, 7, 10, 60, 600, 10_000):
        pace = gates.Pace.of(per_minute)
        assert pace.capacity + (gates.MINUTE - timedelta(microseconds=1)) // pace.every <= per_minute + 1
        assert pace.capacity + (gates.MINUTE - pace.every) // pace.every <= per_minute


def test_pace_lets_through_what_is_saved_up_and_then_one_at_a_time(cast: Cast):
    configure(cast.connection, sends_per_minute=20)
    deliveries = [enqueue(cast.connection, number) for number in range(6)]
    assert claimed() == [delivery.pk for delivery in deliveries[:2]]
    assert claimed() == []
    assert held_by(cast.connection) == "paced"
    pace = gates.Pace.of(20)
    Gate.objects.update(full_at=Now() + pace.every * (pace.capacity - 1), token_at=Now())
    assert claimed() == [deliveries[2].pk]
    assert claimed() == []


def test_pace_of_one_connection_keeps_no_other_waiting(cast: Cast):
    configure(cast.connection, sends_per_minute=1)
    other = Connection(slug="other", name="Other", connector="en16931")
    connections.save_configuration(other, by=machine(SETUP), at=MORNING)
    first = [enqueue(cast.connection, number) for number in range(9)]
    elsewhere = enqueue(other, 99)
    assert claimed() == [first[0].pk]
    assert claimed() == [elsewhere.pk]


def test_target_that_asked_one_to_wait_is_left_alone_by_all(cast: Cast):
    enqueue(cast.connection, 1)
    [claim] = engine.claim(limit=8)
    enqueue(cast.connection, 2)
    fail(claim, asked_to_wait=timedelta(minutes=3))
    assert (claimed(), held_by(cast.connection)) == ([], "asked_to_wait")
    Gate.objects.update(quiet_until=Now())
    assert len(claimed()) == 2


def open_breaker(cast: Cast, after: int = 3, further: int = 3) -> list[engine.Claim]:
    configure(cast.connection, breaker_after=after)
    for number in range(after):
        enqueue(cast.connection, number)
    claims = engine.claim(limit=8)
    for number in range(after, after + further):
        enqueue(cast.connection, number)
    for claim in claims:
        fail(claim)
    return claims


def test_breaker_opens_after_so_many_different_documents_failed_in_a_row(cast: Cast):
    open_breaker(cast)
    assert (claimed(), held_by(cast.connection), held_by(cast.connection, TELL)) == ([], "breaker", "")
    hold = engine.hold_on(cast.connection.pk)
    assert hold is not None
    assert hold.because.startswith("The last 3 documents failed technically. The last answer: No answer.")
    assert AuditEvent.objects.filter(action="connection.breaker_opened", actor="machine:worker").count() == 1


def test_breaker_stays_closed_for_one_document_that_fails_again_and_again(cast: Cast):
    configure(cast.connection, breaker_after=3)
    enqueue(cast.connection)
    for _ in range(5):
        let_leases_end()
        [claim] = engine.claim(limit=8)
        fail(claim)
    assert (held_by(cast.connection), Gate.objects.get().failed) == ("", [str(claim.delivery.pk)])


def test_breaker_begins_to_count_anew_when_one_went_through(cast: Cast):
    configure(cast.connection, breaker_after=2)
    for number in range(3):
        enqueue(cast.connection, number)
    first, second, third = engine.claim(limit=8)
    fail(first)
    end(second, State.CONFIRMED, reference="CLR-1")
    fail(third)
    assert held_by(cast.connection) == ""


def test_breaker_lets_one_canary_through_and_opens_the_way_for_all_when_it_went_well(cast: Cast):
    open_breaker(cast, further=3)
    Gate.objects.update(canary_at=Now())
    [canary] = engine.claim(limit=8)
    assert claimed() == []
    end(canary, State.CONFIRMED, reference="CLR-1")
    assert held_by(cast.connection) == ""
    let_leases_end()
    assert len(claimed()) == 5
    assert AuditEvent.objects.filter(action="connection.breaker_closed").count() == 1


def test_breaker_stays_open_when_the_canary_failed(cast: Cast):
    open_breaker(cast)
    Gate.objects.update(canary_at=Now())
    [canary] = engine.claim(limit=8)
    fail(canary)
    assert (claimed(), held_by(cast.connection)) == ([], "breaker")
    Gate.objects.update(canary_at=Now())
    let_leases_end()
    assert len(claimed()) == 1


def test_breaker_can_be_closed_by_hand_and_is_closed_by_resuming(cast: Cast):
    open_breaker(cast)
    sending.send_again(cast.connection.pk, by=machine(SETUP), at=now())
    assert held_by(cast.connection) == ""
    assert AuditEvent.objects.filter(action="connection.breaker_reset").count() == 1
    let_leases_end()
    assert len(claimed()) == 6


def test_breaker_never_opens_where_it_is_switched_off(cast: Cast):
    open_breaker(cast, after=3)
    sending.send_again(cast.connection.pk, by=machine(SETUP), at=now())
    configure(cast.connection, breaker_after=0)
    let_leases_end()
    for claim in engine.claim(limit=8):
        fail(claim)
    assert held_by(cast.connection) == ""


def workers(number: int, work: Callable[[], list[int]]) -> list[int]:
    found = at_the_same_time([work] * number)
    assert not [problem for problem in found if isinstance(problem, Exception)]
    return [key for keys in found for key in keys]


@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once_keep_the_pace_together(cast: Cast):
    configure(cast.connection, sends_per_minute=50)
    for number in range(40):
        enqueue(cast.connection, number)
    taken = workers(4, lambda: claimed(limit=8))
    assert len(taken) == len(set(taken)) == gates.Pace.of(50).capacity == 5


@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once_let_one_canary_through(cast: Cast):
    open_breaker(cast, further=30)
    Gate.objects.update(canary_at=Now())
    assert len(workers(4, lambda: claimed(limit=8))) == 1
