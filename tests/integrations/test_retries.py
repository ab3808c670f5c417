"""What failed technically is tried again by named terms, and given up by them; what was refused never is."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from audit.models import AuditEvent
from exceptions_app.actions.connections import save_configuration
from exceptions_app.machines import SETUP, machine
from integrations import delivery as engine
from integrations.delivery import retries
from integrations.models import Connection, Delivery, DeliveryAttempt, RetryPolicy
from tests.cast import MORNING, Cast
from tests.integrations.enqueued import enqueue, let_leases_end

pytestmark = pytest.mark.django_db

State = Delivery.State
About = RetryPolicy.About
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def terms(connection: Connection | None = None, about: RetryPolicy.About = About.SENDING, **given: Any) -> RetryPolicy:
    policy = RetryPolicy(connection=connection, about=about, **given)
    save_configuration(policy, by=machine(SETUP), at=MORNING, because="For this test.")
    return policy


def fail(delivery: Delivery, state: Delivery.State = State.QUEUED, *, sends: bool = False, **more: Any) -> Delivery:
    """One more try that comes to nothing: not sent, or sent without an answer."""
    let_leases_end()
    [claim] = engine.claim(limit=1)
    assert claim.delivery == delivery
    if sends:
        engine.begin(claim, DeliveryAttempt.Phase.SEND, State.SENDING)
    settled = engine.settle(
        engine.Settlement(
            claim.delivery,
            claim.epoch,
            state,
            detail="No answer.",
            wait=SECOND,
            failed_technically=True,
            not_sent=sends and state is State.QUEUED,
            **more,
        )
    )
    assert settled is not None
    return settled


def due_within(delivery: Delivery, least: timedelta, most: timedelta) -> bool:
    return Delivery.objects.filter(pk=delivery.pk, due_at__gt=Now() + least - SECOND, due_at__lte=Now() + most).exists()


def test_waits_double_up_to_the_longest_and_are_spread():
    plain = retries.Terms(first=2 * SECOND, most=60 * SECOND, jitter=0.5)
    assert [plain.wait(failures, spread=0) / SECOND for failures in (0, 1, 2, 5, 9, 10**6)] == [2, 4, 8, 60, 60, 60]
    assert plain.wait(1, spread=1) == 6 * SECOND


def test_product_has_terms_and_a_connection_may_have_its_own(cast: Cast):
    assert retries.terms_for(cast.connection.pk, About.SENDING) == retries.DEFAULTS[About.SENDING]
    terms(None, tries=7)
    assert retries.terms_for(cast.connection.pk, About.SENDING).tries == 7
    terms(cast.connection, tries=3)
    assert retries.terms_for(cast.connection.pk, About.SENDING).tries == 3
    assert retries.terms_for(cast.connection.pk, About.ASKING) == retries.DEFAULTS[About.ASKING]
    subjects = set(AuditEvent.objects.filter(action="configuration.added").values_list("subject", flat=True))
    assert {"retry_policy:all:sending", f"retry_policy:{cast.connection.slug}:sending"} <= subjects


def test_failure_waits_as_its_terms_say(cast: Cast):
    delivery = enqueue(cast.connection)
    terms(cast.connection, first_seconds=100, most_seconds=1000, jitter_percent=10)
    fail(delivery)
    assert due_within(delivery, 100 * SECOND, 110 * SECOND)
    fail(delivery)
    assert due_within(delivery, 200 * SECOND, 220 * SECOND)


def test_target_that_says_when_to_come_back_is_believed(cast: Cast):
    delivery = enqueue(cast.connection)
    terms(cast.connection, first_seconds=100)
    fail(delivery, asked_to_wait=SECOND)
    assert due_within(delivery, SECOND, SECOND)


@pytest.mark.parametrize("sends", [False, True])
def test_what_never_reached_the_target_goes_back_to_work_when_the_tries_are_spent(cast: Cast, sends: bool):
    delivery = enqueue(cast.connection)
    terms(cast.connection, tries=2)
    assert fail(delivery, sends=sends).state == "queued"
    ended = fail(delivery, sends=sends)
    assert (ended.state, ended.sends, ended.is_live) == ("cancelled", 0, False)
    assert ended.detail == (
        "No answer. Its tries are spent: it was tried 2 times in a row, and never reached the target."
    )
    assert ended.given_up_at is not None


def test_what_may_have_reached_it_stays_unknown_and_is_asked_once_a_day(cast: Cast):
    delivery = enqueue(cast.connection)
    terms(cast.connection, About.ASKING, tries=2)
    fail(delivery, State.UNKNOWN, sends=True)
    left = fail(delivery, State.UNKNOWN)
    assert (left.state, left.is_live) == ("unknown", True)
    assert "Find out there what became of it." in left.detail
    assert due_within(delivery, DAY, DAY)
    first = left.given_up_at
    assert fail(delivery, State.UNKNOWN).given_up_at == first


def test_deadline_counts_from_the_first_failure_in_a_row_by_the_clock_of_the_database(cast: Cast):
    delivery = enqueue(cast.connection)
    terms(cast.connection, deadline_seconds=3600)
    assert fail(delivery).state == "queued"
    Delivery.objects.update(failing_since=Now() - timedelta(minutes=59))
    assert fail(delivery).state == "queued"
    Delivery.objects.update(failing_since=Now() - timedelta(minutes=61))
    assert fail(delivery).state == "cancelled"


def test_refusal_is_never_tried_again(cast: Cast):
    delivery = enqueue(cast.connection)
    [claim] = engine.claim(limit=1)
    ended = engine.settle(engine.Settlement(claim.delivery, claim.epoch, State.REFUSED, detail="No."))
    assert ended is not None
    assert (ended.state, ended.failing_since) == ("refused", None)
    let_leases_end()
    assert engine.claim(limit=1) == []
    assert delivery.pk == ended.pk


def test_words_to_the_source_are_tried_for_ever_unless_terms_say_otherwise(cast: Cast):
    delivery = enqueue(cast.connection, operation=Delivery.Operation.WRITE_BACK)
    for _ in range(3):
        fail(delivery)
    terms(cast.connection, About.TELLING, tries=4)
    assert fail(delivery).state == "queued"
    assert due_within(delivery, DAY, DAY)
