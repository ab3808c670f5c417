"""Taking the pictures: an installation of its own, a browser for each person, and one picture after the other."""

import base64
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.conftest import CHROMIUM, CHROMIUM_ARGUMENTS
from tests.journeys.furnish import furnish
from tests.journeys.people import open_at, sign_in
from tests.journeys.places import find
from tests.pictures.shots import IMAGES, PAGE, SCHEMES, SHOTS, Shot, documentation
from tests.stack import RunningStack

QUALITY = 62  # of 100: letters stay sharp, and all pictures together small
WIDE = ViewportSize(width=1440, height=900)
NARROW = ViewportSize(width=390, height=844)


def main(names: list[str]) -> int:
    """Takes the pictures of these names, or all; returns the exit status."""
    unknown = sorted(set(names) - {shot.name for shot in SHOTS})
    if unknown:
        print(f"There is no picture {', '.join(unknown)}. Names: {', '.join(shot.name for shot in SHOTS)}.")
        return 2
    if not CHROMIUM.exists():
        print(f"Pictures need a browser, and there is no Chromium at {CHROMIUM}. On Debian: apt-get install chromium.")
        return 1
    IMAGES.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="wb-pictures-"))
    stack = RunningStack(directory / "home")
    try:
        stack.start()
        furnish(stack)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
            take(stack, browser, [shot for shot in SHOTS if not names or shot.name in names])
            browser.close()
    finally:
        stack.stop()
        shutil.rmtree(directory, ignore_errors=True)
    PAGE.write_text(documentation(), encoding="utf-8")
    return 0


def take(stack: RunningStack, browser: Browser, shots: list[Shot]) -> None:
    """One browser for each person."""
    with ExitStack() as opened:
        pages: dict[str, Page] = {}
        for shot in shots:
            who = shot.place.who
            if who not in pages:
                pages[who] = open_at(stack, browser, [])
                opened.callback(pages[who].context.close)
                pages[who].goto("/")
                if who:
                    sign_in(pages[who], who)
            _take(pages[who], shot)
            print(shot.name)


def _take(page: Page, shot: Shot) -> None:
    page.goto(find(page, shot.place), wait_until="networkidle")
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    for key in shot.keys:
        page.keyboard.press(key)
    for phone in (False, True) if shot.phone else (False,):
        page.set_viewport_size(NARROW if phone else WIDE)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            shot.file(scheme, phone=phone).write_bytes(_picture(page))
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)


def _picture(page: Page) -> bytes:
    """Of the window as it is, in WebP, which Playwright by itself does not offer."""
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    session.detach()
    return base64.b64decode(taken["data"])
