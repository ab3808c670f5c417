"""Ten thousand exceptions with one cause: one mapping, one approval, a canary, growing steps, each booked once."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.nightly.browser import Browser
from tests.nightly.conftest import Tell
from tests.nightly.figures import percentile
from tests.nightly.site import CONNECTION, Site

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(14_400)]

EXCEPTIONS = 10_000
LOOKS_EVERY = 1.0
CASES = "FROM exceptions_app_exceptioncase c JOIN integrations_connection n ON n.id = c.connection_id WHERE n.slug = %s"
PREPARED = "SELECT count(*) FROM exceptions_app_mappingproposal WHERE state = 'awaiting_approval'"
OVER = "SELECT count(*) FROM exceptions_app_replaybatch WHERE state NOT IN ('awaiting_approval', 'running')"
# Of each exception of the drill: its own events, one delivery with one sending, its outcome and its item.
TOLD = """
SELECT count(*) FROM (
    SELECT c.id FROM exceptions_app_exceptioncase c JOIN integrations_connection n ON n.id = c.connection_id
    JOIN audit_event e ON e.subject = 'case:EX-' || c.id
    WHERE n.slug = %s AND e.action IN (
        'case.opened', 'case.corrected', 'case.replay_proposed', 'case.approved', 'case.resolved'
    )
    GROUP BY c.id HAVING count(*) = 5 AND count(DISTINCT e.action) = 5
) told
"""
SENT_ONCE = """
SELECT count(*) FROM (
    SELECT c.id FROM exceptions_app_exceptioncase c JOIN integrations_connection n ON n.id = c.connection_id
    JOIN integrations_delivery d ON d.subject = 'case:EX-' || c.id AND d.operation = 'submit' AND d.state = 'confirmed'
    JOIN integrations_deliveryattempt a ON a.delivery_id = d.id AND a.phase = 'send'
    WHERE n.slug = %s GROUP BY c.id HAVING count(*) = 1 AND min(a.content_sha256) = min(d.content_sha256)
) sent
"""
FROZEN = f"""
SELECT count(*) {CASES} AND c.state = 'resolved' AND c.outcome = 'replayed' AND EXISTS (
    SELECT 1 FROM exceptions_app_batchitem i JOIN exceptions_app_batchprogress p ON p.item_id = i.id
    JOIN integrations_delivery d ON d.id = p.delivery_id
    WHERE i.case_id = c.id AND p.state = 'proven' AND p.by_batch AND d.content_sha256 = i.content_sha256
)
"""  # noqa: S608 - constants of this module


@contextmanager
def looking_around(browser: Browser, paths: list[str]) -> Iterator[None]:
    """A person who opens these pages one after the other, again and again."""
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            for path in list(paths):
                browser.open(path)
                if ended.wait(LOOKS_EVERY):
                    return

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield
    finally:
        ended.set()
        looking.join()


def wait_for(site: Site, query: str, number: int, *values: str) -> None:
    while site.count(query, *values) < number:
        time.sleep(0.5)


def test_one_cause(site: Site, share: float, tell: Tell):
    number = max(round(EXCEPTIONS * share), 30)  # what is prepared in the background begins beyond 25
    site.inside(f"refuse_for_a_family({number})")
    wait_for(site, f"SELECT count(*) {CASES}", number, CONNECTION)
    clerk, controller = site.browser("clerk"), site.browser("controller")

    began_at = time.monotonic()
    proposal = propose(clerk)
    proposed_at = time.monotonic()
    paths = ["/queue/", "/approvals/", proposal]
    with looking_around(controller, paths):
        wait_for(site, PREPARED, 1)
        prepared_at = time.monotonic()
        # About so much money decides who proved a moment ago who they are, and not before all was prepared.
        decider = site.browser("controller")
        approve(decider, proposal)
        approved_at = time.monotonic()
        paths.append("/batches/")
        wait_for(site, OVER, 1)
    done_at = time.monotonic()

    assert site.booked == [f"DRILL-{place:06}" for place in range(number)]
    for query in (TOLD, SENT_ONCE, FROZEN):
        assert site.count(query, CONNECTION) == number, query
    assert site.count("SELECT count(*) FROM exceptions_app_replaybatch WHERE state = 'complete'") == 1
    assert site.count("SELECT count(*) FROM exceptions_app_mappingdecision") == 1
    assert site.count("SELECT count(*) FROM exceptions_app_batchdecision") == 1
    assert {*controller.statuses, *decider.statuses} == {200}
    tell("the form, until it is proposed", proposed_at - began_at, 15)
    tell(f"{number:,} exceptions prepared", prepared_at - proposed_at, 1200)
    tell("the page of the decision and the decision", approved_at - prepared_at, 10)
    tell(f"{number:,} sent and proven", done_at - approved_at, 1200)
    tell("pages meanwhile, 95 of 100", percentile(controller.seconds, 0.95), 1.0)


def propose(clerk: Browser) -> str:
    """The mapping with all that it mends, in two steps as on the pages; the address of the proposal."""
    form = clerk.open("/mappings/new/")
    typed = {
        "kind": "product_family", "connection": CONNECTION, "entity": "NL01", "queue": "e-invoicing",
        "source_value": "DRILLS", "target_value": "800400", "because": "Agreed with sales.",
    }  # fmt: skip
    looked = clerk.send(form, typed)
    assert "Propose it with these exceptions" in looked.text
    proposed = clerk.send(looked, typed)
    assert "/mapping-proposals/" in proposed.url, proposed.text
    return proposed.url.removeprefix(clerk.base)


def approve(controller: Browser, proposal: str) -> requests.Response:
    page = controller.open(proposal)
    assert "What it changes in the documents" in page.text
    approved = controller.send(page, {"agreed": "on", "because": ""}, action="/approve/")
    assert "is approved" in approved.text
    return approved
