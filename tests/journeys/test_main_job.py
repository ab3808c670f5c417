"""The main job, as the README walks through it, in a real browser on the whole installation; and without a script."""

import csv
import io
import json
import re
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from integrations.demo.messages import HERO_NUMBER, HERO_TOTAL
from tests.journeys.people import OpenBrowser, follow, search_for, sign_in, sign_out
from tests.stack import RunningStack

REASON = "Two digits were swapped; the order says so."
# One that the proposed value mends, and that nobody in the demonstration has touched.
OTHER_NUMBER = "INV-2026-0420"
STORY = ["case.opened", "case.claimed", "case.corrected", "case.replay_proposed", "case.approved", "case.resolved"]


def effects(stack: RunningStack) -> list[dict[str, str]]:
    """What the simulated tax authority has booked."""
    ledger = requests.get(f"{stack.simulator_url}/control/ledger", timeout=30).json()
    return [effect for effect in ledger["effects"] if effect.get("number") == HERO_NUMBER]


@pytest.mark.browser
@pytest.mark.stack
def test_walk_of_the_readme(stack: RunningStack, open_browser: OpenBrowser):
    assert effects(stack) == []
    page = open_browser()
    sign_in(page, "clerk")
    search_for(page, "inv 2026 0417")
    expect(page.get_by_role("heading", level=1)).to_contain_text(HERO_NUMBER)
    expect(page.locator("#case-problems")).to_contain_text("The total with VAT does not equal")
    ref = page.url.rstrip("/").rsplit("/", 1)[1]
    correct_and_propose(page, ref)

    sign_out(page)
    sign_in(page, "controller")
    follow(page, "Approvals")
    page.get_by_role("link", name=f"Replay {HERO_NUMBER}").click()
    expect(page.locator("#case-diff")).to_contain_text(f"{HERO_TOTAL:,} EUR")
    page.get_by_label("I have compared what changes, and it is right.").check()
    page.get_by_role("button", name="Approve and send 14,127.96 EUR", exact=True).click()
    expect(page.locator("#case-header").get_by_text("Resolved", exact=True)).to_be_visible()
    (effect,) = effects(stack)
    expect(page.locator("#case-references")).to_contain_text(effect["clearance"])

    sign_out(page)
    sign_in(page, "auditor")
    follow(page, "Audit")
    page.get_by_label("About").fill(ref)
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("link", name="CSV")).to_have_attribute("href", re.compile(ref))
    expect(page.locator("#audit-events")).to_contain_text("approved what Clara Jansen proposed")
    assert_exports_tell_every_step(page, ref, effect["clearance"])


def correct_and_propose(page: Page, ref: str) -> None:
    """Steps 3 and 4."""
    page.get_by_role("button", name="Claim").click()
    expect(page.get_by_text(f"You have {ref} now.")).to_be_visible()
    page.get_by_role("link", name=re.compile("^Use this")).first.click()
    expect(page.locator("#case-correction .field--error input").first).to_have_value("14127.96")
    page.get_by_label("Why this correction is right").fill(REASON)
    page.get_by_role("button", name="Check and save as version 2").click()
    expect(page.get_by_text("Nothing stands against version 2 any more.")).to_be_visible()
    page.get_by_role("button", name="Propose replay of version 2").click()
    expect(page.locator("#case-header").get_by_text("Awaiting approval")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)
    page.locator("#case-actions summary", has_text="not possible now").click()
    expect(page.locator("#case-actions")).to_contain_text("You proposed this; someone else must decide.")


def assert_exports_tell_every_step(page: Page, ref: str, clearance: str) -> None:
    """Both formats hold the whole story of exactly this exception, in the order in which it happened."""
    rows = list(csv.DictReader(io.StringIO(_download(page, "CSV").decode("utf-8-sig"))))
    lines = [json.loads(line) for line in _download(page, "JSON Lines").decode().splitlines()]
    events: list[dict[str, Any]] = [line["body"] for line in lines if line["type"] == "event"]
    for exported in (rows, events):
        assert {event["subject"] for event in exported} == {f"case:{ref}"}
        assert [event["action"] for event in exported if event["action"] in STORY] == STORY
    assert [event["event_id"] for event in rows] == [event["event_id"] for event in events]
    [resolved] = [event for event in events if event["action"] == "case.resolved"]
    assert resolved["data"]["reference"] == clearance


def _download(page: Page, name: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("link", name=name).click()
    return download.value.path().read_bytes()


@pytest.mark.browser
@pytest.mark.stack
def test_person_who_may_only_look_has_no_button(open_browser: OpenBrowser):
    page = open_browser()
    sign_in(page, "support")
    search_for(page, HERO_NUMBER)
    expect(page.get_by_role("heading", level=1)).to_contain_text(HERO_NUMBER)
    expect(page.get_by_role("button", name=re.compile("Claim|Check and save|^Approve"))).to_have_count(0)


@pytest.mark.browser
@pytest.mark.stack
def test_main_job_without_a_script(open_browser: OpenBrowser):
    page = open_browser(java_script_enabled=False)
    sign_in(page, "clerk")
    search_for(page, OTHER_NUMBER)
    page.get_by_role("button", name="Claim").click()
    page.get_by_role("link", name=re.compile("^Use this")).first.click()
    page.get_by_label("Why this correction is right").fill(REASON)
    page.get_by_role("button", name="Check and save as version 2").click()
    expect(page.get_by_text("Nothing stands against version 2 any more.")).to_be_visible()
    page.get_by_role("button", name="Propose replay of version 2").click()
    expect(page.locator("#case-header").get_by_text("Awaiting approval")).to_be_visible()

    sign_out(page)
    sign_in(page, "controller")
    follow(page, "Approvals")
    page.get_by_role("link", name=f"Replay {OTHER_NUMBER}").click()
    page.get_by_label("I have compared what changes, and it is right.").check()
    page.get_by_role("button", name=re.compile("^Approve and send")).click()
    expect(page.get_by_text("You approved what was proposed on")).to_be_visible()
    for _ in range(60):  # the page cannot look by itself
        if page.locator("#case-header").get_by_text("Resolved", exact=True).is_visible():
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(page.locator("#case-header").get_by_text("Resolved", exact=True)).to_be_visible()
