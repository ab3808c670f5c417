"""A German catalogue of a few words, for tests of how words are shown: what the product's own says may change."""

from pathlib import Path

import pytest
from django.utils import translation

from workbench.languages import compile_catalogues

HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
HEADER += '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n'
WORDS = {
    "Language": "Sprache",
    "New": "Neu",
    "Claim": "Übernehmen",
    "awaiting approval": "wartet auf Freigabe",
    "{person} has {thing}.": "{thing} liegt bei {person}.",
    "{assignee} has this exception. Assign it to yourself to take it over.": "{assignee} hat sie schon.",
    "You may not do this": "Das dürfen Sie nicht",
    "Say what this exception is waiting for.": "Worauf wartet sie?",
    "Try later.": "Später versuchen.",
    "Policy holds": "Die Police gilt",
    "Tax code": "Steuerkennzeichen",
}


def catalogue_of(folder: Path, words: dict[str, str]) -> Path:
    path = folder / "de" / "LC_MESSAGES" / "django.po"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + "".join(f'\nmsgid "{one}"\nmsgstr "{other}"\n' for one, other in words.items()))
    return path


@pytest.fixture
def german(tmp_path, settings):
    """A catalogue of a few words in the place of the product's own."""
    catalogue_of(tmp_path / "sources", WORDS)
    compile_catalogues(tmp_path / "sources", tmp_path / "made")
    settings.LOCALE_PATHS = [tmp_path / "made"]
    yield
    translation.activate("en")
