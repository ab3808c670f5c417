"""Text, controls and states stay readable in both themes (WCAG 2.2: 1.4.3 and 1.4.11)."""

import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[2] / "static" / "css" / "tokens.css"
TEXT = 4.5
CONTROL = 3.0
TONES = ("neutral", "info", "success", "warning", "danger", "review", "transit")
GROUNDS = ("canvas", "surface", "surface-raised", "surface-sunken", "surface-hover", "surface-selected")
ON_GROUNDS = [(text, ground) for text in ("text", "text-muted", "accent", "accent-hover") for ground in GROUNDS]
TEXT_PAIRS = [
    *ON_GROUNDS,
    *((f"{tone}-text", f"{tone}-soft") for tone in TONES),
    *((f"{tone}-text", ground) for tone in ("danger", "warning", "success") for ground in GROUNDS),
    *(("text", f"{tone}-soft") for tone in TONES),
    ("text-on-accent", "accent"),
    ("text-on-accent", "accent-hover"),
    ("text-on-danger", "danger-fill"),
    ("text-on-danger", "danger-fill-hover"),
    ("info-text", "accent-soft"),
    ("info-text", "surface"),
    ("danger-text", "removed-ground"),
    ("success-text", "added-ground"),
    ("brand-ink", "surface"),
    ("brand-ink", "canvas"),
]
CONTROL_PAIRS = [
    (line, ground) for line in ("line-control", "focus") for ground in ("canvas", "surface", "surface-raised")
]


def _colours(theme: str) -> dict[str, str]:
    pairs = re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", TOKENS.read_text())
    return {name: light if theme == "light" else dark for name, light, dark in pairs}


def _luminance(colour: str) -> float:
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _ratio(first: str, second: str) -> float:
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _too_weak(pairs: list[tuple[str, str]], *, theme: str, least: float) -> list[str]:
    colours = _colours(theme)
    ratios = ((front, ground, _ratio(colours[front], colours[ground])) for front, ground in pairs)
    return [f"{front} on {ground}: {ratio:.2f}" for front, ground, ratio in ratios if ratio < least]


def test_ratio_of_black_on_white_is_the_known_maximum() -> None:
    assert round(_ratio("#000000", "#ffffff"), 2) == 21.0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_readable_on_every_ground(theme: str) -> None:
    assert _too_weak(TEXT_PAIRS, theme=theme, least=TEXT) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_controls_and_focus_are_recognisable(theme: str) -> None:
    assert _too_weak(CONTROL_PAIRS, theme=theme, least=CONTROL) == []
