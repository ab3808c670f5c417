"""The main job, as four people do it in a real browser, on the whole installation."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from integrations.demo.messages import HERO_NUMBER, HERO_TOTAL
from tests.stack import RunningStack

SLOW = 30_000  # milliseconds: these machines are noisy
SignIn = Callable[..., Page]
REASON = "Two digits were swapped; the order says so."


@pytest.fixture
def sign_in(stack: RunningStack, browser: Browser) -> Iterator[SignIn]:
    """Open a browser of one's own and sign in as a person of the demonstration; nothing may fail in the console."""
    complaints: list[str] = []
    contexts = []

    def open_page(username: str, **options: Any) -> Page:
        context = browser.new_context(base_url=stack.url, viewport={"width": 1440, "height": 900}, **options)
        context.set_default_timeout(SLOW)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto("/")
        page.get_by_label("Username").fill(username)
        page.get_by_label("Password").fill(f"demo-{username}-2026")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("navigation").first).to_be_visible()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def effects(stack: RunningStack) -> list[dict[str, str]]:
    """What the simulated tax authority has booked."""
    ledger = requests.get(f"{stack.simulator_url}/control/ledger", timeout=30).json()
    return [effect for effect in ledger["effects"] if effect["number"] == HERO_NUMBER]


def assert_accessible(page: Page) -> None:
    """No violation that axe knows of, light and dark."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page)
        assert found.response["violations"] == [], f"{scheme} {page.url}: {found.generate_report()}"
    page.emulate_media(color_scheme="light")


def open_invoice(page: Page) -> None:
    search = page.get_by_role("searchbox").first
    search.fill(HERO_NUMBER.lower().replace("-", " "))
    search.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(HERO_NUMBER)


@pytest.mark.browser
@pytest.mark.stack
def test_refused_invoice_is_repaired_approved_replayed_and_proven(stack: RunningStack, sign_in: SignIn):
    assert effects(stack) == []

    clerk = sign_in("clerk")
    open_invoice(clerk)
    ref = clerk.url.rstrip("/").rsplit("/", 1)[1]
    clerk.get_by_role("button", name="Claim").click()
    expect(clerk.get_by_text(f"You have {ref} now.")).to_be_visible()
    clerk.get_by_role("link", name=re.compile("^Use this")).first.click()
    clerk.get_by_label("Why this correction is right").fill(REASON)
    clerk.get_by_role("button", name="Check and save as version 2").click()
    expect(clerk.get_by_text("Nothing stands against this version any more.")).to_be_visible()
    assert_accessible(clerk)
    clerk.get_by_role("button", name="Propose replay of version 2").click()
    expect(clerk.get_by_text("Awaiting approval").first).to_be_visible()
    expect(clerk.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)
    clerk.locator("#case-actions summary", has_text="Why not").first.click()
    expect(clerk.get_by_text("You may not approve or reject").first).to_be_visible()

    support = sign_in("support")
    open_invoice(support)
    assert_accessible(support)
    expect(support.get_by_role("button", name=re.compile("Claim|Check and save|^Approve"))).to_have_count(0)

    controller = sign_in("controller")
    controller.goto("/approvals/")
    assert_accessible(controller)
    controller.get_by_role("link", name=re.compile(HERO_NUMBER)).first.click()
    expect(controller.get_by_text(str(HERO_TOTAL)).first).to_be_visible()
    assert_accessible(controller)
    approve(controller)
    expect(controller.get_by_text("Resolved", exact=True).first).to_be_visible()
    assert_accessible(controller)

    (effect,) = effects(stack)
    expect(controller.get_by_text(effect["clearance"]).first).to_be_visible()

    auditor = sign_in("auditor")
    auditor.goto(f"/audit/?about={ref}")
    assert_accessible(auditor)
    expect(auditor.get_by_text(re.compile("approved what Clara Jansen proposed")).first).to_be_visible()
    assert_exports_tell_every_step(auditor, ref, effect["clearance"])


def approve(page: Page) -> None:
    page.get_by_label(re.compile("compared", re.IGNORECASE)).check()
    page.get_by_role("button", name=re.compile("^Approve")).click()


def assert_exports_tell_every_step(page: Page, ref: str, clearance: str) -> None:
    """Both formats hold the whole story, in order, of exactly this exception."""
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8-sig"))))
    actions = [row["action"] for row in rows]
    assert {row["subject"] for row in rows} == {f"case:{ref}"}
    expected = [
        "case.opened",
        "case.claimed",
        "case.corrected",
        "case.replay_proposed",
        "case.approved",
        "case.resolved",
    ]
    assert [action for action in sorted(actions, key=actions.index) if action in expected] in (expected, expected[::-1])

    with page.expect_download() as download:
        page.get_by_role("link", name="JSON Lines").click()
    lines = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert any(clearance in json.dumps(line) for line in lines)


@pytest.mark.browser
@pytest.mark.stack
@pytest.mark.parametrize("path", ["/", "/queue/", "/search/?q=vandenbroeck", "/intake-failures/", "/connections/"])
def test_page_is_accessible_and_fits_a_narrow_screen(sign_in: SignIn, path: str):
    page = sign_in("clerk")
    page.goto(path)
    assert_accessible(page)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert_accessible(page)
