"""In which language a page is, what stays English, and how the catalogue is made and kept."""

import os
from pathlib import Path

from django.template import Context, Template
from django.utils import translation

from exceptions_app.wording import Said, say, shown, together, told_by
from tests.few_words import WORDS, catalogue_of, german
from workbench.catalogue import (
    faults_of,
    messages_of,
    placeholders,
    read_catalogue,
    updated,
    write_catalogue,
)
from workbench.languages import compile_catalogues

__all__ = ["german"]

ROOT = Path(__file__).parents[2]


def test_what_is_said_is_english_wherever_it_is_kept_and_the_readers_where_it_is_shown(german):
    reason = say("{person} has {thing}.", person="Ada {x}", thing=say("Claim"))
    both = together(reason, "", say("Try later."))
    refused = ValueError(both)
    assert isinstance(both, str)
    assert both == "Ada {x} has Claim. Try later." == str(refused)
    assert shown(both) == both
    with translation.override("de"):
        assert f"{both}" == "Ada {x} has Claim. Try later.", "kept as it was made"
        assert shown(both) == "Übernehmen liegt bei Ada {x}. Später versuchen."
        assert told_by(refused) == shown(both)
        assert told_by(ValueError("Of another program.")) == "Of another program."
        assert (shown(""), told_by(ValueError())) == ("", ""), "an empty text is not the head of the catalogue"
        assert Template("{{ words|shown }}").render(Context({"words": "<New>"})) == "&lt;New&gt;"
        assert (
            Template("{{ words|shown }}").render(Context({"words": "awaiting approval"})) == WORDS["awaiting approval"]
        )
    assert isinstance(Said("plain"), str)


def test_catalogue_is_made_when_it_is_another_one_also_an_older_and_otherwise_left(tmp_path):
    source = catalogue_of(tmp_path / "sources", WORDS)
    made = tmp_path / "made" / "de" / "LC_MESSAGES" / "django.mo"
    compile_catalogues(tmp_path / "sources", tmp_path / "made")
    first = made.stat()
    compile_catalogues(tmp_path / "sources", tmp_path / "made")
    assert made.stat().st_ino == first.st_ino, "it was not made again"
    for later in (1, -3_600_000_000_000):  # a release keeps the times that its files had
        os.utime(source, ns=(first.st_mtime_ns + later, first.st_mtime_ns + later))
        before = made.stat()
        compile_catalogues(tmp_path / "sources", tmp_path / "made")
        assert made.stat().st_ino != before.st_ino, "a whole file in its place"
    before = made.stat()
    compile_catalogues(tmp_path / "sources", tmp_path / "made")
    assert made.stat().st_ino == before.st_ino
    assert [path.name for path in made.parent.iterdir()] == ["django.mo"]
    # Nowhere to write: English, or what was made before, and no error.
    (tmp_path / "file").write_text("")
    compile_catalogues(tmp_path / "sources", tmp_path / "file")


def test_catalogue_keeps_translations_and_names_what_is_missing(tmp_path):
    found = messages_of(ROOT)
    said = {singular for _, singular in found}
    assert len(found) > 1500
    assert {"Skip to content", "Language", "Claim", "awaiting approval", "Proposals and decisions"} <= said
    plural = next(message for message in found.values() if message.plural)

    path = catalogue_of(tmp_path, {"Claim": "Übernehmen", "Language": "Sprache %(code)s", "Said nowhere": "Weg"})
    after = updated(read_catalogue(path), found)
    write_catalogue(path, after)
    text = path.read_text()
    write_catalogue(path, updated(read_catalogue(path), found))
    assert path.read_text() == text, "written again it is the same"
    assert "\n#: " not in text
    assert "Creation-Date" not in text
    read = read_catalogue(path)
    assert read.get("Claim").string == "Übernehmen"
    assert read.get("Said nowhere") is None
    names = [message.id if isinstance(message.id, str) else message.id[0] for message in read if message.id]
    assert names == sorted(names)

    faults = faults_of(read, found)
    assert "Other placeholders: 'Language' and 'Sprache %(code)s'" in faults
    assert f"No translation: {plural.singular!r}" in faults
    assert not any("'Claim'" in fault for fault in faults)
    assert len(faults) == len(found) - 1
    assert placeholders("%(a)s, {b} and 5 %%") == {"%(a)s", "{b}"}
