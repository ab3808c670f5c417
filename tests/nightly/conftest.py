"""Drills over a whole installation each: counts are asserted; times are told at the end, for a person to judge."""

import os
from collections.abc import Callable, Iterator

import pytest

from tests.nightly.figures import Figure
from tests.nightly.site import Site, running_site

SHARE = float(os.environ.get("NIGHTLY_SHARE", "1"))  # of the full size
_FIGURES = pytest.StashKey[list[Figure]]()
Tell = Callable[[str, float, float], None]


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


@pytest.fixture
def share() -> float:
    return SHARE


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """What took how many seconds, and how many are aimed at, at full size."""
    figures = request.config.stash.setdefault(_FIGURES, [])
    name = request.node.name.removeprefix("test_").replace("_", " ")

    def note(what: str, seconds: float, aim: float) -> None:
        figures.append(Figure(name, what, seconds, aim))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash.get(_FIGURES, [])
    if figures:
        terminalreporter.section(f"drills at {SHARE * 100:g} % of their size")
        for figure in figures:
            terminalreporter.write_line(figure.line())
