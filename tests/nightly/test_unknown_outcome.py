"""Approved replays to a target that is well, while some answers are lost: how soon each outcome is known."""

import time

import psycopg
import pytest

from tests.nightly.conftest import Tell
from tests.nightly.figures import percentile
from tests.nightly.site import Site

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(3600)]

REPLAYS = 1_000
SETTLE_TIME = 5  # seconds; what the connector of the ERP declares
# Rare enough that no breaker takes the target for one that is down.
LOST = {"timeout_before": 0.02, "timeout_after": 0.02, "drop_mid_answer": 0.02, "book_late": 0.02}
LIVE = "SELECT count(*) FROM integrations_delivery WHERE operation = 'submit' AND finished_at IS NULL"
# From the first answer that told nothing to the end of the delivery, and which came in between.
IN_DOUBT = """
    SELECT extract(epoch FROM max(d.finished_at) - min(n.finished_at) FILTER (WHERE n.outcome = 'unknown')),
        array_agg(a.phase ORDER BY a.id)
    FROM integrations_delivery d
    JOIN integrations_deliveryattempt a ON a.delivery_id = d.id
    JOIN integrations_deliveryanswer n ON n.attempt_id = a.id
    WHERE d.operation = 'submit'
    GROUP BY d.id
    HAVING bool_or(n.outcome = 'unknown')"""


def test_unknown_outcome(site: Site, share: float, tell: Tell):
    number = max(round(REPLAYS * share), 1)
    site.inside(f"approve_replays({number})")
    for name, of_all in LOST.items():
        site.fault(name, seconds=1, share=of_all, seed=1)
    site.inside("resume()")
    while site.count(LIVE):
        time.sleep(0.5)

    assert site.booked == [f"DRILL-{place:06}" for place in range(number)]
    with psycopg.connect(site.stack.database_url, autocommit=True) as connection:
        doubts = connection.execute(IN_DOUBT).fetchall()
    assert doubts, "no answer was lost"
    for _, phases in doubts:
        assert phases[phases.index("send") + 1] == "probe", "sent again before the target was asked"
    seconds = [float(took) for took, _ in doubts]
    tell(f"{len(doubts)} unknown outcomes known, 95 of 100", percentile(seconds, 0.95), SETTLE_TIME + 5)
