"""No form can lose its CSRF token: each one writes it, and no include on the way to it leaves it behind."""

import re
from functools import cache
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parents[2] / "templates"
NAMES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))
FORM = re.compile(r"<form\b([^>]*(?:\{[%{].*?[%}]\}[^>]*)*)>(.*?)</form>", re.DOTALL)
POSTED = re.compile(r"""\bmethod=["']?post\b""", re.IGNORECASE)
INCLUDE = re.compile(r"{%\s*include\s+[\"']([^\"']+)[\"']\s*(.*?)%}", re.DOTALL)
TOKEN = re.compile(r"{%\s*csrf_token\s*%}")


@cache
def text(name: str) -> str:
    return (TEMPLATES / name).read_text()


@cache
def needs_token(name: str) -> bool:
    """Whether the template, or one that it includes, writes a token."""
    return bool(TOKEN.search(text(name))) or any(
        included != name and needs_token(included) for included, _ in INCLUDE.findall(text(name))
    )


@pytest.mark.parametrize("name", NAMES)
def test_posted_form_writes_its_token(name: str) -> None:
    forms = FORM.findall(text(name))
    assert len(forms) == text(name).count("<form")
    assert [inside for attributes, inside in forms if POSTED.search(attributes) and not TOKEN.search(inside)] == []


@pytest.mark.parametrize("name", NAMES)
def test_include_of_a_form_passes_the_token_on(name: str) -> None:
    lost = [
        included
        for included, how in INCLUDE.findall(text(name))
        if how.split()[-1:] == ["only"] and needs_token(included) and "csrf_token=csrf_token" not in how.split()
    ]
    assert lost == []
