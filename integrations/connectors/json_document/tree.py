"""A JSON document as it is written: every value with the layout around it, so that an edit changes nothing else."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, cast

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_SCALAR: Final = re.compile(r"[^\s,\]}]+")


class Kind(StrEnum):
    """What a person would call it."""

    OBJECT = "a group of fields"
    LIST = "a list"
    TEXT = "a text"
    NUMBER = "a number"
    LITERAL = "true, false or null"


@dataclass(slots=True)
class Entry:
    """A member of an object or an item of a list. `before` and `after` are the space around it; `colon` follows
    the key."""

    value: "Value"
    key: str = ""
    written_key: str = ""
    before: str = ""
    colon: str = ""
    after: str = ""

    def write(self) -> Iterator[str]:
        yield self.before
        yield self.written_key
        yield self.colon
        yield from self.value.write()
        yield self.after


@dataclass(slots=True)
class Value:
    """`written` is the JSON of a scalar, or the space inside of an empty object or list."""

    kind: Kind
    written: str = ""
    entries: list[Entry] = field(default_factory=list)

    def write(self) -> Iterator[str]:
        if self.kind not in (Kind.OBJECT, Kind.LIST):
            yield self.written
            return
        yield "{" if self.kind is Kind.OBJECT else "["
        for index, entry in enumerate(self.entries):
            if index:
                yield ","
            yield from entry.write()
        if not self.entries:
            yield self.written
        yield "}" if self.kind is Kind.OBJECT else "]"

    @property
    def json(self) -> str:
        """As it is written, without the space around it."""
        return "".join(self.write())

    @property
    def text(self) -> str:
        """The value in a step: a text as it reads, anything else as it is written."""
        return str(json.loads(self.written)) if self.kind is Kind.TEXT else self.json

    @property
    def is_null(self) -> bool:
        return self.kind is Kind.LITERAL and self.written == "null"

    def member(self, key: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.key == key), None)

    def put(self, index: int, value: "Value", *, key: str | None = None) -> None:
        """Insert an entry, laid out like its neighbours."""
        entry = Entry(value)
        if key is not None:
            entry.key, entry.written_key, entry.colon = key, json.dumps(key, ensure_ascii=False), ": "
        if self.entries:
            first, usual = self.entries[0], self.entries[min(1, len(self.entries) - 1)].before
            entry.before = usual if len(self.entries) > 1 else usual or " "
            entry.colon = first.colon
            if index == 0:
                entry.before, first.before = first.before, entry.before
            if index == len(self.entries):
                last = self.entries[-1]
                entry.after, last.after = last.after, ""
        self.entries.insert(index, entry)

    def take(self, entry: Entry) -> None:
        """Remove an entry; what closes the list stays on its line."""
        index = next(place for place, other in enumerate(self.entries) if other is entry)
        del self.entries[index]
        if index == len(self.entries) and self.entries:
            self.entries[-1].after = entry.after
        elif index == 0 and self.entries:
            self.entries[0].before = entry.before


def read_value(text: str) -> Value:
    """The tree of a text that `safe_json` has accepted as one JSON value."""
    value, _ = _read(text, _skip(text, 0))
    return value


def same(one: Value, other: Value) -> bool:
    """Equal in JSON: keys in any order, numbers by what they amount to, and no number equal to a text."""
    return bool(_plain(one) == _plain(other))


def text_value(text: str) -> Value:
    return Value(Kind.TEXT, json.dumps(text, ensure_ascii=False))


def _plain(value: Value) -> Any:
    match value.kind:
        case Kind.OBJECT:
            return {entry.key: _plain(entry.value) for entry in value.entries}
        case Kind.LIST:
            return [_plain(entry.value) for entry in value.entries]
        case Kind.TEXT:
            return value.text
        case Kind.NUMBER:
            return (Kind.NUMBER, Decimal(value.written))
    return (Kind.LITERAL, value.written)


def _skip(text: str, at: int) -> int:
    return cast("re.Match[str]", _SPACE.match(text, at)).end()


def _read(text: str, at: int) -> tuple[Value, int]:
    mark = text[at]
    if mark in "{[":
        return _read_entries(text, at, Kind.OBJECT if mark == "{" else Kind.LIST)
    pattern = _STRING if mark == '"' else _SCALAR
    written = cast("re.Match[str]", pattern.match(text, at))[0]
    if mark == '"':
        return Value(Kind.TEXT, written), at + len(written)
    return Value(Kind.LITERAL if mark in "tfn" else Kind.NUMBER, written), at + len(written)


def _read_entries(text: str, at: int, kind: Kind) -> tuple[Value, int]:
    """From the bracket that opens to behind the one that closes."""
    value, begin = Value(kind), at + 1
    at = _skip(text, begin)
    if text[at] in "}]":
        value.written = text[begin:at]
        return value, at + 1
    while True:
        entry = Entry(Value(Kind.LITERAL), before=text[begin:at])
        if kind is Kind.OBJECT:
            entry.written_key = cast("re.Match[str]", _STRING.match(text, at))[0]
            entry.key = str(json.loads(entry.written_key))
            behind = at + len(entry.written_key)
            at = _skip(text, text.index(":", behind) + 1)
            entry.colon = text[behind:at]
        entry.value, end = _read(text, at)
        at = _skip(text, end)
        entry.after = text[end:at]
        value.entries.append(entry)
        if text[at] in "}]":
            return value, at + 1
        begin = at + 1
        at = _skip(text, begin)
