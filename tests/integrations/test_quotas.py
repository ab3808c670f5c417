"""How much a connection takes: what waits, what comes in a minute, and what is told beyond it."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.cache import cache
from pytest_django.fixtures import Settings

from integrations import inbox, quotas
from integrations.models import Connection, InboxMessage, IntakeRate
from tests.arrivals import configure, handed_in, receive
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.integrations.test_inbox import other_connection

__all__ = ["other_connection"]
pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    cache.clear()


def offered(connection: Connection, *names: str, at: datetime = MORNING) -> list[Any]:
    """What became of each: taken, known, or the limit that it met and the seconds to wait."""
    outcomes = inbox.receive_many(
        [inbox.Arrival(connection, handed_in(name)) for name in names],
        via=InboxMessage.Via.API, by="source", at=at,
    )  # fmt: skip
    return [_in_words(outcome) for outcome in outcomes]


def _in_words(outcome: inbox.Receipt | inbox.MessageRefused) -> Any:
    if isinstance(outcome, inbox.Receipt):
        return "known" if outcome.is_repeat else "taken"
    assert isinstance(outcome, quotas.QuotaReached)
    return outcome.limit, outcome.retry_after


def read_one() -> None:
    claim = inbox.claim()
    assert claim is not None
    inbox.processed(InboxMessage.objects.get(pk=claim.message_id), at=MORNING)


def test_no_more_wait_than_may_and_what_is_known_is_recognised_all_the_same(cast: Cast):
    connection = configure(cast.connection, most_pending=2)
    assert offered(connection, "a", "b", "c", "a") == ["taken", "taken", ("pending", 1), "known"]
    assert offered(connection, "b", "d") == ["known", ("pending", 1)]
    read_one()
    assert offered(connection, "d", "e") == ["taken", ("pending", 1)]
    with pytest.raises(inbox.QuotaReached) as refused:
        receive(connection, handed_in("e"))
    assert refused.value.problem == "2 messages of Tax authority wait to be read already; there is no room for more."


def test_failures_and_what_is_read_take_no_room(cast: Cast):
    connection = configure(cast.connection, most_pending=1)
    receive(connection, handed_in("a"))
    assert receive(connection, handed_in("a", payload=b"<other/>")).conflict
    assert offered(connection, "b") == [("pending", 1)]
    read_one()
    assert offered(connection, "b") == ["taken"]


def test_wait_is_by_the_pace_at_which_the_oldest_came_up(cast: Cast):
    connection = configure(cast.connection, most_pending=4)
    offered(connection, "a", "b", "c", "d")
    assert offered(connection, "e", at=MORNING + 60 * SECOND) == [("pending", 15)]
    assert offered(connection, "e", "f", at=MORNING + 60 * SECOND) == [("pending", 30)] * 2
    assert offered(connection, "e", at=MORNING + timedelta(days=1)) == [("pending", quotas.LONGEST_WAIT)]


def test_so_many_in_a_minute_and_again_when_it_is_over(cast: Cast):
    connection = configure(cast.connection, per_minute=3)
    assert offered(connection, "a", "b") == ["taken"] * 2
    assert offered(connection, "c", "d", at=MORNING + 20 * SECOND) == ["taken", ("per-minute", 40)]
    assert offered(connection, "a", "d", at=MORNING + 59.5 * SECOND) == ["known", ("per-minute", 1)]
    assert offered(connection, "d", at=MORNING + 60 * SECOND) == ["taken"]
    assert IntakeRate.objects.get().taken == 1


def test_connection_without_a_limit_counts_nothing(cast: Cast):
    offered(cast.connection, "a")
    assert IntakeRate.objects.count() == 0
    assert quotas.rate_of(cast.connection, at=MORNING) is None


def test_what_is_left_is_told(cast: Cast):
    connection = configure(cast.connection, per_minute=3)
    assert quotas.rate_of(connection, at=MORNING) == quotas.Rate(3, 3, 60)
    offered(connection, "a")
    assert quotas.rate_of(connection, at=MORNING + 10 * SECOND) == quotas.Rate(3, 2, 50)
    assert quotas.rate_of(connection, at=MORNING + 60 * SECOND) == quotas.Rate(3, 3, 60)


@pytest.mark.parametrize("limit", [{"most_pending": 30}, {"per_minute": 30}])
@pytest.mark.django_db(transaction=True)
def test_hundred_senders_at_once_do_not_pass_a_limit_together(cast: Cast, limit: dict[str, int]):
    connection = configure(cast.connection, **limit)
    outcomes = at_the_same_time([partial(offered, connection, f"m-{number}") for number in range(100)])
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert sum(outcome == ["taken"] for outcome in outcomes) == 30
    assert InboxMessage.objects.count() == 30


def test_far_from_the_limit_nothing_is_counted(cast: Cast, django_assert_num_queries: Any):
    connection = configure(cast.connection, most_pending=50_000)
    with django_assert_num_queries(6):
        receive(connection, handed_in("a"))
    near = configure(cast.connection, most_pending=quotas.NEAR)
    with django_assert_num_queries(8):  # a lock and a count more
        receive(near, handed_in("b"))


def test_old_message_that_is_read_again_is_not_taken_for_a_full_inbox(cast: Cast, settings: Settings):
    settings.INTAKE_MOST_PENDING = 3
    first, *_ = [receive(cast.connection, handed_in(name)).message for name in "ab"]
    failed = InboxMessage.objects.get(pk=first.pk)
    inbox.fail(failed, at=MORNING, problem="None.", field="payload", remedy="None.")
    read_one()
    inbox.read_again(first.pk, by="clara", at=MORNING)
    assert offered(cast.connection, "c", "d") == ["taken"] * 2


def test_limit_for_all_connections_together(cast: Cast, other_connection: Connection, settings: Settings):
    settings.INTAKE_MOST_PENDING = 2
    assert offered(cast.connection, "a", "b") == ["taken"] * 2
    cache.clear()
    [refusal] = inbox.receive_many(
        [inbox.Arrival(other_connection, handed_in("c"))], via=InboxMessage.Via.API, by="source", at=MORNING
    )
    assert isinstance(refusal, quotas.QuotaReached)
    assert (refusal.installation, refusal.retry_after) == (True, 1)
