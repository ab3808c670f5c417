"""Sentences with data in them that are English wherever they are kept or sent, and in the reader's language on a page.

What an action refuses is told to a program, written to the audit trail and shown to a person. It is made once, in
English, and remembers of what: `say("{person} has it.", person=ada)` is the English text for everybody, and `shown`
makes the reader's of it where a page is made. Nothing below the pages asks which language is in force.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Self

from django.utils.functional import lazy
from django.utils.translation import gettext


class Said(str):
    """English text that remembers its template and what was put into it, or the texts that it was put together of."""

    template: str
    values: dict[str, Any]
    parts: tuple[str, ...]

    def __new__(
        cls, text: str, template: str = "", values: dict[str, Any] | None = None, parts: tuple[str, ...] = ()
    ) -> Self:
        made = super().__new__(cls, text)
        made.template, made.values, made.parts = template or text, values or {}, parts
        return made


def say(template: str, **values: object) -> Said:
    """The English sentence. What `say` made itself is translated within it; names and numbers stay as they are."""
    kept = {name: value if isinstance(value, Said) else str(value) for name, value in values.items()}
    return Said(template.format(**kept) if kept else template, template, kept)


def together(*texts: str) -> Said:
    """Sentences one after the other."""
    told = tuple(text for text in texts if text)
    return Said(" ".join(told), parts=told)


def listed(names: Sequence[str]) -> str:
    """“Ada, Ben and Cem”; empty for nobody."""
    if len(names) < 2:
        return "".join(names[:1])
    return say("{people} and {last}", people=", ".join(names[:-1]), last=names[-1])


def shown(text: object) -> str:
    """In the language that is in force: what was said, or a word of a table; what no catalogue knows as it is."""
    words = str(text) if not isinstance(text, str) else text
    if not words:
        return ""
    if not isinstance(words, Said):
        return gettext(words)
    if words.parts:
        return " ".join(shown(part) for part in words.parts)
    template = gettext(words.template)
    values = {name: shown(value) if isinstance(value, Said) else value for name, value in words.values.items()}
    return template.format(**values) if values else template


def shown_row(group: str) -> str:
    """The name of a group of fields; `Line 3` is one row of several, whose name has its number behind it."""
    name, _, number = group.rpartition(" ")
    return f"{shown(name)} {number}" if name and number.isdigit() else shown(group)


shown_later = lazy(shown, str)
"""The same for what is made once and shown to many, such as the choices of a form."""


def offered(choices: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Choices of a form whose words are those of a table. Names of places and people are no words."""
    return [(value, shown_later(label)) for value, label in choices]


NOTHING_WAS_DONE = say("Nothing was done.")


def said_by(error: BaseException) -> str:
    """The English words of what was raised, with what they were made of where they were said."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, Said) else str(error)


def told_by(error: BaseException, then: str = "") -> str:
    """The words of what was raised, in the language that is in force, and what is said after them."""
    return shown(together(said_by(error), then))
