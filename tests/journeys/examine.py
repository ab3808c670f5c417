"""What a page must be for everybody: for the eyes in each scheme and density, for the keyboard, and in each window."""

from playwright.sync_api import Page, ViewportSize

from tests.journeys.axe import NOT_OURS, in_other_looks, in_usual_look
from tests.journeys.keyboard import find_covered, find_unreached

WIDE = ViewportSize(width=1440, height=900)
ZOOMED = ViewportSize(width=720, height=450)  # what is left of it at 200 %
# From a telephone to a small laptop: 320 is 1280 at 400 %, the smallest that WCAG 2.2 asks for (1.4.10).
WINDOWS = (320, 390, 700, 1000)
HEIGHT = 844

TOO_WIDE = """() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return "";
  const wide = [...document.querySelectorAll("body *")]
    .filter((one) => one.getBoundingClientRect().right > root.clientWidth + 0.5)
    .map((one) => `${one.tagName}.${one.className} ${one.textContent.trim().slice(0, 60)}`);
  return `takes ${root.scrollWidth} of ${root.clientWidth}, by ${wide.slice(-3).join(" | ")}`;
}"""
# What scrolls sideways by itself must be reached by keys: it has a tab stop of its own, or one inside it.
SCROLLED_BY_NOBODY = """() => [...document.querySelectorAll("main *")]
  .filter((one) => one.scrollWidth > one.clientWidth + 1)
  .filter((one) => ["auto", "scroll"].includes(getComputedStyle(one).overflowX) && one.tabIndex < 0)
  .filter((one) => !one.querySelector("a[href], button, input, select, textarea, summary, [tabindex='0']"))
  .map((one) => `${one.tagName}.${one.className}`)"""
# A column so narrow that its words are broken into letters can be read by nobody.
SQUEEZED = """() => [...document.querySelectorAll("main th, main td")]
  .filter((one) => one.checkVisibility() && one.textContent.trim().length > 3 && one.closest("table").caption !== one)
  .map((one) => [one, one.getBoundingClientRect()])
  .filter(([_, { width, height }]) => width > 1 && width < 40 && height > 90)
  .map(([one]) => one.textContent.replace(/\\s+/g, " ").trim().slice(0, 40))"""
# What only a script does must not be offered without one: a link to nowhere, or a button that sends no form.
DEAD_WITHOUT_SCRIPT = """() => {
  const root = document.documentElement;
  const { script } = root.dataset;
  delete root.dataset.script;
  const dead = [...document.querySelectorAll("main button[type=button], main a[href='#'], main a:not([href])")]
    .filter((one) => one.checkVisibility({ visibilityProperty: true }))
    .map((one) => one.outerHTML.slice(0, 120));
  root.dataset.script = script;
  return dead;
}"""


def examine(page: Page) -> list[str]:
    """What is wrong with the page as it stands, in words. It is left as it was: wide, light and comfortable."""
    if page.locator(NOT_OURS).count():
        return in_usual_look(page) + in_other_looks(page)
    found = in_usual_look(page) + find_unreached(page) + in_other_looks(page)
    found += [f"without a script nothing is done by {what}" for what in page.evaluate(DEAD_WITHOUT_SCRIPT)]
    for width in WINDOWS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        found += _in_window(page, f"{width} pixels")
    page.set_viewport_size({"width": 320, "height": 568})
    found += find_covered(page)
    page.set_viewport_size(ZOOMED)
    found += _in_window(page, "200 %") + find_covered(page)
    page.set_viewport_size(WIDE)
    return [f"{page.url}: {what}" for what in found]


def _in_window(page: Page, words: str) -> list[str]:
    wide = page.evaluate(TOO_WIDE)
    found = [f"at {words} the page {wide}"] if wide else []
    found += [f"at {words} one reads letter by letter: {what}" for what in page.evaluate(SQUEEZED)]
    return found + [f"at {words} no key scrolls {what}" for what in page.evaluate(SCROLLED_BY_NOBODY)]
