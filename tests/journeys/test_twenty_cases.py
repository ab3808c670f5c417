"""Twenty exceptions of four causes, from the list to the ledger, without a mouse: one by one, and by four mappings."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect

from tests.journeys.drill import wait_until
from tests.journeys.ledger import ACCOUNTANT, CAUSES, Ledger
from tests.journeys.people import open_at, sign_in
from tests.journeys.typist import Typist, Work
from tests.stack import RunningStack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(900)]

NUMBER = 20
MOST_LINES = 60  # more than these tests leave on one page
# As a person keeps it among their views: what came last in their queue.
LIST = "/queue/?queue=receivables&sort=newest"
# Above what it takes now by little: whoever makes people press more keys is told.
MOST_KEYS = {"one by one": 21, "decided one by one": 5, "mapped": 10, "decided by mapping": 2}


@pytest.fixture(scope="module")
def ledger(stack: RunningStack) -> Ledger:
    return Ledger.of(stack, name="twenty cases")


@pytest.fixture
def typists(stack: RunningStack, browser: Browser) -> Iterator[dict[str, Typist]]:
    complaints: list[str] = []
    found = {}
    for person in (ACCOUNTANT, "controller"):
        page = open_at(stack, browser, complaints)
        page.goto("/")
        sign_in(page, person)
        found[person] = Typist(page)
    yield found
    for typist in found.values():
        typist.page.context.close()
    assert complaints == []


def numbers_from(first: int) -> list[str]:
    return [str(first + at) for at in range(NUMBER)]


def cause_of(number: str) -> int:
    return int(number) % len(CAUSES)


def numbers_on_list(clerk: Typist, numbers: list[str]) -> list[str]:
    """As they stand there; they were read in any order."""
    clerk.page.goto(LIST)
    shown = clerk.page.locator("#queue-table tbody th a").all_inner_texts()[:NUMBER]
    assert sorted(shown) == numbers
    return shown


def step_to(typist: Typist, *words: str) -> None:
    """Down the lines to the first that has one of the words; other tests may have left something above it.

    A key that a busy browser swallowed marks no line, and whoever sees none marked presses it again.
    """
    page = typist.page
    for _ in range(MOST_LINES):
        typist.press("j")
        line = " ".join(page.locator("tbody tr:has(th a:focus)").all_inner_texts())
        if any(word in line for word in words):
            return
    raise AssertionError(
        f"No line of {page.url} was reached that has one of {words}: {page.locator('main').inner_text()}"
    )


def tell(capsys: pytest.CaptureFixture[str], done: dict[str, Work]) -> None:
    with capsys.disabled():
        print("\n" + "\n".join(work.told(words, cases=NUMBER) for words, work in done.items()))
    assert {words: work.keys / NUMBER for words, work in done.items() if work.keys / NUMBER > MOST_KEYS[words]} == {}


def assert_booked_once(ledger: Ledger, numbers: list[str]) -> None:
    wait_until(lambda: sum(ledger.booked(numbers).values()) >= NUMBER)
    assert ledger.booked(numbers) == dict.fromkeys(numbers, 1)


def test_twenty_exceptions_are_cleared_by_keys(
    ledger: Ledger, typists: dict[str, Typist], capsys: pytest.CaptureFixture[str]
):
    numbers = numbers_from(4910000020)
    ledger.hand_in(numbers, on=datetime.now(UTC).date())
    clerk, controller = typists[ACCOUNTANT], typists["controller"]
    shown = numbers_on_list(clerk, numbers)
    with clerk.at_work() as cleared:
        correct_each(clerk, shown)
    with controller.at_work() as decided:
        approve_each(controller, numbers)
    assert_booked_once(ledger, numbers)
    tell(capsys, {"one by one": cleared, "decided one by one": decided})


def correct_each(clerk: Typist, numbers: list[str]) -> None:
    """A reason is written once for each cause; then it is brought back by the arrow, as often as it lies behind."""
    page, given = clerk.page, list[int]()
    clerk.press("j", "Enter")
    for number in numbers:
        expect(page.locator("#case-header")).to_contain_text(number)
        cause = CAUSES[cause_of(number)]
        clerk.press("e")
        expect(page.get_by_label(cause.label).first).to_be_focused()
        clerk.write(cause.right)
        clerk.press("Control+Enter")
        reason = page.get_by_label("Why this correction is right")
        expect(reason).to_be_focused()
        if cause_of(number) in given:
            clerk.press(*["ArrowUp"] * (len(given) - given.index(cause_of(number))))
            expect(reason).to_have_value(cause.because)
            given.remove(cause_of(number))
        else:
            clerk.write(cause.because)
        given.append(cause_of(number))
        clerk.press("Control+Enter")
        expect(page.locator("[data-focus]:focus")).to_contain_text("Version 2 is saved")
        clerk.press("Control+Enter")
        expect(page.locator("#case-header").get_by_text("Awaiting approval")).to_be_visible()
        clerk.press("]")


def approve_each(controller: Typist, numbers: list[str]) -> None:
    """What changes is read, the tick says so, and only then is it sent: never by one key."""
    page, left = controller.page, set(numbers)
    controller.press("g", "a")
    expect(page.get_by_role("heading", level=1)).to_have_text("Approvals")
    step_to(controller, *numbers)
    controller.press("Enter")
    while left:
        header = page.locator("#case-header")
        expect(header.get_by_text("Awaiting approval")).to_be_visible()
        number = header.locator(".copyable").first.inner_text().strip()
        if number not in left:  # of another test
            controller.press("]")
            continue
        left.remove(number)
        controller.press("Control+Enter")
        tick = page.get_by_label("I have compared what changes, and it is right.")
        expect(tick).to_be_focused()
        expect(tick).not_to_be_checked()
        controller.press("Space", "Control+Enter")
        expect(page.get_by_text("You approved what was proposed on")).to_be_visible()
        controller.press("]")


def test_twenty_exceptions_are_cleared_by_four_mappings(
    ledger: Ledger, typists: dict[str, Typist], capsys: pytest.CaptureFixture[str]
):
    numbers = numbers_from(4920000020)
    ledger.hand_in(numbers, on=datetime.now(UTC).date())
    clerk, controller = typists[ACCOUNTANT], typists["controller"]
    shown = numbers_on_list(clerk, numbers)
    first_of_each = {cause_of(number): number for number in reversed(shown)}
    with clerk.at_work() as mapped:
        for number in sorted(first_of_each.values(), key=shown.index):
            map_value(clerk, number, lines=shown.index(number) + 1)
    with controller.at_work() as decided:
        for _ in CAUSES:
            approve_mapping(controller)
    assert_booked_once(ledger, numbers)
    tell(capsys, {"mapped": mapped, "decided by mapping": decided})


def map_value(clerk: Typist, number: str, *, lines: int) -> None:
    """From the exception in that line of the list to the proposal for all five that have its value, and back."""
    page, cause = clerk.page, CAUSES[cause_of(number)]
    clerk.press(*["j"] * lines, "Enter")
    expect(page.locator("#case-header")).to_contain_text(number)
    clerk.press("m")
    expect(page.get_by_label("Target value")).to_be_focused()
    clerk.write(cause.right)
    clerk.press("Control+Enter")
    expect(page.get_by_label("Why this is right")).to_be_focused()
    clerk.write(cause.because)
    clerk.press("Control+Enter")
    expect(page.get_by_role("button", name="Propose it with these exceptions")).to_be_visible()
    clerk.press("Control+Enter")
    expect(page.get_by_text("It waits for somebody else's decision.")).to_be_visible()
    expect(page.get_by_text("5 open exceptions go with it")).to_be_visible()
    clerk.press("Escape")
    expect(page.locator("#queue-table")).to_be_visible()


def approve_mapping(controller: Typist) -> None:
    page = controller.page
    controller.press("g", "a")
    expect(page.get_by_role("heading", level=1)).to_have_text("Approvals")
    step_to(controller, *(cause.because for cause in CAUSES))
    controller.press("Enter")
    expect(page.get_by_text("5 open exceptions go with it")).to_be_visible()
    controller.press("Control+Enter")
    expect(page.get_by_label("I have looked at these rows")).to_be_focused()
    controller.press("Space", "Control+Enter")
    expect(page.get_by_text("is approved. Its rows hold from now on.")).to_be_visible()
