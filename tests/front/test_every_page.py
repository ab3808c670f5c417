"""Every page is looked at by the tests that look at all of them: one that is added has to be named there."""

import re
from pathlib import Path

from tests.addresses import NO_PAGES, names, pages
from tests.exceptions_app.views.listed_pages import LISTS, NO_LISTS
from tests.journeys.places import ELSEWHERE, PAGES

SHEETS = Path(__file__).parents[2] / "static" / "css"
SIZES = re.compile(
    r"--(?:row-padding|cell-padding|control-height|body-size)|(?:-webkit-)?line-clamp|font-size|line-height"
)
COMPACT = re.compile(r"""\[data-density="compact"\][^{]*\{([^}]*)\}""")


def test_every_page_is_examined():
    """By `tests/journeys/test_accessible.py`: name it in `tests/journeys/places.py`."""
    assert sorted({*PAGES, *ELSEWHERE}) == pages()


def test_queries_of_every_list_are_counted():
    """By `tests/exceptions_app/views/test_list_costs.py`, or it shows no list: say so in `listed_pages.py`."""
    assert sorted({name for name in (*LISTS, *NO_LISTS) if not name.startswith("/api/")}) == pages()
    assert not LISTS.keys() & NO_LISTS


def test_what_is_said_to_be_no_page_is_there():
    assert names() >= NO_PAGES


def test_density_changes_sizes_alone():
    """So that colours, which are judged in one density, are right in the other."""
    rules = [rule for sheet in SHEETS.glob("*.css") for rule in COMPACT.findall(sheet.read_text())]
    properties = {line.partition(":")[0].strip() for rule in rules for line in rule.split(";") if line.strip()}
    assert rules
    assert [name for name in properties if not SIZES.fullmatch(name)] == []
