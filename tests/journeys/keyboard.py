"""What the keyboard reaches on a page, and whether one sees where one is."""

from playwright.sync_api import Page

MOST_STOPS = 300  # of a reference that is as long as a book, no more are walked
# Fields of a date have several stops inside them, and what scrolls by itself may be one.
MORE_STOPS = "document.querySelectorAll('input[type=date], input[type=datetime-local]').length * 5 + 10"
# What Tab should stop at: all that can be pressed, typed into or unfolded and that is seen; of radio buttons one.
PREPARE = """(most) => {
  const CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
  const radios = new Set();
  const isStop = (one) => {
    if (one.disabled || one.tabIndex < 0 || !one.checkVisibility({ visibilityProperty: true })) return false;
    if (one.closest("[inert], [hidden]")) return false;
    if (one.type !== "radio") return true;
    const group = [...document.querySelectorAll("input[type=radio]")].filter(
      (other) => other.name === one.name && other.form === one.form);
    return one === (group.find((other) => other.checked) || group[0]);
  };
  window.stops = [...document.querySelectorAll(CONTROLS)].filter(isStop).slice(0, most);
  window.reached = new Set();
  document.addEventListener("focusin", (event) => window.reached.add(event.target));
  document.activeElement.blur();
  window.scrollTo(0, 0);
  return window.stops.length;
}"""
UNREACHED = """() => {
  const words = (one) => one.outerHTML.replace(/\\s+/g, " ").slice(0, 140);
  const positive = [...document.querySelectorAll("[tabindex]")].filter((one) => one.tabIndex > 0);
  return [
    ...positive.map((one) => `a tab stop out of turn: ${words(one)}`),
    ...window.stops
      .filter((one) => one.checkVisibility() && !window.reached.has(one))
      .map((one) => `Tab does not reach ${words(one)}`),
  ];
}"""
# From stop to stop, forwards and back: what has the focus is in sight (WCAG 2.4.11) and is seen to have it (2.4.7).
# Of a page with hundreds of them some are taken, all over it.
COVERED = """() => {
  document.activeElement.blur();
  const words = (one) => one.outerHTML.replace(/\\s+/g, " ").slice(0, 140);
  const found = new Set();
  const seen = window.stops.filter((one) => one.isConnected && one.checkVisibility({ visibilityProperty: true }));
  const stops = seen.filter((_, at) => at % Math.ceil(seen.length / 60) === 0);
  const isSeen = (one) => {
    const label = one.labels && one.labels[0] ? one.labels[0] : one;
    return [...one.getClientRects()].some(({ left, right, top, bottom }) =>
      [left + 2, (left + right) / 2, right - 2].some((x) =>
        [top + 2, (top + bottom) / 2, bottom - 2].some((y) => {
          const hit = document.elementFromPoint(x, y);
          return hit && (one.contains(hit) || hit.contains(one) || label.contains(hit));
        })));
  };
  const look = (one) => [one, one.parentElement, one.parentElement?.parentElement].filter(Boolean).map((part) => {
    const style = getComputedStyle(part);
    const { outlineStyle, outlineWidth, boxShadow, borderColor, backgroundColor, transform, inset } = style;
    return [outlineStyle, outlineWidth, boxShadow, borderColor, backgroundColor, transform, inset].join();
  }).join();
  for (const one of [...stops, ...[...stops].reverse()]) {
    const before = look(one);
    one.focus();
    if (document.activeElement !== one) continue;
    if (!isSeen(one)) found.add(`is hidden while it has the focus: ${words(one)}`);
    if (look(one) === before) found.add(`does not show that it has the focus: ${words(one)}`);
    one.blur();
  }
  window.scrollTo(0, 0);
  return [...found];
}"""


def find_unreached(page: Page) -> list[str]:
    """Press Tab from the top of the page until it is left; all that can be used must have had the focus."""
    number = page.evaluate(PREPARE, MOST_STOPS)
    keys = page.context.new_cdp_session(page)
    tab = {"type": "rawKeyDown", "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
    for _ in range(number + int(page.evaluate(MORE_STOPS))):
        keys.send("Input.dispatchKeyEvent", tab)
    keys.detach()
    found: list[str] = page.evaluate(UNREACHED)
    return found


def find_covered(page: Page) -> list[str]:
    """After `find_unreached`, in a window of any size."""
    size = page.viewport_size or {"width": 0, "height": 0}
    return [f"in {size['width']} by {size['height']} {what}" for what in page.evaluate(COVERED)]
