"""Every message of the product, found without programs of gettext, and the catalogue of one language.

Babel reads the sources. A catalogue is written sorted and without the places where its messages stand, so that two
branches that add messages meet in few lines, and moving code changes nothing.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_python
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from exceptions_app.worded import words_of_tables

ROOMS = ("audit", "exceptions_app", "integrations", "workbench")
KEYWORDS: dict[str, Any] = {
    **DEFAULT_KEYWORDS,
    **dict.fromkeys(("gettext_lazy", "gettext_noop"), None),
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
}
SAYING = "from exceptions_app.wording import"
HEADER = "# The words of the Exception Workbench in another language.\n"
_PLACEHOLDER = re.compile(r"%\((\w+)\)[a-z]|\{(\w+)\}|%(?:\d+\$)?[sd]")

Key = tuple[str, str]  # context, singular


@dataclass(frozen=True, slots=True)
class Found:
    """A message as the sources have it. `plural` is empty for one that counts nothing."""

    singular: str
    plural: str = ""
    context: str = ""

    @property
    def key(self) -> Key:
        return self.context, self.singular


def messages_of(root: Path) -> dict[Key, Found]:
    """All messages of the templates, of the Python of the product, and of its tables of words."""
    found: dict[Key, Found] = {}
    for message in _everywhere(root):
        if message.singular and (message.plural or message.key not in found):
            found[message.key] = message
    return found


def _everywhere(root: Path) -> Iterator[Found]:
    for path in sorted((root / "templates").rglob("*.html")):
        source = templatize(path.read_text(), origin=str(path))
        # What is no message is a row of X, and its indentation means nothing to Python.
        yield from _in_python("\n".join(line.strip() for line in source.splitlines()))
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield from _in_python(path.read_text())
    for words in words_of_tables():
        yield Found(words)


def _in_python(source: str) -> Iterator[Found]:
    # Commands have a `say` of their own, which prints.
    keywords = KEYWORDS | ({"say": None} if SAYING in source or "class Said(" in source else {})
    found: Iterable[tuple[int, Any, Any, Any]] = extract_python(io.BytesIO(source.encode()), keywords, (), {})
    for _, function, said, _ in found:
        texts = [text for text in ((said,) if isinstance(said, str) else said or ()) if isinstance(text, str)]
        if not texts:
            continue
        if "pgettext" in (function or ""):
            context, *texts = texts
            yield Found(texts[0], texts[1] if len(texts) > 1 else "", context)
        else:
            yield Found(texts[0], texts[1] if (function or "").startswith(("ngettext", "ungettext")) else "")


def read_catalogue(path: Path) -> Catalog:
    if not path.exists():
        return Catalog(locale=path.parent.parent.name)
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name, abort_invalid=True)


def updated(catalogue: Catalog, found: Mapping[Key, Found]) -> Catalog:
    """The catalogue of what the sources say: translations are kept, what is new is empty, what is gone goes."""
    fresh = Catalog(locale=catalogue.locale, header_comment=HEADER.strip(), fuzzy=False)
    for message in sorted(found.values(), key=lambda one: (one.singular, one.context)):
        known = catalogue.get(message.singular, message.context or None)
        identity = (message.singular, message.plural) if message.plural else message.singular
        fresh.add(
            identity, _kept(known, message), context=message.context or None,
            flags=("fuzzy",) if known is not None and known.fuzzy else (),
            user_comments=known.user_comments if known is not None else (),
        )  # fmt: skip
    return fresh


def _kept(known: Message | None, message: Found) -> str | tuple[str, ...] | None:
    """The translation that there is. One that counts nothing yet stands for the singular of one that does."""
    if known is None or not known.string:
        return None
    if message.plural:
        return tuple(known.string) if isinstance(known.string, (tuple, list)) else (known.string, "")
    return known.string if isinstance(known.string, str) else known.string[0]


def write_catalogue(path: Path, catalogue: Catalog) -> None:
    text = io.BytesIO()
    write_po(text, catalogue, width=0, no_location=True, omit_header=True, sort_output=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_header(catalogue) + text.getvalue().decode())


def _header(catalogue: Catalog) -> str:
    """Without times and names: they would differ in every branch."""
    lines = (
        f"Language: {catalogue.locale_identifier}", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit", f"Plural-Forms: {catalogue.plural_forms}",
    )  # fmt: skip
    return HEADER + 'msgid ""\nmsgstr ""\n' + "".join(f'"{line}\\n"\n' for line in lines) + "\n"


def faults_of(catalogue: Catalog, found: Mapping[Key, Found]) -> list[str]:
    """What keeps the catalogue from saying all that the product says: what is missing, and placeholders that differ."""
    return [fault for message in found.values() for fault in _faults(catalogue, message)]


def _faults(catalogue: Catalog, message: Found) -> Iterator[str]:
    known = catalogue.get(message.singular, message.context or None)
    strings = _strings(known)
    wanted = catalogue.num_plurals if message.plural else 1
    if len(strings) < wanted or not all(strings):
        yield f"No translation: {message.singular!r}"
        return
    allowed = [placeholders(text) for text in (message.singular, message.plural or message.singular)]
    for number, string in enumerate(strings):
        # The singular may leave out the number that it says in a word.
        expected = allowed[min(number, 1)]
        if placeholders(string) != expected and not (message.plural and placeholders(string) in allowed):
            yield f"Other placeholders: {message.singular!r} and {string!r}"


def _strings(known: Message | None) -> list[str]:
    """The translations of a message, one for each number that its language tells apart; of one in doubt none."""
    if known is None or known.fuzzy or not known.string:
        return []
    return [known.string] if isinstance(known.string, str) else list(known.string)


def placeholders(text: str) -> frozenset[str]:
    """Which data a message names, in either way of naming it."""
    return frozenset(found.group(0) for found in _PLACEHOLDER.finditer(text.replace("%%", "")))


def statistics(catalogue: Catalog, found: Iterable[Key]) -> tuple[int, int]:
    """How many messages there are, and how many of them have a translation."""
    known = [catalogue.get(singular, context or None) for context, singular in found]
    return len(known), sum(any(_strings(one)) for one in known)
