"""People of the demonstration at a real browser."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.conftest import SLOW
from tests.stack import RunningStack

OpenBrowser = Callable[..., Page]


@pytest.fixture
def open_browser(stack: RunningStack, browser: Browser) -> Iterator[OpenBrowser]:
    """Open a browser of one's own at the first page; nothing may fail in the console of it."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        page = open_at(stack, browser, complaints, **options)
        contexts.append(page.context)
        page.goto("/")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def open_at(stack: RunningStack, browser: Browser, complaints: list[str], **options: Any) -> Page:
    """A page that notes what fails in its console."""
    # Without motion, so that no colour is judged on its way from the light to the dark.
    context = browser.new_context(
        base_url=stack.url, viewport={"width": 1440, "height": 900}, reduced_motion="reduce", **options
    )
    context.set_default_timeout(SLOW)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    return page


def sign_in(page: Page, username: str) -> None:
    """As that person, on the page that asks for it."""
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(f"demo-{username}-2026")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#user-menu")).to_be_visible()


def sign_out(page: Page) -> None:
    """Through the menu with the initials; ends on the page that asks to sign in."""
    page.locator("#user-menu > summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def search_for(page: Page, words: str) -> None:
    search = page.get_by_role("searchbox").first
    search.fill(words)
    search.press("Enter")


def follow(page: Page, name: str) -> None:
    """One of the main ways through the pages."""
    page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name=name).click()


def find_violations(page: Page, *, schemes: tuple[str, ...] = ("light", "dark")) -> list[str]:
    """What axe knows to be wrong with the page as it is shown, in the light and in the dark."""
    found = []
    for scheme in schemes:
        # Without motion: colours that are still on their way from one scheme to the other are nobody's choice.
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        result = Axe().run(page)
        if result.response["violations"]:
            found.append(f"{scheme} {page.url}: {result.generate_report()}")
    page.emulate_media(color_scheme="light")
    return found


WIDE = """() => [...document.querySelectorAll("body *")]
    .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
    .map((one) => `${one.tagName}.${one.className} ${one.textContent.trim().slice(0, 60)}`).slice(-3)"""


def find_too_wide(page: Page) -> list[str]:
    """The windows, from a telephone to a small laptop, in which the page would have to be moved sideways."""
    found = []
    for window in (320, 390, 700, 900, 1000, 1100):
        page.set_viewport_size({"width": window, "height": 844})
        width = page.evaluate("() => document.documentElement.scrollWidth")
        if width > window:
            found.append(f"{page.url} takes {width} of {window}, by {page.evaluate(WIDE)}")
    return found
