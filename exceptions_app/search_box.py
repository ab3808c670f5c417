"""The one search of pages, palette and API: a text taken apart, its filters judged, its words looked up."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from django.contrib.auth.models import AbstractUser

from exceptions_app.filters import CaseFilter
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.queries.search import Found, search
from exceptions_app.search_text import SearchText, read
from exceptions_app.wording import Said, say, together

MOST_CHARACTERS = 200
_MOST_NAMED = 12  # values that a notice names when the one that was typed is none of them


@dataclass(frozen=True, slots=True)
class Answer:
    """`words` are what was searched for beside the `filters`, which have the names and values of the lists.

    `notices` say what of the text was left out.
    """

    found: Found
    words: str
    filters: Mapping[str, str]
    notices: tuple[Said, ...]


def look_up(user: AbstractUser, reach: Reach, text: str) -> Answer:
    """What a text finds for a person. Open and closed exceptions, unless a token says which."""
    asked = read(text[:MOST_CHARACTERS].replace("\x00", "�"))
    if not asked.filters:
        return Answer(search(reach, asked.words), asked.words, {}, asked.notices)
    chosen = CaseFilter(asked.filters, cases_within(reach), request=SimpleNamespace(user=user), reach=reach)
    usable = {name: value for name, value in asked.filters.items() if name not in chosen.errors}
    found = search(reach, asked.words, within=chosen.qs if usable else None)
    return Answer(found, asked.words, usable, (*asked.notices, *_refused(asked, chosen)))


def _refused(asked: SearchText, chosen: CaseFilter) -> list[Said]:
    return [
        together(say("“{token}” was left out.", token=asked.typed[name]), _what_exists(chosen, name))
        for name in chosen.errors
    ]


def _what_exists(chosen: CaseFilter, name: str) -> str:
    """Which values there are for whoever asks; of a text, why it cannot be used."""
    field = chosen.form.fields[name]
    key = getattr(field, "to_field_name", None)
    if key:
        known = list(field.queryset.values_list(key, flat=True)[: _MOST_NAMED + 1])
    else:
        known = [value for value, _ in getattr(field, "choices", ()) if value]
    if not known:
        return " ".join(chosen.errors[name])
    named = ", ".join(str(value) for value in known[:_MOST_NAMED])
    return (
        say("There is {known} and others.", known=named)
        if len(known) > _MOST_NAMED
        else say("There is {known}.", known=named)
    )
