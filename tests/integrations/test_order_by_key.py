"""Messages of one connection and key are read in their order, by however many readers; others side by side."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from exceptions_app import intake
from integrations import inbox
from integrations.models import InboxMessage
from tests.arrivals import handed_in, receive
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.integrations.test_inbox import other_connection
from tests.integrations.test_receive_many import receive_many

__all__ = ["other_connection"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def leases_that_end_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "READER_LEASE", timedelta(hours=1))


def came(cast: Cast, *keys: str) -> list[InboxMessage]:
    """A message for each of the keys, in their order."""
    return [receive(cast.connection, handed_in(f"{place}", ordering_key=key)).message for place, key in enumerate(keys)]


def claimed() -> int:
    claim = inbox.claim()
    return claim.message_id if claim is not None else 0


def done(message: InboxMessage) -> None:
    inbox.processed(InboxMessage.objects.get(pk=message.pk), at=MORNING)


def test_later_message_of_a_key_waits_for_the_earlier_one(cast: Cast):
    first, second, other, third = came(cast, "a", "a", "b", "a")
    assert [claimed() for _ in range(3)] == [first.pk, other.pk, 0]
    done(first)
    assert [claimed(), claimed()] == [second.pk, 0]
    done(second)
    assert [claimed(), claimed()] == [third.pk, 0]


def test_messages_without_a_key_wait_for_nobody(cast: Cast):
    messages = came(cast, "", "", "")
    assert [claimed() for _ in messages] == [message.pk for message in messages]


def test_key_is_that_of_one_connection(cast: Cast, other_connection: Any):
    ours = receive(cast.connection, handed_in("1", ordering_key="a")).message
    theirs = receive(other_connection, handed_in("2", ordering_key="a")).message
    assert [claimed(), claimed()] == [ours.pk, theirs.pk]


def test_earlier_message_that_comes_up_again_after_a_crash_goes_first(cast: Cast):
    first, second = came(cast, "a", "a")
    assert [claimed(), claimed()] == [first.pk, 0]
    InboxMessage.objects.filter(pk=first.pk).update(claimed_until=None)
    assert [claimed(), claimed()] == [first.pk, 0]
    done(first)
    assert claimed() == second.pk


def test_message_that_cannot_be_read_keeps_nobody_waiting(cast: Cast):
    first, second = came(cast, "a", "a")
    assert [claimed(), claimed()] == [first.pk, 0]
    failed = InboxMessage.objects.get(pk=first.pk)
    inbox.fail(failed, at=MORNING, problem="It is no document.", field="payload", remedy="Send one.")
    assert claimed() == second.pk


def test_failure_that_is_read_again_goes_before_what_still_waits(cast: Cast):
    first, second, third = came(cast, "a", "a", "a")
    failed = InboxMessage.objects.get(pk=first.pk)
    inbox.fail(failed, at=MORNING, problem="It is no document.", field="payload", remedy="Send one.")
    assert claimed() == second.pk
    inbox.read_again(first.pk, by="clara", at=MORNING)
    assert claimed() == first.pk
    done(second)
    assert claimed() == 0
    done(first)
    assert claimed() == third.pk


def test_batch_is_read_in_the_order_in_which_it_was_sent(cast: Cast):
    names = ["z", "m", "a", "k"]
    receive_many(cast.connection, *[handed_in(name, ordering_key="one") for name in names])
    order = []
    while number := claimed():
        message = InboxMessage.objects.get(pk=number)
        order.append(message.external_id)
        done(message)
    assert order == names


@pytest.mark.django_db(transaction=True)
def test_two_readers_keep_the_order_of_each_key(cast: Cast, monkeypatch: pytest.MonkeyPatch):
    keys = [f"key-{number % 5}" for number in range(40)]
    came(cast, *keys)
    read: list[tuple[str, int]] = []

    def reading(message: InboxMessage, *, at: Any) -> list[Any]:
        read.append((message.ordering_key, message.pk))
        inbox.processed(message, at=at)
        return []

    monkeypatch.setitem(intake._READERS, InboxMessage.Purpose.REFUSED, reading)

    def until_all_are_read() -> None:
        for _ in range(400):
            intake.read_messages(limit=1, at=MORNING)

    assert at_the_same_time([until_all_are_read] * 4) == [None] * 4
    assert len(read) == 40
    for key in set(keys):
        numbers = [number for of, number in read if of == key]
        assert numbers == sorted(numbers)


@pytest.mark.django_db(transaction=True)
def test_message_is_told_to_wait_in_the_moment_in_which_the_one_before_it_is_done(cast: Cast):
    """Whoever comes second waits for the row, so that nobody waits for a turn that has passed."""
    first, second = came(cast, "a", "a")
    assert claimed() == first.pk
    with ThreadPoolExecutor(max_workers=1) as pool:
        with transaction.atomic():
            assert claimed() == 0  # it has told the second to wait, and is not committed
            doing = pool.submit(partial(_closing, done, first))
        doing.result(60)
    assert claimed() == second.pk


def _closing(work: Any, *given: Any) -> None:
    try:
        work(*given)
    finally:
        database.close()


def test_choosing_costs_as_little_among_a_hundred_thousand(cast: Cast):
    """Blocks read, not time: one hot key, whose followers are told to wait once and never looked at again."""
    first = came(cast, "hot")[0]
    assert claimed() == first.pk
    columns = (
        "connection_id, external_id, content_sha256, conflict, ordering_key, waits_its_turn, via, purpose, status,"
        " received_at, received_by, correlation_id, repeats, claims, problem, problem_field, remedy"
    )
    with database.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO integrations_inboxmessage ({columns})"  # noqa: S608 - the constant above
            " SELECT %s, 'm' || n, n::text, false, CASE n %% 2 WHEN 0 THEN 'hot' ELSE 'k' || n END,"
            " n %% 2 = 0, 'api', 'refused', 'pending', %s, 'source', '', 0, 0, '', '', ''"
            " FROM generate_series(1, 100000) AS n",
            [cast.connection.pk, MORNING],
        )
        cursor.execute("ANALYZE integrations_inboxmessage")
    with blocks_read() as read:
        assert claimed() > first.pk
    assert sum(read) < 100


@contextmanager
def blocks_read() -> Iterator[list[int]]:
    """Blocks of tables and indexes that each SELECT inside looks at."""
    read: list[int] = []

    def explained(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        if sql.startswith("SELECT"):
            with context["connection"].connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
                plan = cursor.fetchone()[0][0]["Plan"]
                read.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
        return execute(sql, params, many, context)

    with database.execute_wrapper(explained):
        yield read
