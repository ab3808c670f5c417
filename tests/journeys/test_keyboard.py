"""A clerk works through a list by keys alone; and the same keys switched off."""

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.people import OpenBrowser, find_too_wide, find_violations, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.stack]

WITHOUT_DATE = "INV-2026-0419"  # which nobody in the demonstration has touched
LIST = "/queue/?object_type=invoice&sort=oldest"


def press(page: Page, *keys: str) -> None:
    """When the scripts of the page are there, which no person is faster than."""
    page.wait_for_load_state()
    for key in keys:
        page.keyboard.press(key)


def number_on(page: Page) -> str:
    return page.locator("#case-header .copyable").first.inner_text().strip()


def numbers_of(page: Page) -> list[str]:
    return page.locator("#queue-table tbody th a").all_inner_texts()


def test_list_and_its_exceptions_are_walked_by_keys(open_browser: OpenBrowser):
    page = open_browser()
    sign_in(page, "clerk")
    press(page, "g", "q")
    expect(page.get_by_role("heading", level=1)).to_have_text("All queues")
    page.goto(LIST)
    numbers = numbers_of(page)
    press(page, "j", "j", "j", "k")
    expect(page.locator("tbody th a:focus")).to_have_text(numbers[1])
    press(page, "o")
    expect(page.locator("#case-header")).to_contain_text(numbers[1])
    expect(page.locator("[data-walk-place]")).to_have_text(f"2 / {len(numbers)}")
    press(page, "]")
    expect(page.locator("#case-header")).to_contain_text(numbers[2])
    press(page, "[")
    expect(page.locator("#case-header")).to_contain_text(numbers[1])
    press(page, "Escape")
    expect(page.locator("#queue-table")).to_be_visible()
    assert page.url.endswith(LIST)


def test_walk_goes_on_over_the_pages_of_the_list(open_browser: OpenBrowser):
    page = open_browser()
    sign_in(page, "controller")
    page.goto("/queue/?sort=oldest&state=any")
    first_page = numbers_of(page)
    press(page, "k")  # the last line
    press(page, "Enter")
    expect(page.locator("#case-header")).to_contain_text(first_page[-1])
    press(page, "]")
    expect(page.locator("[data-walk-place]")).to_contain_text("1 / ")
    assert number_on(page) not in first_page
    press(page, "[")
    expect(page.locator("#case-header")).to_contain_text(first_page[-1])


def test_exception_is_corrected_and_proposed_by_keys(open_browser: OpenBrowser):
    page = open_browser()
    sign_in(page, "clerk")
    press(page, "Control+k")
    page.keyboard.type(WITHOUT_DATE)
    expect(page.locator("#palette").get_by_role("option").first).to_contain_text(WITHOUT_DATE)
    press(page, "Enter")
    expect(page.locator("#case-header")).to_contain_text(WITHOUT_DATE)
    press(page, "e")
    expect(page.get_by_label("Issue date").first).to_be_focused()
    page.keyboard.type("2026-11-02")
    while not page.get_by_label("Why this correction is right").evaluate("field => field === document.activeElement"):
        press(page, "Tab")
    page.keyboard.type("The order says so.")
    press(page, "Control+Enter")
    expect(page.get_by_text("Version 2 is saved and passes the check.")).to_be_visible()
    expect(page.locator("[data-focus]:focus")).to_contain_text("Version 2 is saved")
    press(page, "r")
    expect(page.locator("#case-propose :focus")).to_have_count(1)
    press(page, "Control+Enter")
    expect(page.locator("#case-header").get_by_text("Awaiting approval")).to_be_visible()


def test_keys_are_listed_in_a_dialog_and_on_a_page(open_browser: OpenBrowser):
    page = open_browser()
    sign_in(page, "clerk")
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("Previous exception of that list")
    found = find_violations(page)
    press(page, "Escape")
    expect(dialog).to_be_hidden()
    press(page, "Control+k")
    page.keyboard.type("Audit")
    expect(page.locator("#palette").get_by_role("option").last).to_contain_text("Search for “Audit”")
    found += find_violations(page)
    page.goto("/keys/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Keys")
    found += find_violations(page) + find_too_wide(page)
    assert found == [], found


def test_single_keys_are_switched_off_and_the_palette_is_not(open_browser: OpenBrowser):
    page = open_browser()
    sign_in(page, "clerk")
    page.locator("#user-menu > summary").click()
    with page.expect_response("**/preferences/"):
        page.get_by_role("group", name="Single-key shortcuts").get_by_role("button", name="Off").click()
    page.goto(LIST)
    press(page, "j", "g", "m", "?")
    assert page.url.endswith(LIST)
    expect(page.locator("tbody th a:focus")).to_have_count(0)
    press(page, "Control+k")
    expect(page.get_by_role("dialog", name="Go anywhere")).to_be_visible()


def test_letters_typed_into_a_field_are_letters(open_browser: OpenBrowser):
    page = open_browser()
    sign_in(page, "clerk")
    page.goto(LIST)
    press(page, "/")
    page.keyboard.type("jjgq?o")
    assert page.url.endswith(LIST)
    expect(page.locator("#app-search")).to_have_value("jjgq?o")
