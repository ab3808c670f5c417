"""What holds for every template, stylesheet and script: strict content policy, documented parts, known names."""

import re
from pathlib import Path

import pytest

from exceptions_app.script_words import WORDS, in_words

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SHEETS = sorted((ROOT / "static" / "css").glob("*.css"))
SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))
FORBIDDEN = re.compile(r"<style|\sstyle=|\son[a-z]+=\"|hx-on|javascript:|<script>|hx-vals=.js:", re.IGNORECASE)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("template", TEMPLATES, ids=_name)
def test_template_needs_no_inline_style_or_script(template: Path) -> None:
    assert FORBIDDEN.findall(template.read_text()) == []


@pytest.mark.parametrize("template", TEMPLATES, ids=_name)
def test_template_names_its_context_first(template: Path) -> None:
    assert template.read_text().startswith("{# Context:")


@pytest.mark.parametrize("template", TEMPLATES, ids=_name)
def test_template_uses_only_icons_of_the_sprite(template: Path) -> None:
    symbols = set(re.findall(r'<symbol id="([a-z0-9-]+)"', (ROOT / "static" / "img" / "icons.svg").read_text()))
    assert set(re.findall(r'{% icon "([a-z0-9-]+)"', template.read_text())) - symbols == set()


@pytest.mark.parametrize("path", [*SHEETS, *SCRIPTS, *TEMPLATES], ids=_name)
def test_front_file_stays_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 400


@pytest.mark.parametrize("sheet", SHEETS, ids=_name)
def test_stylesheet_takes_colours_and_sizes_from_tokens(sheet: Path) -> None:
    text = sheet.read_text()
    defined = set(re.findall(r"(--[a-z0-9-]+):", "".join(other.read_text() for other in SHEETS)))
    assert set(re.findall(r"var\((--[a-z0-9-]+)", text)) - defined == set()
    if sheet.name not in ("tokens.css", "print.css"):
        assert re.findall(r"#[0-9a-f]{3,8}\b(?=[;, )])", text) == []


@pytest.mark.parametrize("sheet", SHEETS, ids=_name)
def test_stylesheet_is_layered_and_free_of_physical_sides(sheet: Path) -> None:
    text = sheet.read_text()
    assert "@layer" in text
    assert re.findall(r"(?:margin|padding|border)-(?:left|right)|\btext-align: (?:left|right)", text) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=_name)
def test_script_evaluates_no_text(script: Path) -> None:
    assert re.findall(r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write", script.read_text()) == []


def test_scripts_ask_for_the_words_that_the_pages_bring() -> None:
    text = "".join(script.read_text() for script in SCRIPTS)
    assert set(re.findall(r'\bword\("([a-z-]+)"', text)) == set(WORDS)
    asked = {name: set(re.findall(r"{(\w+)}", words)) for name, words in in_words().items()}
    given = {
        name: {part.partition(":")[0].strip() for part in (data or "").split(",") if part.strip()}
        for name, data in re.findall(r'\bword\("([a-z-]+)"(?:, {([^}]*)[}?])?', text)
    }
    assert {name: asked[name] for name in WORDS if asked[name] - given[name]} == {}


@pytest.mark.parametrize("script", SCRIPTS, ids=_name)
def test_script_has_no_sentence_of_its_own(script: Path) -> None:
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", script.read_text(), flags=re.DOTALL)
    assert re.findall(r"[\"`]([A-Z][a-z]+ [a-z][^\"`]*)[\"`]", code) == []
