"""Many messages at once: each has an outcome of its own, and all of them cost a few statements."""

from functools import partial
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.models import AuditEvent
from integrations import inbox
from integrations.models import Connection, InboxContent, InboxMessage
from tests.arrivals import configure, handed_in, receive
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time

pytestmark = pytest.mark.django_db


def receive_many(connection: Connection, *messages: inbox.HandedIn) -> list[inbox.Receipt | inbox.MessageRefused]:
    arrivals = [inbox.Arrival(connection, message) for message in messages]
    return inbox.receive_many(arrivals, via=InboxMessage.Via.API, by="source", at=MORNING)


def named(*external_ids: str, **changes: Any) -> list[inbox.HandedIn]:
    return [handed_in(external_id, **changes) for external_id in external_ids]


def words_for(outcome: inbox.Receipt | inbox.MessageRefused) -> str:
    if isinstance(outcome, inbox.MessageRefused):
        return f"refused: {outcome.field}"
    return "conflict" if outcome.conflict else "repeat" if outcome.is_repeat else "new"


def test_each_has_its_own_outcome_in_the_order_given(cast: Cast):
    receive(cast.connection, handed_in("here-before"))
    outcomes = receive_many(
        cast.connection,
        *named("b", "", "a", "here-before"),
        *named("here-before", "a", payload=b"<Invoice>other</Invoice>"),
        *named("b", "b"),
    )
    assert [words_for(outcome) for outcome in outcomes] == [
        "new", "refused: id", "new", "repeat", "conflict", "conflict", "repeat", "repeat",
    ]  # fmt: skip
    kept = InboxMessage.objects.order_by("external_id", "id").values_list("external_id", "status", "repeats")
    assert list(kept) == [
        ("a", "pending", 0), ("a", "failed", 0), ("b", "pending", 2), ("here-before", "pending", 1),
        ("here-before", "failed", 0),
    ]  # fmt: skip
    assert InboxContent.objects.count() == 5
    assert AuditEvent.objects.filter(action="message.received").count() == 5
    assert AuditEvent.objects.filter(action="message.failed").count() == 2


def test_nothing_usable_keeps_nothing(cast: Cast):
    assert [words_for(outcome) for outcome in receive_many(cast.connection, *named("", " "))] == ["refused: id"] * 2
    assert not InboxMessage.objects.exists()


def test_thirty_cost_as_many_statements_as_one(cast: Cast):
    with CaptureQueriesContext(database) as one:
        receive_many(cast.connection, *named("single"))
    with CaptureQueriesContext(database) as thirty:
        receive_many(cast.connection, *named(*(f"message-{number}" for number in range(30))))
    assert len(thirty) == len(one)


@pytest.mark.django_db(transaction=True)
def test_the_same_at_once_in_opposite_orders_are_kept_once(cast: Cast):
    messages = named(*(f"message-{number}" for number in range(20)))
    orders = [messages, messages[::-1]] * 4
    outcomes = at_the_same_time([partial(receive_many, cast.connection, *order) for order in orders])

    assert (
        sorted(words_for(outcome) for answered in outcomes for outcome in answered) == ["new"] * 20 + ["repeat"] * 140
    )
    assert list(InboxMessage.objects.values_list("repeats", flat=True)) == [7] * 20


NAMES = st.sampled_from(["a", "b", "c", ""])
CONTENTS = st.sampled_from([b"<one/>", b"<two/>"])
PURPOSES = st.sampled_from(list(InboxMessage.Purpose))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NAMES, CONTENTS, PURPOSES), max_size=8), st.sampled_from([1, 3, 100]))
def test_many_at_once_end_as_one_by_one(cast: Cast, sent: list[tuple[str, bytes, Any]], most_pending: int):
    """The same outcomes, and the same messages with the same counts and events, in the same order."""
    messages = [handed_in(name, payload=content, purpose=purpose) for name, content, purpose in sent]
    told = []
    for take_in in (_one_by_one, receive_many):
        with transaction.atomic():
            connection = configure(cast.connection, most_pending=most_pending)
            outcomes = take_in(connection, *messages)
            kept = InboxMessage.objects.order_by("id")
            told.append(
                (
                    [words_for(outcome) for outcome in outcomes],
                    list(kept.values_list("external_id", "content_sha256", "status", "conflict", "repeats", "problem")),
                    [bytes(content.payload) for content in InboxContent.objects.order_by("message_id")],
                    sorted(AuditEvent.objects.filter(action__startswith="message.").values_list("action", "summary")),
                )
            )
            transaction.set_rollback(True)
    assert told[0] == told[1]


def _one_by_one(connection: Connection, *messages: inbox.HandedIn) -> list[inbox.Receipt | inbox.MessageRefused]:
    return [outcome for message in messages for outcome in receive_many(connection, message)]
