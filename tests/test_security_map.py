"""The map of ASVS 5.0.0 has each requirement of levels 1 and 2 once, and what it names is there."""

import re
from collections import Counter

import pytest

from tests.test_docs import ROOT, SHOWN_BY, missing_of

MAP = ROOT / "docs" / "security.md"
PAGES = ("input.md", "browser.md", "identity.md", "tokens.md", "secrets.md", "running.md")
# The levels of the requirements of each section, in the order of their numbers; those of level 3 come last everywhere.
LEVELS = """
1.1:22 1.2:111112222 1.3:11222222222 1.4:222 1.5:12 2.1:122 2.2:112 2.3:1222 2.4:2 3.2:11 3.3:1222 3.4:112222
3.5:11122 3.7:22 4.1:122 4.2:2 4.3:22 4.4:1222 5.1:2 5.2:112 5.3:11 5.4:222 6.1:122 6.2:111111112222 6.3:1122
6.4:1122 6.5:22222 6.6:222 6.8:2222 7.1:222 7.2:1111 7.3:22 7.4:11222 7.5:22 7.6:22 8.1:12 8.2:112 8.3:1 8.4:2
9.1:111 9.2:1222 10.1:22 10.2:22 10.3:2222 10.4:11111222222 10.5:22222 10.6:22 10.7:222 11.1:22 11.2:222
11.3:112 11.4:1222 11.5:2 11.6:2 12.1:122 12.2:11 12.3:2222 13.1:2 13.2:22222 13.3:22 13.4:12222 14.1:22
14.2:1222 14.3:122 15.1:122 15.2:122 15.3:1222222 16.1:2 16.2:22222 16.3:2222 16.4:222 16.5:222 17.1:2 17.2:2222
17.3:22
"""
ANSWERS = ("met", "operator", "n/a", "**not met**")


def rows_of(page: str) -> list[list[str]]:
    lines = (MAP.parent / "security" / page).read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| V\d", line)]


ROWS = {page: rows_of(page) for page in PAGES}
ALL = [row for rows in ROWS.values() for row in rows]


def test_every_requirement_of_levels_1_and_2_stands_once_in_its_order():
    sections = [section.split(":") for section in LEVELS.split()]
    wanted = [[f"V{name}.{n}", level] for name, levels in sections for n, level in enumerate(levels, start=1)]
    assert len(wanted) == 253
    assert [row[:2] for row in ALL] == wanted
    assert sorted(path.name for path in (MAP.parent / "security").iterdir()) == sorted(PAGES)


def test_every_answer_is_one_and_says_what_shows_it_or_what_is_missing():
    assert [row[0] for row in ALL if len(row) != 5 or row[3] not in ANSWERS or not row[2] or not row[4]] == []
    shown = re.compile(rf"{SHOWN_BY.pattern}|\]\([\w./#-]+\)")
    assert [row[0] for row in ALL if row[3] == "met" and not shown.search(row[4])] == []


@pytest.mark.parametrize("page", PAGES)
def test_what_the_map_names_exists(page: str):
    assert [(row[0], missing) for row in ROWS[page] if (missing := missing_of(row[4]))] == []
    text = (MAP.parent / "security" / page).read_text()
    named = re.findall(r"`((?:tests|templates|static|integrations|exceptions_app|workbench)/[\w/.-]+)(?:::\w+)?`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []
    anchors = re.findall(r"\]\(([^)#]*)#([\w-]+)\)", text)
    assert [(path, name) for path, name in anchors if name not in headings_of(page, path)] == []


def headings_of(page: str, path: str) -> set[str]:
    """As they are called in addresses: in small letters, with hyphens for the spaces."""
    text = (MAP.parent / "security" / (path or page)).read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_counts_are_those_of_the_rows():
    text = MAP.read_text()
    for page, rows in ROWS.items():
        [line] = [line for line in text.splitlines() if line.startswith("|") and f"(security/{page})" in line]
        assert line.split("|")[2:-1] == [f" {Counter(row[3] for row in rows)[answer]} " for answer in ANSWERS], page
    [line] = [line for line in text.splitlines() if line.startswith("| all 253 |")]
    counted = Counter(row[3] for row in ALL)
    assert line.split("|")[2:-1] == [f" {counted[answer]} " for answer in ANSWERS]


def test_a_map_that_is_wrong_would_be_found():
    assert missing_of("`tests/test_security_map.py::test_gone`") == ["tests/test_security_map.py::test_gone"]
    assert "keys" in headings_of("secrets.md", "")
    assert "gone" not in headings_of("secrets.md", "")
