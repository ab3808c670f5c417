"""What a tag is: a short word that people put on exceptions to find them again. Pure text; nothing is asked here."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from exceptions_app.wording import say

MOST_TAGS: Final = 10  # of one exception
LONGEST_TAG: Final = 30
LONGEST_TEXT: Final = 400  # characters of several that are typed at once
PATTERN: Final = "[a-z0-9]+(-[a-z0-9]+)*"
RULE: Final = say(
    "A tag has small letters a to z, digits and single hyphens between them, at most {most} in all.",
    most=LONGEST_TAG,
)
_SOUND = re.compile(PATTERN)
_BETWEEN = re.compile(r"[\s,;]+")
_SHORT = 40  # characters of what was typed that are repeated


class NotATag(ValueError):
    """What was typed is none; the message is for whoever typed it."""


def tag_of(text: str) -> str:
    """One tag in its one spelling: capitals and a number sign before it are forgiven. Raises NotATag."""
    tag = text.strip().removeprefix("#").lower()
    if len(tag) > LONGEST_TAG or not _SOUND.fullmatch(tag):
        raise NotATag(say("“{text}” cannot be a tag. {rule}", text=text[:_SHORT], rule=RULE))
    return tag


def read_tags(text: str) -> tuple[str, ...]:
    """Several, with blanks or commas between them; each once, in the order of the alphabet. Raises NotATag."""
    return tuple(sorted({tag_of(part) for part in _BETWEEN.split(text) if part}))


def changed(tags: Iterable[str], *, add: Collection[str], remove: Collection[str]) -> Sequence[str]:
    """The tags afterwards. Raises NotATag when they are too many."""
    wanted = sorted({*tags, *add} - set(remove))
    if len(wanted) > MOST_TAGS:
        raise NotATag(say("An exception has at most {most_tags} tags. Take one off first.", most_tags=MOST_TAGS))
    return wanted
