"""Thousands of approved replays against a target that takes 30 ms, while people go on working in the queue."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.nightly.browser import ANSWER_SECONDS
from tests.nightly.conftest import Tell
from tests.nightly.figures import percentile
from tests.nightly.site import Site

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(7200)]

REPLAYS = 5_000
LATENCY = 0.03  # seconds
LOOKS_EVERY = 0.5
LIVE = "SELECT count(*) FROM integrations_delivery WHERE operation = 'submit' AND finished_at IS NULL"
RESOLVED = (
    "SELECT count(*) FROM exceptions_app_exceptioncase c JOIN integrations_connection n ON n.id = c.connection_id"
    " WHERE n.slug = 'drill' AND c.state = 'resolved' AND c.outcome = 'replayed'"
)


@contextmanager
def looking_at_the_queue(site: Site) -> Iterator[tuple[list[float], list[int]]]:
    """A person who opens the queue again and again: how long each answer took, and its status."""
    seconds: list[float] = []
    statuses: list[int] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOKS_EVERY):
            began_at = time.monotonic()
            page = requests.get(f"{site.stack.url}/queue/", headers={"Cookie": site.cookie}, timeout=ANSWER_SECONDS)
            seconds.append(time.monotonic() - began_at)
            statuses.append(page.status_code if page.url.endswith("/queue/") else 0)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seconds, statuses
    finally:
        ended.set()
        looking.join()


def test_bulk_replay(site: Site, share: float, tell: Tell):
    number = max(round(REPLAYS * share), 1)
    site.inside(f"approve_replays({number})")
    site.fault("slow", seconds=LATENCY)
    assert site.booked == []
    with looking_at_the_queue(site) as (seconds, statuses):
        began_at = time.monotonic()
        site.inside("resume()")
        while site.count(LIVE):
            time.sleep(0.5)
        took = time.monotonic() - began_at
        while not seconds:
            time.sleep(0.1)

    assert site.booked == [f"DRILL-{place:06}" for place in range(number)]
    assert (site.count(RESOLVED), set(statuses)) == (number, {200})
    tell(f"{number:,} replays", took, 300)
    tell("the queue page meanwhile, 95 of 100", percentile(seconds, 0.95), 0.5)
