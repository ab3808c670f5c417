"""The documentation page in a real browser, under the policy that allows nothing inline."""

import pytest
from playwright.sync_api import Browser, ConsoleMessage
from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("address", ["/api/docs/", "/api/docs/try/", "/api/problems/"])
def test_page_shows_without_breaking_the_policy(browser: Browser, live_server: LiveServer, address: str) -> None:
    said: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    page = browser.new_page()
    page.on("console", listen)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(live_server.url + address)
    if address == "/api/docs/try/":
        page.get_by_role("link", name="Messages", exact=True).click()
        page.get_by_text("Hand in messages").click()
        page.get_by_text("Request body").wait_for()
    assert page.get_by_role("heading", level=1).or_(page.get_by_role("heading", level=2)).first.is_visible()
    assert said == []
    page.close()
