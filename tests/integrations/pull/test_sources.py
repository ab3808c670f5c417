# ruff: noqa: S608 - the statements are made of constants of this module
"""The schedule, the guards of the tables, and the tasks."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.db.models.functions import Now
from django.utils.timezone import now
from pytest_django.fixtures import Settings

from integrations.models import InboxMessage, PullSource, SequenceGap
from integrations.pull import gaps, sources
from integrations.tasks import pull_due, pull_source
from tests.arrivals import configure
from tests.broker import broker_at
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.integrations.pull.sources import configured, pull, waits_for
from tests.simulator_process import TOKEN, RunningSimulator

pytestmark = pytest.mark.django_db


def feed(cast: Cast, slug: str = "partner", *, url: str = "http://127.0.0.1:9/items", **more: Any) -> PullSource:
    settings = {"url": url, "sequence": "/sequence"}
    return configured(cast, slug=slug, kind="rest", secret=TOKEN, settings=settings, **more)


def test_what_is_due_is_claimed_once_for_the_length_of_a_lease(cast: Cast):
    due, later, paused = feed(cast, "due"), feed(cast, "later"), feed(cast, "paused")
    configure(paused, paused_at=MORNING, paused_because="For a test.")
    PullSource.objects.filter(pk=later.pk).update(next_due_at=Now() + timedelta(minutes=1))
    assert [sources.claim_due(), sources.claim_due()] == [[due.pk], []]
    due.refresh_from_db()
    assert timedelta(seconds=sources.LEASE - 10) < waits_for(due) <= timedelta(seconds=sources.LEASE)


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_claim_each_source_once(cast: Cast):
    expected = {feed(cast, f"s{number}").pk for number in range(6)}
    claimed = at_the_same_time([sources.claim_due] * 3)
    assert (sum(map(len, claimed)), set().union(*claimed)) == (6, expected)


def test_failures_are_tried_at_growing_intervals(cast: Cast):
    source = feed(cast, every_seconds=60)
    for failures, longest in ((1, 75), (2, 150), (3, 300)):
        pull(source)
        assert source.failures == failures
        assert timedelta(seconds=longest * 0.55) < waits_for(source) <= timedelta(seconds=longest)


@pytest.mark.parametrize(
    ("failures", "every", "retry_after", "least", "most"),
    [(1, 60, None, 45, 75), (50, 60, None, 2700, 4500), (50, 86400, None, 64800, 108000), (1, 60, 7200.0, 7200, 7200)],
)
def test_wait_after_failures(failures: int, every: int, retry_after: float | None, least: int, most: int):
    waits = [sources.wait_after(failures, every, retry_after).total_seconds() for _ in range(200)]
    assert least <= min(waits)
    assert max(waits) <= most
    assert len(set(waits)) > 1 or retry_after is not None


@pytest.mark.django_db(transaction=True)
def test_source_for_which_there_is_no_place_waits_a_moment(cast: Cast, settings: Settings):
    settings.PULLS_AT_ONCE = 1
    source = feed(cast)
    with sources._held(sources._PLACE_LOCKS, [1]) as held:
        assert held
        [outcome] = at_the_same_time([lambda: sources.pull(source.pk, at=MORNING)])
    assert outcome is None
    source.refresh_from_db()
    assert (source.failures, waits_for(source) <= timedelta(seconds=5)) == (0, True)


def test_settings_that_cannot_be_used_pause(cast: Cast):
    source = feed(cast)
    configure(source, settings={"url": "nowhere"})
    pull(source)
    assert source.paused_because.startswith("The settings cannot be used. url: Write an address")


def test_secret_that_no_key_opens_is_said(cast: Cast, settings: Settings):
    source = feed(cast)
    settings.FIELD_ENCRYPTION_KEYS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
    sources.pull(source.pk, at=MORNING)
    row = PullSource.objects.defer("secret").get(pk=source.pk)
    assert (row.failures, "FIELD_ENCRYPTION_KEYS" in row.last_problem) == (1, True)


def test_task_pulls_what_it_is_told(cast: Cast, simulator: RunningSimulator):
    simulator.change_feed(add=[{"id": "a", "payload": {"b": 1}}])
    source = feed(cast, url=simulator.feed_url)
    pull_source(source.pk, hint="of a newer sender")
    assert InboxMessage.objects.get().external_id == "a"
    pull_due()
    source.refresh_from_db()
    assert source.last_ok_at is not None
    assert source.last_ok_at <= now()


def test_what_no_broker_takes_is_due_again_at_once(cast: Cast, caplog: pytest.LogCaptureFixture):
    source = feed(cast)
    with broker_at("redis://127.0.0.1:1/0"):
        pull_due()
    assert f"Source {source.pk} is not pulled now" in caplog.text
    assert sources.claim_due() == [source.pk]


def test_of_two_claims_that_wait_in_one_queue_one_pulls(cast: Cast):
    """The first is carried out after its lease, when the source is claimed again already."""
    source = feed(cast, every_seconds=300)
    assert sources.claim_due() == [source.pk]
    PullSource.objects.filter(pk=source.pk).update(next_due_at=Now())
    assert sources.claim_due() == [source.pk]
    for _ in range(2):
        pull_source(source.pk)
    source.refresh_from_db()
    assert source.failures == 1  # nobody answers there, and it is left alone as long as that asks
    assert waits_for(source) > timedelta(seconds=sources.LEASE)


@pytest.mark.django_db(transaction=True)
def test_who_comes_while_it_is_pulled_goes_away(cast: Cast):
    """However long a pull takes: it outlives its lease, and is claimed and asked for again meanwhile."""
    source = feed(cast)
    with sources._held(sources._SOURCE_LOCKS, [source.pk]) as held:
        assert held
        [outcome] = at_the_same_time([lambda: sources.pull(source.pk, at=MORNING)])
    source.refresh_from_db()
    assert (outcome, source.failures, source.last_ok_at) == (None, 0, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["name = 'x'", "settings = '{}'", "secret = 'x'", "every_seconds = 60",
                                    "paused_at = now()"])  # fmt: skip
def test_configuration_needs_an_audit_event(cast: Cast, change: str):
    source = feed(cast)
    with pytest.raises(IntegrityError, match="no audit event about pull_source:partner"):
        change_by_sql(f"UPDATE integrations_pullsource SET {change} WHERE id = {source.pk}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["cursor = '{}'", "failures = 3", "last_problem = 'x'", "next_due_at = now()"])
def test_what_the_puller_notes_needs_none(cast: Cast, change: str):
    source = feed(cast)
    change_by_sql(f"UPDATE integrations_pullsource SET {change} WHERE id = {source.pk}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE integrations_pullsource SET slug = 'x'",
        "UPDATE integrations_pullsource SET kind = 'sftp'",
        "DELETE FROM integrations_pullsource",
        "UPDATE integrations_sequencegap SET first = 1",
        "UPDATE integrations_sequencegap SET seen_at = now()",
        "UPDATE integrations_sequencegap SET closed_at = now()",
        "UPDATE integrations_sequencegap SET set_aside_at = now()",
        "DELETE FROM integrations_sequencegap",
    ],
)
def test_database_refuses(cast: Cast, statement: str):
    source = feed(cast)
    with transaction.atomic():
        gaps.note(source, [1, 5], highest=None, first=None, overdue_after=timedelta(hours=1), at=MORNING)
    assert SequenceGap.objects.count() == 1
    with pytest.raises(IntegrityError):
        change_by_sql(statement)


def change_by_sql(statement: str) -> None:
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("ranges", "numbers", "left"),
    [
        ([(1, 5)], [3], [(1, 2), (4, 5)]),
        ([(1, 5)], [1, 5], [(2, 4)]),
        ([(1, 5)], [1, 2, 3, 4, 5], []),
        ([(1, 2), (5, 9)], [2, 7], [(1, 1), (5, 6), (8, 9)]),
        ([(1, 2)], [7], [(1, 2)]),
    ],
)
def test_numbers_taken_out_of_ranges(ranges: list[tuple[int, int]], numbers: list[int], left: list[tuple[int, int]]):
    assert gaps.without(ranges, numbers) == left
