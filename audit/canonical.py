"""Canonical bytes: one and only one way to write down an event, so that its hash means something.

JSON with sorted keys, no insignificant white space, UTF-8, decimals as plain strings, datetimes as RFC 3339 in
UTC with microseconds, no floating-point numbers. Text is stored as it came, without Unicode normalisation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

JsonValue = None | bool | int | str | list["JsonValue"] | dict[str, "JsonValue"]

MAX_DEPTH = 32
# PostgreSQL's jsonb takes longer numbers, but every reader of an export should be able to hold an integer exactly.
MAX_INTEGER = 2**63 - 1
MAX_EXPONENT = 100


class NotCanonical(ValueError):
    """A value has no canonical form. The message names the path of the value and what to pass instead."""


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with exactly six digits of a second, ending in ``Z``."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise NotCanonical("at: a datetime without time zone is ambiguous; pass an aware one.")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def canonical_value(value: object, *, path: str = "data") -> JsonValue:
    """``value`` reduced to JSON types; raises ``NotCanonical`` for whatever has no exact form."""
    return _reduce(value, path, 0)


def canonical_bytes(value: Mapping[str, object]) -> bytes:
    """The bytes that are stored and hashed."""
    return json.dumps(
        canonical_value(value, path="event"),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    ).encode("utf-8")


def _reduce(value: object, path: str, depth: int) -> JsonValue:
    if depth > MAX_DEPTH:
        raise NotCanonical(f"{path}: nested deeper than {MAX_DEPTH} levels.")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(str(value), path)
    if isinstance(value, Mapping):
        return {_key(key, path): _reduce(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_reduce(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    return _scalar(value, path)


def _scalar(value: object, path: str) -> JsonValue:
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise NotCanonical(f"{path}: an integer beyond 64 bits; pass it as text.")
        return int(value)
    if isinstance(value, float):
        raise NotCanonical(f"{path}: a floating-point number has no exact value; pass a Decimal or text.")
    if isinstance(value, Decimal):
        return _decimal(value, path)
    if isinstance(value, datetime):
        try:
            return timestamp(value)
        except NotCanonical:
            raise NotCanonical(f"{path}: a datetime without time zone is ambiguous; pass an aware one.") from None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise NotCanonical(f"{path}: {type(value).__name__} has no canonical form; pass text, an integer or a Decimal.")


def _decimal(value: Decimal, path: str) -> str:
    if not value.is_finite():
        raise NotCanonical(f"{path}: {value} is not a number; pass a finite Decimal.")
    if abs(value.adjusted()) > MAX_EXPONENT or abs(value.as_tuple().exponent) > MAX_EXPONENT:  # type: ignore[arg-type]
        raise NotCanonical(f"{path}: a Decimal of this magnitude would fill pages; pass it as text.")
    return format(value, "f")


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise NotCanonical(f"{path}: the key {key!r} is not text.")
    return _text(key, path)


def _text(value: str, path: str) -> str:
    if "\x00" in value:
        raise NotCanonical(f"{path}: contains a NUL character, which the database cannot store; remove it.")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise NotCanonical(f"{path}: contains half of a surrogate pair; decode the text properly first.") from None
    return value
