"""Every page of the product, as axe, the keyboard and narrow windows find it: in both schemes and both densities.

Each page is loaded once and then changed in place. One browser per person is signed in once.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.examine import TOO_WIDE, examine
from tests.journeys.furnish import furnish
from tests.journeys.people import open_at, sign_in
from tests.journeys.places import PAGES, Place, find
from tests.stack import RunningStack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("pages")]

# A book whose parts all come of two templates: most of the time would go to reading the same again.
MORE_OF_THE_SAME = """() => {
  const groups = new Set();
  const isFirst = (panel) => {
    const { textContent: group } = panel.querySelector(".tag") ?? { textContent: "Shapes" };
    return !groups.has(group) && groups.add(group);
  };
  const panels = [...document.querySelectorAll("main section.panel[id]")];
  panels.filter((panel) => !isFirst(panel)).forEach((panel) => panel.remove());
}"""
# Lists of which the German words are longer by half than those for which their columns were made.
GERMAN = ("/", "/queue/", "/approvals/", "/causes/", "/search/?q=2026", "/transactions/", "/batches/", "/connections/")
NEW = Place("clerk", "/queue/?object_type=invoice&state=new&kind=failed", ("exceptions:case",))


class People:
    """Each person's page, opened and signed in when first asked for."""

    def __init__(self, stack: RunningStack, browser: Browser) -> None:
        self._stack, self._browser = stack, browser
        self._pages: dict[str, Page] = {}
        self.complaints: list[str] = []

    def page_of(self, username: str) -> Page:
        """`username` is empty for who has not signed in."""
        if username not in self._pages:
            page = open_at(self._stack, self._browser, self.complaints)
            page.goto("/")
            if username:
                sign_in(page, username)
            self._pages[username] = page
        return self._pages[username]

    def go(self, place: Place) -> Page:
        page = self.page_of(place.who)
        answer = page.goto(find(page, place))
        assert answer is not None
        assert answer.status == place.status, page.url
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        if place.address == "/api/docs/":
            page.evaluate(MORE_OF_THE_SAME)
        return page

    def forgive(self, status: str) -> None:
        """An answer of that status was asked for; browsers write each down as if something had failed."""
        self.complaints[:] = [complaint for complaint in self.complaints if status not in complaint]

    def close(self) -> None:
        for page in self._pages.values():
            page.context.close()


@pytest.fixture(scope="module")
def installed(stack: RunningStack, browser: Browser) -> Iterator[People]:
    furnish(stack)
    known = People(stack, browser)
    file = Place("clerk", "/intake-failures/", ("exceptions:quarantined_file",))
    stack.wait_until(lambda: "elsewhere.xml" in known.page_of("clerk").request.get(file.address).text())
    yield known
    known.close()


@pytest.fixture
def people(installed: People) -> Iterator[People]:
    """Nothing may fail in a console meanwhile, nor be refused by the content security policy, which is told there."""
    installed.complaints.clear()
    yield installed
    assert installed.complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_page_is_for_everybody(people: People, name: str):
    found = []
    for place in PAGES[name]:
        found += examine(people.go(place))
        if place.status != 200:
            people.forgive(str(place.status))
    assert not found, "\n".join(found)


def test_no_list_is_wider_than_its_window_in_german(people: People):
    page, wider = people.page_of("clerk"), []
    page.set_extra_http_headers({"Accept-Language": "de"})
    for address in GERMAN:
        page.goto(address)
        assert page.locator("html").get_attribute("lang") == "de"
        for width in (1440, 1280, 1100, 320):
            page.set_viewport_size({"width": width, "height": 900})
            told = page.evaluate(TOO_WIDE)
            wider += [f"{address} at {width} {told}"] if told else []
    page.set_viewport_size({"width": 1440, "height": 900})
    page.set_extra_http_headers({})
    assert not wider, "\n".join(wider)


def test_page_that_is_not_there_is_for_everybody(people: People):
    found = examine(people.go(Place("controller", "/no-such-page/", status=404)))
    assert not found, "\n".join(found)
    people.forgive("404")


def test_refused_sign_in_is_for_everybody(people: People):
    page = people.go(Place("", "/accounts/login/"))
    page.get_by_label("Username").fill("clerk")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#error-summary")).to_be_visible()
    found = examine(page)
    people.forgive("422")
    assert not found, "\n".join(found)


def test_refused_correction_is_for_everybody(people: People):
    page = people.go(NEW)
    reason = page.get_by_label("Why this correction is right")
    page.locator("form[data-correction]").get_by_role("textbox").first.focus()
    expect(reason).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name=re.compile("^Check and save")).click()
    expect(page.locator("#error-summary")).to_be_visible()
    expect(reason).to_be_focused()
    found = examine(page)
    people.forgive("422")
    assert not found, "\n".join(found)


def test_conflict_and_what_is_kept_of_it_are_for_everybody(people: People):
    """What was typed for the first version, after somebody saved the second; nothing is saved but the draft."""
    page = people.go(corrected(people))
    page.locator("form[data-correction] input[name=base_version]").evaluate("input => { input.value = '1' }")
    page.locator("#case-correction details.fold").evaluate("fold => { fold.open = true }")
    case = page.url.partition("?")[0]
    with page.expect_response("**/draft/"):
        page.locator("form[data-correction]").get_by_role("textbox").first.fill("1.00")
    page.get_by_role("button", name=re.compile("^Check and save")).click()
    expect(page.get_by_text("Nothing is saved yet, and nothing is lost")).to_be_visible()
    found = examine(page)
    page.goto(f"{case}draft/compare/")
    expect(page.get_by_text("Nothing is saved yet, and nothing is lost")).to_be_visible()
    found += examine(page)
    assert not found, "\n".join(found)
    people.forgive("409")


def corrected(people: People) -> Place:
    """One that has a second version and is in work."""
    request = people.page_of("clerk").request
    query: dict[str, str | float | bool] = {"state": "in_progress", "object_type": "invoice"}
    listed = request.get("/api/v1/exceptions", params=query).json()["results"]
    [first, *_] = [case["ref"] for case in listed if request.get(case["url"]).json()["versions_count"] > 1]
    return Place("clerk", f"/exceptions/{first}/")
