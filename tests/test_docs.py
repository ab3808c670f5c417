"""The documentation names every setting, command, state and move that there is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
SETTING = re.compile(r'environment\.\w+\(\s*"([A-Z_]+)"')
EMBEDDED = re.compile(r'(?:environ\.get\(|environ\[|is_set\()"([A-Z_]+)"')


def _names(pattern: re.Pattern[str], *globs: str) -> set[str]:
    sources = [path.read_text() for glob in globs for path in ROOT.glob(glob)]
    return {name for source in sources for name in pattern.findall(source)}


def test_operations_name_every_setting():
    names = _names(SETTING, "workbench/*.py") | _names(EMBEDDED, "workbench/embedded/*.py")
    names -= {"PATH", "HOME"}
    assert len(names) > 20
    assert sorted(name for name in names if f"`{name}`" not in OPERATIONS) == []


def test_operations_name_every_command():
    commands = {path.stem for path in ROOT.glob("*/management/commands/*.py")} - {"__init__", "migrate"}
    assert len(commands) >= 5
    assert sorted(name for name in commands if f"`{name}" not in OPERATIONS) == []


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("**/*.md")))
def test_links_of_the_documentation_lead_somewhere(page: str):
    (path,) = (path for path in (ROOT / "docs").glob(f"**/{page}") if path.name == page)
    _assert_links(path)


def test_links_of_the_readme_lead_somewhere():
    _assert_links(ROOT / "README.md")


def _assert_links(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == []
