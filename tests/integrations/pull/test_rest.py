import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from audit.queries import timeline
from exceptions_app import intake
from exceptions_app.models import ExceptionCase
from integrations.models import FolderProblem, InboxMessage, PullSource, SequenceGap
from integrations.pull import sources
from tests.arrivals import configure, refused_invoice, report_on
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.integrations.pull.sources import configured, pull, waits_for
from tests.scripted_server import answering, scripted
from tests.simulator_process import TOKEN, RunningSimulator

pytestmark = pytest.mark.django_db


def rest_source(cast: Cast, url: str, *, secret: str = TOKEN, **settings: Any) -> PullSource:
    given = {"url": url, "sequence": "/sequence"} | settings
    return configured(cast, kind="rest", settings={k: v for k, v in given.items() if v is not None}, secret=secret)


@pytest.fixture
def source(cast: Cast, simulator: RunningSimulator) -> PullSource:
    return rest_source(cast, simulator.feed_url, parameters={"limit": "2"})


def items(*numbers: int) -> list[dict[str, Any]]:
    return [{"id": f"item-{number}", "payload": {"type": "journal", "reference": f"J-{number}"}} for number in numbers]


def received() -> list[str]:
    return list(InboxMessage.objects.order_by("id").values_list("external_id", flat=True))


def gaps() -> list[tuple[Any, ...]]:
    found = SequenceGap.objects.order_by("first")
    return [(gap.first, gap.last, gap.missing, gap.closed_at is not None) for gap in found]


def test_every_page_is_read_and_the_cursor_is_kept(source: PullSource, simulator: RunningSimulator):
    simulator.change_feed(add=items(1, 2, 3, 4, 5))
    pulled = pull(source)
    assert pulled is not None
    assert (pulled.taken, received()) == (5, ["item-1", "item-2", "item-3", "item-4", "item-5"])
    assert (source.cursor, source.last_ok_at, source.last_problem) == ({"cursor": "5", "highest": 5}, MORNING, "")

    simulator.change_feed(add=items(6))
    assert (pull(source).taken, source.cursor["cursor"], len(received())) == (1, "6", 6)
    assert pull(source).taken == 0
    assert timedelta(seconds=250) < waits_for(source) <= timedelta(seconds=300)


def test_item_is_kept_as_it_was_written_and_becomes_an_exception(cast: Cast, simulator: RunningSimulator):
    payload = refused_invoice().decode()
    refusal = {"media_type": "application/xml", "text": report_on(refused_invoice()).decode(), "status": 422}
    simulator.change_feed(add=[{"id": "a", "payload": payload, "refusal": refusal}])
    pull(rest_source(cast, simulator.feed_url))
    message = InboxMessage.objects.get()
    assert (message.via, message.received_by, message.purpose) == ("pull", "pull:partner", "refused")
    assert (bytes(message.content.payload), message.content.refusal_status) == (refused_invoice(), 422)
    assert message.content.context == {"pull_source": "partner"}
    intake.read_messages(limit=1, at=MORNING)
    assert ExceptionCase.objects.get().document_number == "INV-1001"


def test_repeated_items_are_recognised(source: PullSource, simulator: RunningSimulator):
    simulator.change_feed(add=items(1, 2))
    pull(source)
    simulator.change_feed(repeat=[1, 2], add=items(3))
    pulled = pull(source)
    assert pulled is not None
    assert (pulled.taken, pulled.repeats, received(), gaps()) == (1, 2, ["item-1", "item-2", "item-3"], [])


def test_gap_is_seen_and_closed_when_the_items_come_late(source: PullSource, simulator: RunningSimulator):
    simulator.change_feed(add=items(1))
    pull(source)
    simulator.change_feed(add=items(2, 3, 4, 5), skip=3)
    pull(source)
    assert gaps() == [(2, 4, [[2, 4]], False)]
    gap = SequenceGap.objects.get()
    assert (gap.seen_at, gap.overdue_at, str(gap)) == (MORNING, MORNING + timedelta(minutes=60), "2 to 4")

    simulator.change_feed(late=[3])
    pull(source)
    assert gaps() == [(2, 4, [[2, 2], [4, 4]], False)]
    assert SequenceGap.objects.get().number_missing == 2
    simulator.change_feed(late=[4, 2])
    pull(source)
    assert gaps() == [(2, 4, [], True)]
    assert received() == ["item-1", "item-5", "item-3", "item-4", "item-2"]
    told = [event.action for event in timeline("pull_source:partner")]
    assert told == ["configuration.added", "pull_source.gap_seen", "pull_source.gap_closed"]


def test_first_number_shows_what_was_missing_from_the_start(cast: Cast, simulator: RunningSimulator):
    simulator.change_feed(add=items(1, 2, 3), skip=2)
    pull(rest_source(cast, simulator.feed_url, first_sequence=1))
    assert gaps() == [(1, 2, [[1, 2]], False)]


def test_first_page_says_where_to_begin_otherwise(source: PullSource, simulator: RunningSimulator):
    simulator.change_feed(add=items(1, 2, 3), skip=2)
    pull(source)
    assert gaps() == []


def test_many_gaps_of_one_page_are_told_as_one(cast: Cast, simulator: RunningSimulator):
    for _ in range(25):
        simulator.change_feed(add=items(0, 0), skip=1)
    pull(rest_source(cast, simulator.feed_url, id="/sequence"))
    gap = SequenceGap.objects.get()
    assert (gap.first, gap.last, gap.number_missing) == (3, 49, 24)


def test_what_was_passed_over_is_asked_for_again(cast: Cast, simulator: RunningSimulator):
    source = rest_source(cast, simulator.feed_url, gap_url=simulator.feed_url + "?from={first}&to={last}")
    simulator.change_feed(add=items(1))
    pull(source)
    simulator.change_feed(add=items(2, 3, 4), skip=2)
    simulator.change_feed(lose=[3])
    pull(source)
    assert gaps() == [(2, 3, [[3, 3]], False)]
    gap = SequenceGap.objects.get()
    assert (gap.asks, gap.asked_at, received()) == (1, MORNING, ["item-1", "item-4", "item-2"])
    assert source.cursor == {"cursor": "2", "highest": 4}

    pull(source, at=MORNING + timedelta(minutes=1))
    gap.refresh_from_db()
    assert gap.asks == 1
    pull(source, at=MORNING + timedelta(minutes=2))
    gap.refresh_from_db()
    assert gap.asks == 2


def test_question_for_a_gap_that_fails_leaves_the_rest_alone(cast: Cast, simulator: RunningSimulator):
    source = rest_source(cast, simulator.feed_url, gap_url=simulator.url + "/nowhere?from={first}&to={last}")
    simulator.change_feed(add=items(1))
    pull(source)
    simulator.change_feed(add=items(2, 3), skip=1)
    assert pull(source).taken == 1
    assert source.failures == 0
    assert source.last_problem == "Asked again for number 2: The feed answered with status 404."


def test_item_without_a_number_is_taken_in_and_said(cast: Cast, simulator: RunningSimulator):
    source = rest_source(cast, simulator.feed_url, sequence="/nothing")
    simulator.change_feed(add=items(1, 2))
    assert pull(source).taken == 2
    assert source.last_problem.startswith("2 items had no whole number at /nothing")


def test_item_that_cannot_be_taken_in_is_kept_and_the_others_go_on(source: PullSource, simulator: RunningSimulator):
    configure(source.connection, max_bytes=300)
    odd = [{"id": "a b\n", "payload": "x"}, {"id": "large", "payload": "x" * 301}]
    simulator.change_feed(add=[*items(1), *odd, *items(4)])
    pulled = pull(source)
    assert pulled is not None
    assert (pulled.taken, pulled.unusable) == (2, 2)
    failed = InboxMessage.objects.get(status="failed")
    assert json.loads(bytes(failed.content.payload)) == {"id": "a b\n", "payload": "x", "sequence": 2}
    assert failed.problem == "An item of Partner could not be taken in: The message has no usable identifier."
    assert failed.problem_field == "id"
    assert FolderProblem.objects.get().quarantined_as == "nowhere; it is still at the source"

    simulator.change_feed(repeat=[2, 3])
    pull(source)
    assert (InboxMessage.objects.filter(status="failed").count(), FolderProblem.objects.count()) == (1, 1)


def test_message_may_be_one_to_deliver(cast: Cast, simulator: RunningSimulator):
    simulator.change_feed(add=items(1))
    pull(rest_source(cast, simulator.feed_url, purpose="deliver"))
    assert InboxMessage.objects.get().purpose == "deliver"


def test_cursor_of_the_last_item(cast: Cast):
    pages = [page(items(1, 2)), page(items(2)), page([])]
    with serving(pages) as feed:
        source = rest_source(cast, feed.url, sequence=None, item_cursor="/id", cursor_parameter="after")
        assert pull(source).taken == 2
        assert source.cursor == {"cursor": "item-2"}
    assert [line(request) for request in feed.requests] == ["GET /path", "GET /path?after=item-2"]


def page(content: list[dict[str, Any]], **more: Any) -> bytes:
    return json.dumps({"items": content, **more}).encode()


def serving(pages: list[bytes], status: str = "200 OK", *headers: str) -> Any:
    left: Iterator[bytes] = iter(pages)

    def script(connection: socket.socket) -> None:
        answering(status, next(left), *headers)(connection)

    return scripted(script)


def line(request: bytes) -> str:
    return request.split(b" HTTP", 1)[0].decode()


def test_sign_in_by_bearer_basic_or_none(cast: Cast):
    with serving([page([])] * 3) as feed:
        pull(rest_source(cast, feed.url))
        basic = configured(
            cast, slug="b", kind="rest", secret="päss", settings={"url": feed.url, "sign_in": "basic", "user": "me"}
        )
        pull(basic)
        pull(configured(cast, slug="n", kind="rest", settings={"url": feed.url, "sign_in": "none"}))
    sent = [
        next((one for one in request.decode().split("\r\n") if one.startswith("Authorization")), "")
        for request in feed.requests
    ]
    assert sent == [f"Authorization: Bearer {TOKEN}", "Authorization: Basic bWU6cMOkc3M=", ""]


def test_feed_that_gives_the_same_cursor_with_items_is_not_read_for_ever(cast: Cast):
    with serving([page(items(1), next_cursor="a"), page(items(2), next_cursor="a")]) as feed:
        source = rest_source(cast, feed.url, sequence=None)
        pull(source)
    assert (received(), source.failures, source.cursor) == (["item-1", "item-2"], 1, {"cursor": "a"})
    assert "it would never end" in source.last_problem


def test_cursors_that_go_in_a_circle_are_noticed(cast: Cast):
    pages = [page(items(1), next_cursor="a"), page(items(2), next_cursor="b"), page(items(3), next_cursor="a")]
    with serving(pages) as feed:
        source = rest_source(cast, feed.url, sequence=None)
        pull(source)
    assert (source.failures, "it would never end" in source.last_problem) == (1, True)


def test_feed_without_a_cursor_at_its_end_is_read_again_from_its_last_page(cast: Cast):
    pages = [page(items(1), next_cursor="a"), page(items(2)), page(items(2, 3), next_cursor=None)]
    with serving(pages) as feed:
        source = rest_source(cast, feed.url, sequence=None)
        assert (pull(source).taken, source.cursor) == (2, {"cursor": "a"})
        assert pull(source).taken == 1
    assert received() == ["item-1", "item-2", "item-3"]


def test_most_pages_of_one_pull(source: PullSource, simulator: RunningSimulator):
    configure(source, settings=source.settings | {"pages": 2})
    simulator.change_feed(add=items(1, 2, 3, 4, 5))
    assert pull(source).taken == 4
    assert waits_for(source) <= timedelta(0)
    assert (pull(source).taken, source.cursor["cursor"]) == (1, "5")


def test_cursor_of_a_page_survives_that_the_next_one_fails(source: PullSource, simulator: RunningSimulator):
    simulator.change_feed(add=items(1, 2, 3, 4))
    simulator.fault("down", path="/feed/items", method="GET", times=1)
    pull(source)
    assert (received(), source.failures, source.cursor) == ([], 1, {})
    pull(source)
    simulator.change_feed(add=items(5, 6, 7, 8))
    simulator.restart()
    assert (pull(source).taken, len(received()), source.cursor["cursor"]) == (4, 8, "8")


@pytest.mark.django_db(transaction=True)
def test_crash_in_the_middle_of_a_page_stores_nothing_of_it(source: PullSource, simulator: RunningSimulator):
    simulator.change_feed(add=items(1, 2, 3, 4))
    with database.cursor() as cursor:  # the database refuses the third message, as if it had gone away
        cursor.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                       " RAISE 'gone'; END $$")  # fmt: skip
        cursor.execute("CREATE TRIGGER refuse BEFORE UPDATE ON integrations_pullsource FOR EACH ROW"
                       " WHEN (NEW.cursor->>'cursor' = '4') EXECUTE FUNCTION refuse()")  # fmt: skip
    try:
        pull(source)
        assert (received(), source.cursor, source.failures) == (["item-1", "item-2"], {"cursor": "2", "highest": 2}, 1)
    finally:
        with database.cursor() as cursor:
            cursor.execute("DROP FUNCTION refuse() CASCADE")
    assert (pull(source).taken, received(), gaps()) == (2, ["item-1", "item-2", "item-3", "item-4"], [])


def test_feed_that_wants_to_be_asked_later_is_asked_later(source: PullSource, simulator: RunningSimulator):
    for status in (429, 503):
        simulator.change_feed(answer=status, retry_after=7200)
        pull(source)
        assert timedelta(seconds=7190) < waits_for(source) <= timedelta(seconds=7200)
    assert (source.failures, source.is_paused) == (2, False)
    assert source.last_problem == "The feed wants to be asked later (503)."


@pytest.mark.parametrize("status", [401, 403])
def test_refused_sign_in_pauses_with_its_reason(source: PullSource, simulator: RunningSimulator, status: int):
    simulator.change_feed(answer=status)
    pull(source)
    assert source.paused_at == MORNING
    assert source.paused_because.startswith(f"The feed refused the sign-in ({status}).")
    assert timeline("pull_source:partner")[-1].action == "pull_source.paused"
    simulator.change_feed(add=items(1))
    assert (pull(source), received()) == (None, [])


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        ("500 No", b"", "The feed answered with status 500."),
        ("302 Found", b"", "The feed answered with status 302. Redirects are not followed; write"),
        ("200 OK", b"<html>", "The answer of the feed cannot be read. The document is not valid JSON"),
        ("200 OK", b'{"items": {}}', "The answer of the feed has no list at /items; look at items."),
        ("200 OK", b'{"items": [], "items": []}', "The answer of the feed cannot be read."),
    ],
)  # fmt: skip
def test_answer_that_cannot_be_used_is_said_and_tried_again(cast: Cast, status: str, body: bytes, problem: str):
    with serving([body], status) as feed:
        source = rest_source(cast, feed.url)
        pull(source)
    assert source.last_problem.startswith(problem)
    assert (source.failures, source.is_paused, source.cursor) == (1, False, {})


def test_answer_that_is_too_large_is_broken_off(cast: Cast):
    with serving([b" " * 2000]) as feed:
        source = rest_source(cast, feed.url, page_bytes=1000)
        pull(source)
    assert source.last_problem == "The answer is larger than 1000 bytes."


def test_no_content_is_an_empty_page(cast: Cast):
    with serving([b""], "204 No Content") as feed:
        source = rest_source(cast, feed.url)
        assert pull(source).taken == 0
    assert source.failures == 0


def test_feed_that_hangs_is_given_up(source: PullSource, simulator: RunningSimulator):
    configure(source.connection, timeout_seconds=1)
    simulator.fault("timeout_before", path="/feed/items", method="GET", seconds=20, times=1)
    pull(source)
    assert (source.failures, source.is_paused, bool(source.last_problem)) == (1, False, True)


@pytest.mark.django_db(transaction=True)
def test_two_pullers_store_each_item_once(source: PullSource, simulator: RunningSimulator):
    simulator.change_feed(add=items(*range(1, 11)))
    outcomes = at_the_same_time([lambda: sources.pull(source.pk, at=MORNING) for _ in range(4)])
    assert sum(outcome.taken for outcome in outcomes if outcome is not None) == 10
    assert (len(received()), set(InboxMessage.objects.values_list("repeats", flat=True))) == (10, {0})


def test_page_of_500_items_takes_as_few_statements_as_one_of_ten(cast: Cast, simulator: RunningSimulator):
    few, many = (statements_for(cast, simulator, slug=f"s{number}", number=number) for number in (10, 500))
    assert many <= few + 2
    assert InboxMessage.objects.count() == 510


def statements_for(cast: Cast, simulator: RunningSimulator, *, slug: str, number: int) -> int:
    simulator.reset()
    simulator.change_feed(add=[{"id": f"{slug}-{place}", "payload": {"a": place}} for place in range(number)])
    settings = {"url": simulator.feed_url, "parameters": {"limit": "1000"}, "sequence": "/sequence"}
    source = configured(cast, slug=slug, kind="rest", secret=TOKEN, settings=settings)
    with CaptureQueriesContext(database) as queries:
        assert pull(source).taken == number
    return len(queries)


def test_page_without_room_for_all_of_it_comes_again(cast: Cast, simulator: RunningSimulator):
    configure(cast.connection, per_minute=2)
    simulator.change_feed(add=items(1, 2, 3, 4, 5))
    source = rest_source(cast, simulator.feed_url)
    assert pull(source) is None
    assert (received(), source.cursor, source.failures, source.is_paused) == (["item-1", "item-2"], {}, 0, False)
    assert source.last_problem.startswith("It waits at the source: Tax authority takes 2 new messages a minute")
    assert timedelta(0) < waits_for(source) <= timedelta(seconds=60)

    assert pull(source) is None
    assert received() == ["item-1", "item-2"]
    for minute in (1, 2):
        pull(source, at=MORNING + timedelta(minutes=minute))
    assert (received(), source.cursor) == ([f"item-{number}" for number in range(1, 6)], {"cursor": "5", "highest": 5})
