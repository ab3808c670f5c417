"""What the scripts of a page of an exception send first, and what they leave alone, with htmx told by its events."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from exceptions_app.templatetags.wording import script_words

pytestmark = pytest.mark.browser

SCRIPTS = Path(__file__).parents[2] / "static" / "js"
ADDRESS = "http://page.test/"
PAGE = """<!DOCTYPE html><html lang="en"><title>Draft</title>{words}<body hx-headers='{"X-CSRFToken": "old"}'>
<main><form id="correction" data-autosave data-autosave-url="/draft/"><textarea name="because"></textarea>
<input type="hidden" name="csrfmiddlewaretoken" value="old"><span data-autosave-status></span></form></main>
<div id="case-presence"></div><button id="tab">Other tab</button>
<script src="/words.js"></script><script src="/drafts.js"></script><script src="/presence.js"></script></body></html>"""
ASK = """() => { const elt = document.getElementById("tab"), target = document.querySelector("main");
  const detail = { elt, target, issueRequest: () => { window.issued = (window.issued || 0) + 1; } };
  elt.dispatchEvent(new CustomEvent("htmx:confirm", { detail, bubbles: true, cancelable: true })); }"""
SEND = ASK.replace('"tab"', '"correction"')
ANSWER = "() => window.answers[window.answers.length - 1]({ ok: true, status: 204 })"
TELL = """(name) => document.getElementById("correction").dispatchEvent(
  new CustomEvent(name, { detail: {}, bubbles: true, cancelable: true }))"""


class Server:
    """Answers each draft with the next status, and remembers how many it was sent."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.drafts = 0

    def answer(self, route: Route) -> None:
        if route.request.method == "POST":
            self.drafts += 1
            route.fulfill(status=self.statuses.pop(0) if self.statuses else 204)
        elif route.request.url.endswith(".js"):
            name = route.request.url.rpartition("/")[2]
            route.fulfill(body=(SCRIPTS / name).read_text(), content_type="text/javascript")
        else:
            route.fulfill(body=PAGE.replace("{words}", script_words()), content_type="text/html")


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    context = browser.new_context()
    opened = context.new_page()
    opened.route("**/*", server.answer)
    opened.goto(ADDRESS)
    yield opened
    context.close()


def typed(page: Page) -> None:
    page.locator("textarea").fill("Taken from the order.")


def issued(page: Page) -> Any:
    return page.evaluate("() => window.issued || 0")


def test_part_with_the_form_is_not_replaced_when_the_draft_could_not_be_saved(page: Page, server: Server) -> None:
    server.statuses = [503, 503]
    typed(page)
    page.evaluate(ASK)
    expect(page.locator("[data-autosave-status]")).to_contain_text("Draft not saved: the server answered 503")
    page.wait_for_timeout(200)
    assert (issued(page), server.drafts) == (0, 2)
    page.evaluate(ASK)
    page.wait_for_function("() => window.issued === 1")


def test_draft_is_tried_twice_before_the_part_stays(page: Page, server: Server) -> None:
    server.statuses = [503, 204]
    typed(page)
    page.evaluate(ASK)
    page.wait_for_function("() => window.issued === 1")
    assert server.drafts == 2


def test_draft_that_an_older_page_may_not_replace_is_said(page: Page, server: Server) -> None:
    server.statuses = [412, 412]
    typed(page)
    page.evaluate(ASK)
    expect(page.locator("[data-autosave-status]")).to_contain_text("the one that you began later")
    assert issued(page) == 0


def test_no_draft_follows_a_form_that_was_sent(page: Page, server: Server) -> None:
    page.evaluate(TELL, "htmx:beforeRequest")
    typed(page)
    page.wait_for_timeout(1500)
    assert server.drafts == 0
    page.evaluate(TELL, "htmx:afterRequest")
    expect(page.locator("[data-autosave-status]")).to_contain_text("Draft saved")
    assert server.drafts == 1


def test_form_goes_after_every_draft_that_is_under_way(page: Page) -> None:
    """One is on its way, and a second waits for it."""
    page.evaluate("() => { window.answers = []; window.fetch = () => new Promise((done) => answers.push(done)); }")
    typed(page)
    page.wait_for_function("() => window.answers.length === 1")
    page.locator("textarea").fill("Taken from the order of May.")
    page.wait_for_timeout(1500)
    page.evaluate(SEND)
    page.evaluate(ANSWER)
    page.wait_for_function("() => window.answers.length === 2")
    page.wait_for_timeout(100)
    assert issued(page) == 0
    page.evaluate(ANSWER)
    page.wait_for_function("() => window.issued === 1")


def test_new_token_is_taken_before_the_answer_is_put_into_the_page(page: Page) -> None:
    page.evaluate(
        """() => { const elt = document.getElementById("case-presence");
        const xhr = { getResponseHeader: (name) => (name === "X-Form-Token" ? "new" : null) };
        elt.dispatchEvent(new CustomEvent("htmx:beforeOnLoad", { detail: { xhr }, bubbles: true })); }"""
    )
    assert page.locator("[name=csrfmiddlewaretoken]").input_value() == "new"
    assert page.evaluate("() => document.body.getAttribute('hx-headers')") == '{"X-CSRFToken":"new"}'
