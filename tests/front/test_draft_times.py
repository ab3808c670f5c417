"""The times that a script writes are in the zone of the page, wherever the browser is."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from exceptions_app.templatetags.wording import script_words

pytestmark = pytest.mark.browser

SCRIPTS = Path(__file__).parents[2] / "static" / "js"
ADDRESS = "http://page.test/"
SAVED_AT = datetime(2026, 11, 2, 9, 5, tzinfo=UTC)
PAGE = """<!DOCTYPE html><html lang="en" data-time-zone="{zone}"><title>Draft</title>{words}
<form data-autosave data-autosave-url="/draft/"><textarea name="because"></textarea>
<span data-autosave-status></span></form>
<script src="/words.js"></script><script src="/drafts.js"></script></html>"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """In New York, at a fixed time, without a network."""
    context = browser.new_context(timezone_id="America/New_York")
    opened = context.new_page()
    opened.clock.set_fixed_time(SAVED_AT)
    yield opened
    context.close()


@pytest.mark.parametrize(
    ("zone", "time"),
    [("Europe/Amsterdam", "10:05"), ("Asia/Tokyo", "18:05"), ("UTC", "09:05"), ("Mars/Olympus", "04:05")],
)
def test_draft_is_saved_at_a_time_in_the_zone_of_the_page(page: Page, zone: str, time: str) -> None:
    def answer(route: Route) -> None:
        if route.request.method == "POST":
            route.fulfill(status=204)
        elif route.request.url.endswith(".js"):
            name = route.request.url.rpartition("/")[2]
            route.fulfill(body=(SCRIPTS / name).read_text(), content_type="text/javascript")
        else:
            route.fulfill(body=PAGE.format(zone=zone, words=script_words()), content_type="text/html")

    page.route("**/*", answer)
    page.goto(ADDRESS)
    page.locator("textarea").fill("Taken from the order.")
    expect(page.locator("[data-autosave-status]")).to_have_text(f"Draft saved {time}")
