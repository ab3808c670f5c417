"""In which line of a JSON text the value at a place stands, so that an error can be found in an editor."""

import json
import re
from typing import Final

from integrations.connectors.json_document.pointers import pointer_to

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_WORD: Final = re.compile(r"[^\s,\]}]*")


def line_of(text: str, pointer: str) -> int | None:
    """Counted from 1; the line of what stands around it when the place is missing. None when the text is no JSON."""
    begins: dict[str, int] = {}
    try:
        _value(text, _past_space(text, 0), (), begins)
    except (ValueError, IndexError, RecursionError):
        return None
    while pointer not in begins and pointer:
        pointer = pointer.rpartition("/")[0]
    return text.count("\n", 0, begins.get(pointer, 0)) + 1


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _string(text: str, at: int) -> tuple[str, int]:
    found = _STRING.match(text, at)
    if found is None:
        raise ValueError(text[at : at + 1])
    return str(json.loads(found[0])), found.end()


def _value(text: str, at: int, steps: tuple[str | int, ...], begins: dict[str, int]) -> int:
    """Notes where the value begins and returns where it ends."""
    begins[pointer_to(*steps)] = at
    if text[at] == '"':
        return _string(text, at)[1]
    if text[at] in "{[":
        return _members(text, at, steps, begins)
    word = _WORD.match(text, at)
    if word is None or word.end() == at:
        raise ValueError(text[at : at + 1])
    return word.end()


def _members(text: str, at: int, steps: tuple[str | int, ...], begins: dict[str, int]) -> int:
    is_object, index = text[at] == "{", 0
    at = _past_space(text, at + 1)
    while text[at] not in "}]":
        step: str | int = index
        if is_object:
            step, at = _string(text, at)
            at = _past_space(text, _past_space(text, at) + 1)
        at = _past_space(text, _value(text, at, (*steps, step), begins))
        if text[at] == ",":
            at = _past_space(text, at + 1)
        index += 1
    return at + 1
