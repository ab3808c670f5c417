"""Whom a comment names: `@clara`, as people write it."""

import re

# No part of an e-mail address; a full stop or a dash at the end belongs to the sentence.
_MENTION = re.compile(r"(?<![\w@./+-])@([\w.+-]*\w)")
MOST_MENTIONED = 20


def names_in(text: str) -> tuple[str, ...]:
    """The user names after an at sign, in lower case, each once, in the order of the text."""
    return tuple(dict.fromkeys(name.lower() for name in _MENTION.findall(text)))[:MOST_MENTIONED]
