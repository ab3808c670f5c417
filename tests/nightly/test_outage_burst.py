"""A target goes down and everything that was sent to it fails at once: all of it is kept, and is one cause."""

import time
from collections import Counter
from typing import Any

import pytest

from tests.integrations.connectors.erp.postings import journal
from tests.nightly.browser import ANSWER_SECONDS
from tests.nightly.conftest import Tell
from tests.nightly.site import CONNECTION, Site

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(7200)]

FAILURES = 10_000
SECONDS = 60.0
AT_ONCE = 50  # in a request
OF_THE_DRILL = (
    "FROM integrations_inboxmessage m JOIN integrations_connection n ON n.id = m.connection_id WHERE n.slug = %s"
)
CASES = "FROM exceptions_app_exceptioncase c JOIN integrations_connection n ON n.id = c.connection_id WHERE n.slug = %s"


def failure(place: int) -> dict[str, Any]:
    """A journal that the ERP answered with 503."""
    reference = f"DRILL-{place:06}"
    return {
        "connection": CONNECTION,
        "id": reference,
        "payload": {"media_type": "application/json", "text": journal(reference=reference).decode()},
        "refusal": {"media_type": "text/plain", "status": 503, "text": "Service Unavailable"},
    }


def hand_in(site: Site, messages: list[dict[str, Any]], answered: Counter[int]) -> None:
    """As a sender does that obeys: what was not kept is sent again after the time that it was told."""
    while messages:
        answer = site.api.post(f"{site.stack.url}/api/v1/messages", json={"messages": messages}, timeout=ANSWER_SECONDS)
        answered[answer.status_code] += 1
        if answer.status_code == 429:
            time.sleep(float(answer.headers["Retry-After"]))
            continue
        assert answer.status_code == 202, answer.text
        refused = {receipt["id"] for receipt in answer.json()["messages"] if receipt["status"] == "refused"}
        messages = [message for message in messages if message["id"] in refused]
        if messages:
            time.sleep(float(answer.headers["Retry-After"]))


def test_outage_burst(site: Site, share: float, tell: Tell):
    number = max(round(FAILURES * share), 1)
    answered: Counter[int] = Counter()
    began_at = time.monotonic()
    for first in range(0, number, AT_ONCE):
        begins_at = began_at + SECONDS * share * first / number
        time.sleep(max(begins_at - time.monotonic(), 0))
        hand_in(site, [failure(place) for place in range(first, min(first + AT_ONCE, number))], answered)
    sent_at = time.monotonic()
    assert set(answered) <= {202, 429}
    assert site.count(f"SELECT count(*) {OF_THE_DRILL}", CONNECTION) == number

    while site.count(f"SELECT count(*) {OF_THE_DRILL} AND m.status = 'pending'", CONNECTION):
        time.sleep(0.5)
    grouped_at = time.monotonic()
    assert site.count(f"SELECT count(*) {OF_THE_DRILL} AND m.status = 'processed'", CONNECTION) == number
    assert site.count(f"SELECT count(*) {CASES}", CONNECTION) == number
    assert site.count(f"SELECT count(DISTINCT c.cause_id) {CASES}", CONNECTION) == 1
    tell(f"{number:,} failures taken in, {answered[429]} times told to wait", sent_at - began_at, SECONDS)
    tell("until all are exceptions of one cause", grouped_at - sent_at, 30)
