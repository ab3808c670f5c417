"""Every page of the demonstration as axe judges it, in the light and in the dark, and in a narrow window.

One browser per person is signed in once.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.people import find_too_wide, find_violations, open_at, sign_in
from tests.stack import RunningStack

pytestmark = [pytest.mark.browser, pytest.mark.stack]

API = "/api/v1/exceptions"
LISTS = {
    "clerk": (
        "/",
        "/queue/",
        "/search/?q=inv",
        "/search/?q=nothing-like-this",
        "/connections/",
        "/api/docs/",
        "/api/problems/",
    ),
    "controller": ("/approvals/", "/audit/", "/no-such-page/"),
    "auditor": ("/queue/?state=resolved", "/audit/", "/audit/?action=nonsense", "/approvals/", "/intake-failures/"),
    "administrator": ("/", "/accounts/password/", "/audit/"),
}
STATES = ("new", "in_progress", "waiting", "awaiting_approval", "resolved", "dismissed")


class People:
    """Each person's page, opened and signed in when first asked for."""

    def __init__(self, stack: RunningStack, browser: Browser) -> None:
        self._stack, self._browser = stack, browser
        self._pages: dict[str, Page] = {}

    def page_of(self, username: str) -> Page:
        if username not in self._pages:
            page = open_at(self._stack, self._browser, [])
            page.goto("/")
            sign_in(page, username)
            self._pages[username] = page
        return self._pages[username]

    def case_in(self, state: str, **wanted: str) -> str:
        """The address of an invoice of the demonstration in that state, which the clerk sees too."""
        query: dict[str, str | float | bool] = {"state": state, "object_type": "invoice", "page_size": 1, **wanted}
        answer = self.page_of("auditor").request.get(API, params=query)
        return f"/exceptions/{answer.json()['results'][0]['ref']}/"

    def corrected_case(self) -> str:
        """The address of one that has a second version and is in work."""
        request = self.page_of("auditor").request
        listed = request.get(API, params={"state": "in_progress", "object_type": "invoice"}).json()["results"]
        [first, *_] = [case["ref"] for case in listed if request.get(case["url"]).json()["versions_count"] > 1]
        return f"/exceptions/{first}/"

    def close(self) -> None:
        for page in self._pages.values():
            page.context.close()


@pytest.fixture(scope="module")
def people(stack: RunningStack, browser: Browser) -> Iterator[People]:
    known = People(stack, browser)
    yield known
    known.close()


@pytest.mark.parametrize("person", LISTS)
def test_lists_are_accessible(people: People, person: str):
    page = people.page_of(person)
    found = []
    for path in LISTS[person]:
        page.goto(path, wait_until="networkidle")
        found += find_violations(page)
    assert found == [], found


def test_signing_in_is_accessible(stack: RunningStack, browser: Browser):
    page = open_at(stack, browser, [])
    page.goto("/accounts/login/")
    found = find_violations(page)
    page.get_by_label("Username").fill("clerk")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#error-summary")).to_be_visible()
    found += find_violations(page)
    page.context.close()
    assert found == [], found


@pytest.mark.parametrize("state", STATES)
def test_exception_is_accessible_in_each_state(people: People, state: str):
    page = people.page_of("controller" if state == "awaiting_approval" else "clerk")
    page.goto(people.case_in(state))
    expect(page.locator("#case-header")).to_be_visible()
    found = find_violations(page)
    assert found == [], found


def test_held_exception_and_its_history_are_accessible(people: People):
    page = people.page_of("clerk")
    page.goto(people.case_in("new", kind="held"))
    expect(page.get_by_role("heading", name="Three ways on")).to_be_visible()
    found = find_violations(page)
    resolved = people.case_in("resolved")
    for tab in ("versions", "attempts", "arrivals"):
        page.goto(f"{resolved}?tab={tab}")
        found += find_violations(page)
    assert found == [], found


def test_correction_that_is_refused_is_accessible(people: People):
    page = people.page_of("clerk")
    page.goto(people.case_in("new", kind="failed"))
    page.get_by_role("button", name=re.compile("^Check and save")).click()
    expect(page.locator("#error-summary")).to_be_visible()
    found = find_violations(page)
    page.goto(f"{page.url.split('?')[0]}raw/")
    found += find_violations(page)
    assert found == [], found


def test_conflict_is_accessible(people: People):
    """What was typed for the first version, after somebody saved the second; nothing is saved."""
    page = people.page_of("clerk")
    page.goto(people.corrected_case())
    page.locator("form[data-correction] input[name=base_version]").evaluate("input => { input.value = '1' }")
    page.locator("#case-correction details.fold").evaluate("fold => { fold.open = true }")
    page.locator("form[data-correction]").get_by_role("textbox").first.fill("1.00")
    page.get_by_role("button", name=re.compile("^Check and save")).click()
    expect(page.get_by_text("Nothing is saved yet, and nothing is lost")).to_be_visible()
    found = find_violations(page)
    assert found == [], found


def test_intake_failure_is_accessible(people: People, stack: RunningStack):
    folder = next((stack.home / "intake").iterdir())
    (folder / "unreadable.refusal.xml").write_text("<report/>")
    (folder / "unreadable.xml").write_text("<Invoice>")
    page = people.page_of("clerk")

    def is_listed() -> bool:
        page.goto("/intake-failures/")
        return page.get_by_role("link", name=re.compile("unreadable")).count() > 0

    stack.wait_until(is_listed)
    found = find_violations(page)
    page.get_by_role("link", name=re.compile("unreadable")).first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    found += find_violations(page)
    assert found == [], found


def test_connection_is_accessible(people: People):
    page = people.page_of("clerk")
    page.goto("/connections/")
    page.locator("main").get_by_role("link").first.click()
    expect(page).to_have_url(re.compile("/connections/."))
    found = find_violations(page)
    assert found == [], found


@pytest.mark.parametrize(
    "path", ["/", "/queue/", "/search/?q=inv", "/intake-failures/", "/connections/", "/api/docs/", "case"]
)
def test_page_fits_a_narrow_window(people: People, path: str):
    page = people.page_of("clerk")
    page.goto(people.case_in("new") if path == "case" else path)
    found = find_too_wide(page)
    page.set_viewport_size({"width": 390, "height": 844})
    found += find_violations(page, schemes=("light",))
    page.set_viewport_size({"width": 1440, "height": 900})
    assert found == [], found


@pytest.mark.parametrize(("person", "path"), [("controller", "/approvals/"), ("auditor", "/audit/")])
def test_list_of_another_person_fits_a_narrow_window(people: People, person: str, path: str):
    page = people.page_of(person)
    page.goto(path)
    found = find_too_wide(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    assert found == [], found
