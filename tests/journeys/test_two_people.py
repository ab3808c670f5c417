"""Two people correct one exception at once, and the sign-in of one ends meanwhile: nobody loses a character."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from exceptions_app.models import PayloadVersion
from tests.cast import PASSWORD, Cast
from tests.conftest import SLOW
from tests.exceptions_app.views.repair import address, field, take_in
from tests.journeys.people import find_violations
from workbench.models import Session
from workbench.session_store import stored_key

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

REASON = "By the order, as Clara read it."
DATE = "2026-10-31"


@pytest.fixture
def open_as(live_server: LiveServer, browser: Browser) -> Iterator[Callable[[str, str], Page]]:
    """A browser of that person's own, signed in, at an address."""
    contexts = []

    def open_page(username: str, path: str) -> Page:
        context = browser.new_context(base_url=live_server.url, reduced_motion="reduce")
        contexts.append(context)
        context.set_default_timeout(SLOW)
        page = context.new_page()
        page.goto(path)
        sign_in(page, username)
        return page

    yield open_page
    for context in contexts:
        context.close()


def sign_in(page: Page, username: str) -> None:
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#case")).to_be_visible()


def end_session(page: Page) -> None:
    keys = [stored_key(cookie["value"]) for cookie in page.context.cookies() if cookie["name"] == "sessionid"]
    assert Session.objects.filter(session_key__in=keys).delete()[0] == 1


def look(page: Page) -> None:
    """As when the window comes to the front, instead of waiting for the next time that the page asks by itself."""
    page.evaluate("() => document.getElementById('case-presence').dispatchEvent(new CustomEvent('look'))")


def test_two_people_and_a_lost_sign_in_lose_nothing(cast: Cast, open_as: Callable[[str, str], Page]):
    case = take_in(cast)
    clara = open_as("clara", address(case))
    clara.get_by_label("Issue date").first.fill(DATE)
    expect(clara.get_by_text("Draft saved")).to_be_visible()

    cem = open_as("cem", address(case))
    expect(cem.get_by_text("Clara Clerk is editing, not saved yet")).to_be_visible()
    look(clara)
    expect(clara.get_by_text("Cem Clerk is viewing")).to_be_visible()
    cem.evaluate("() => document.querySelectorAll('#case-correction details').forEach((one) => { one.open = true; })")
    cem.get_by_label("Buyer reference").first.fill("PO-77")
    cem.get_by_label("Why this correction is right").fill("By mail.")
    cem.get_by_role("button", name="Check and save as version 2").click()
    expect(cem.get_by_text("Version 2 is saved.")).to_be_visible()

    look(clara)
    expect(clara.locator("#case-meanwhile")).to_contain_text("Buyer reference")
    assert find_violations(clara) == []
    end_session(clara)
    look(clara)
    expect(clara.get_by_text("Your sign-in has ended")).to_be_visible()
    clara.get_by_label("Why this correction is right").fill(REASON)
    clara.get_by_role("button", name="Check and save as version 2").click()
    sign_in(clara, "clara")

    expect(clara.get_by_role("heading", name="Two corrections of INV-1001")).to_be_visible()
    expect(clara.get_by_text("Keep mine: " + DATE)).to_be_visible()
    expect(clara.get_by_label("Why this correction is right")).to_have_value(REASON)
    clara.get_by_role("button", name="Assign it to me, then compare").click()
    clara.get_by_role("link", name="Compare and choose").click()
    expect(clara.get_by_label("Why this correction is right")).to_have_value(REASON)
    clara.get_by_role("button", name="Save on top of version 2").click()
    expect(clara.get_by_text("Version 3 is saved and passes the check.")).to_be_visible()

    assert PayloadVersion.objects.get(case=case, number=3).reason == REASON
    assert [field(case, term).value for term in ("BT-2", "BT-10")] == [DATE, "PO-77"]
