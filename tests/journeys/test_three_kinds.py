"""The main job for a journal, a customer invoice and a payment, by people who do not read their formats."""

import re
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from playwright.sync_api import Page, expect

from integrations.demo import payments, postings
from tests.journeys.people import (
    OpenBrowser,
    find_too_wide,
    find_violations,
    follow,
    search_for,
    sign_in,
    sign_out,
)
from tests.stack import RunningStack

pytestmark = [pytest.mark.browser, pytest.mark.stack]

KINDS = {"Invoice": "INV-2026-0417", "Journal entry": "JE-2026-0118", "Customer invoice": "4900001241"}
RIGHT_ACCOUNT = "DE80370400440611277003"


def effects(stack: RunningStack, number: str) -> list[dict[str, Any]]:
    """What the simulated systems have booked under a number."""
    ledger = requests.get(f"{stack.simulator_url}/control/ledger", timeout=30).json()
    return [effect for effect in ledger["effects"] if effect["business_key"].endswith(f"|{number}")]


def correct(page: Page, fields: dict[str, str], because: str) -> None:
    """Fill in the fields that the refusal names, and save them as version 2."""
    form = page.locator("#case-correction")
    for label, value in fields.items():
        form.get_by_label(label).first.fill(value)
    page.get_by_label("Why this correction is right").fill(because)
    page.get_by_role("button", name="Check and save as version 2").click()
    expect(page.get_by_text("Version 2 is saved and passes the check.")).to_be_visible()


def approve(page: Page, number: str, *, verb: str, amount: str, account: str = "") -> None:
    """As the controller, from the list of approvals to the end."""
    follow(page, "Approvals")
    page.get_by_role("link", name=f"{verb} {number}").click()
    if account:
        page.get_by_label("The payee's account, typed again").fill(account)
    page.get_by_label("I have compared what changes, and it is right.").check()
    page.get_by_role("button", name=f"Approve and send {amount}", exact=True).click()
    expect(page.locator("#case-header").get_by_text("Resolved", exact=True)).to_be_visible()


def assert_source_was_told(page: Page, stack: RunningStack, number: str, reference: str) -> None:
    """The posting reference stands on the page of the source itself."""
    row = page.get_by_role("row").filter(has_text=number).filter(has_text=reference)

    def is_told() -> bool:
        page.goto(f"{stack.simulator_url}/source/")
        return row.count() == 1

    stack.wait_until(is_told)


def read_queue(page: Page) -> list[str]:
    """The words of every row of the queue, from its first page to its last."""
    rows, following = page.locator("#queue-table tbody").get_by_role("row"), page.get_by_role("link", name="Next")
    words = rows.all_inner_texts()
    while following.count():
        page.goto(urljoin(page.url, following.get_attribute("href") or ""))
        words += rows.all_inner_texts()
    return words


def test_three_kinds_stand_in_one_queue(open_browser: OpenBrowser):
    page = open_browser()
    sign_in(page, "controller")
    page.goto("/queue/?sort=newest&state=any")  # other tests have closed some
    words = read_queue(page)
    for kind, number in {**KINDS, "Payment": payments.MISTYPED_PAYMENT}.items():
        assert [row for row in words if re.search(rf"{kind}\s+{number}", row)] != [], (kind, number, words)
    table = page.locator("#queue-table")
    found = find_violations(page) + find_too_wide(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_label("Kind of transaction").select_option("Payment")
    expect(table.get_by_text("Kind of transaction: Payment")).to_be_visible()
    expect(table.get_by_role("row").filter(has_text="Journal entry")).to_have_count(0)
    assert found == [], found


def test_held_journal_gets_its_cost_centre_and_is_booked_once(stack: RunningStack, open_browser: OpenBrowser):
    number = postings.HELD_JOURNAL
    page = open_browser()
    sign_in(page, "accountant")
    search_for(page, number)
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Journal entry {number}")
    expect(page.locator("#case-problems")).to_contain_text("The account needs a cost centre.")
    expect(page.locator("#case-problems")).to_contain_text("Enter the cost centre that bears it.")
    expect(page.locator("#case-lines").get_by_role("row").nth(1)).to_contain_text("missing")
    found = find_violations(page)
    page.get_by_role("button", name="Claim").click()
    expect(page.get_by_text(re.compile(r"You have EX-\d+ now\."))).to_be_visible()
    page.locator("#case-correction summary").first.click()
    correct(page, {"Line 1: Cost centre": postings.HELD_COST_CENTER}, "The owner of the project named it.")
    page.locator("#case-ways summary", has_text="Propose release").click()
    page.locator("#case-ways").get_by_role("button", name="Propose release").click()
    expect(page.locator("#case-header").get_by_text("Awaiting approval")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)
    assert effects(stack, number) == []

    sign_out(page)
    sign_in(page, "controller")
    approve(page, number, verb="Release", amount="18,420.00 EUR")
    (effect,) = effects(stack, number)
    reference = f"{effect['document']}/{effect['fiscal_year']}"
    assert effect["posting"]["lines"][0]["cost_center"] == postings.HELD_COST_CENTER
    expect(page.locator("#case-references")).to_contain_text(reference)
    found += find_violations(page)
    assert_source_was_told(page, stack, number, reference)
    assert found == [], found


def test_customer_invoice_with_two_errors_is_mended_and_booked_once(stack: RunningStack, open_browser: OpenBrowser):
    number = postings.UNMAPPED_INVOICE
    page = open_browser()
    sign_in(page, "clerk")
    search_for(page, number)
    problems = page.locator("#case-problems")
    expect(problems).to_contain_text("No revenue account is assigned to the product family.")
    expect(problems).to_contain_text("The ERP does not know the tax code.")
    found = find_violations(page)
    correct(page, {"Line 1: Product family": "HARDWARE"}, "Sales has confirmed the family.")
    expect(problems).to_contain_text("What can be checked here is right in version 2.")
    expect(problems).to_contain_text("Cannot be checked here")
    expect(problems.get_by_text("Solved by the correction")).to_have_count(0)
    expect(page.locator("#case-propose")).to_contain_text("is unchanged")
    page.locator("#case-correction").get_by_label("Line 2: Tax code").first.fill("V21")
    page.get_by_label("Why this correction is right").fill("The code for services in the Netherlands.")
    page.get_by_role("button", name="Check and save as version 3").click()
    expect(page.locator("#case-propose")).not_to_contain_text("is unchanged")
    found += find_violations(page)
    page.get_by_role("button", name="Propose replay of version 3").click()
    expect(page.locator("#case-header").get_by_text("Awaiting approval")).to_be_visible()

    sign_out(page)
    sign_in(page, "controller")
    approve(page, number, verb="Replay", amount="11,146.52 EUR")
    (effect,) = effects(stack, number)
    assert [line["product_family"] for line in effect["posting"]["lines"]] == ["HARDWARE", "SERVICES"]
    assert_source_was_told(page, stack, number, f"{effect['document']}/{effect['fiscal_year']}")
    assert found == [], found


def test_payment_with_a_mistyped_account_is_paid_once_whoever_decides_twice(
    stack: RunningStack, open_browser: OpenBrowser
):
    number = payments.MISTYPED_PAYMENT
    page = open_browser()
    sign_in(page, "treasurer")
    search_for(page, number)
    problems = page.locator("#case-problems")
    expect(problems).to_contain_text("The bank does not know this account number")
    expect(problems).to_contain_text("its check digits do not fit")
    found = find_violations(page)
    correct(page, {"Payee's account (IBAN)": RIGHT_ACCOUNT}, "Confirmed by telephone.")
    page.get_by_role("button", name="Propose replay of version 2").click()
    expect(page.locator("#case-header").get_by_text("Awaiting approval")).to_be_visible()
    case_url = page.url

    sign_out(page)
    sign_in(page, "controller")
    page.goto(case_url)
    second = page.context.new_page()
    second.goto(case_url)
    approve(page, number, verb="Replay", amount="11,482.50 EUR", account=RIGHT_ACCOUNT)
    second.get_by_label("I have compared what changes, and it is right.").check()
    second.get_by_role("button", name="Approve and send 11,482.50 EUR", exact=True).click()
    expect(second.locator("#case-header").get_by_text("Resolved", exact=True)).to_be_visible()
    (effect,) = effects(stack, number)
    assert (effect["amount"], effect["creditor_account"]) == ("11482.50", RIGHT_ACCOUNT)
    expect(page.locator("#case-references")).to_contain_text(effect["reference"])
    assert_source_was_told(page, stack, number, effect["reference"])
    assert found == [], found


def test_clerk_of_another_desk_does_not_find_the_payment(stack: RunningStack, open_browser: OpenBrowser):
    page = open_browser()
    sign_in(page, "treasurer")
    search_for(page, "ER-2026-20415")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Payment ER-2026-20415")
    case_path = page.url.removeprefix(stack.url)
    sign_out(page)
    sign_in(page, "clerk")
    search_for(page, "ER-2026-20415")
    expect(page.get_by_role("main")).not_to_contain_text("Stichting Havenpensioen")
    assert page.request.get(case_path).status == 404
