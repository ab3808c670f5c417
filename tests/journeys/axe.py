"""axe on a page that is not loaded again: all rules once, and in every other look those that depend on it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

# Colours hang on the scheme, sizes on the density, and nothing else does: `test_density_changes_sizes_alone`.
OF_THE_SCHEME = ("color-contrast", "link-in-text-block")
OF_THE_DENSITY = ("target-size",)
# Swagger's own page, inside the frame of ours.
NOT_OURS = "#swagger-ui"
# Only what is wrong is written down with its place, which is most of the time that axe takes. Stylesheets are read by
# none of the rules, so they are not fetched a second time.
_BRIEF: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}


def in_usual_look(page: Page) -> list[str]:
    """All rules, with that on the size of targets (WCAG 2.5.8), which axe leaves out unless it is asked for."""
    page.evaluate(AXE_SCRIPT)
    return _run(page, "light, comfortable", {"rules": {"target-size": {"enabled": True}}})


def in_other_looks(page: Page) -> list[str]:
    """After `in_usual_look`, on the same page."""
    with _scheme(page, "dark"):
        found = _only(page, "dark, comfortable", OF_THE_SCHEME)
    with _density(page, "compact"):
        found += _only(page, "light, compact", OF_THE_DENSITY)
    return found


def _only(page: Page, look: str, rules: Sequence[str]) -> list[str]:
    return _run(page, look, {"runOnly": {"type": "rule", "values": list(rules)}})


def _run(page: Page, look: str, options: dict[str, Any]) -> list[str]:
    result = page.evaluate(f"axe.run({json.dumps({'exclude': [[NOT_OURS]]})}, {json.dumps(_BRIEF | options)})")
    return [f"{look}: {words}" for violation in result["violations"] for words in _words(violation)]


def _words(violation: dict[str, Any]) -> Iterator[str]:
    for node in violation["nodes"]:
        why = " ".join(check["message"] for check in (*node["any"], *node["all"], *node["none"]))
        yield f"{violation['id']}: {why} {' '.join(map(str, node['target']))} {node['html'][:160]}"


@contextmanager
def _scheme(page: Page, scheme: str) -> Iterator[None]:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    yield
    page.emulate_media(color_scheme="light")


@contextmanager
def _density(page: Page, density: str) -> Iterator[None]:
    set_density = "density => { document.documentElement.dataset.density = density }"
    page.evaluate(set_density, density)
    yield
    page.evaluate(set_density, "comfortable")
