"""What stands where in another system's own shape: the rule, and a message taken out of an item by it.

An item is JSON. Its document is one part of it: a text (XML, CSV …), any JSON, which is kept as it was written, byte by
byte, or an object as the API takes it: `media_type` with `text` or `base64`, and for a refusal `status` and `headers`.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from integrations.connectors.json_document.pointers import BadPointer, index_of, steps_of
from integrations.connectors.json_document.tree import Kind, Value
from integrations.handed_in import HandedIn, MessageRefused
from integrations.models import InboxMessage

POINTER: Final = r"^(/([^~/]|~[01])*)*$"  # for a JSON Schema
_OWN_SHAPE: Final = frozenset({"media_type", "text", "base64", "status", "headers"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """JSON Pointers from an item to its parts. Media types and `purpose` may also be the word itself.

    An empty pointer to anything but the payload means that there is none.
    """

    id: str = "/id"
    payload: str = "/payload"
    refusal: str = "/refusal"
    purpose: str = InboxMessage.Purpose.REFUSED.value
    payload_media_type: str = ""
    refusal_media_type: str = ""
    refusal_status: str = ""
    ordering_key: str = ""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Envelope":
        """From the fields of that name; what is not there is as by default."""
        return cls(**{field.name: settings[field.name] for field in fields(cls) if field.name in settings})


@dataclass(frozen=True, slots=True)
class _Part:
    content: bytes
    media_type: str
    status: int | None = None
    headers: Mapping[str, str] | None = None


def take_out(
    item: Value, envelope: Envelope, *, context: Mapping[str, Any] | None = None, external_id: str = ""
) -> HandedIn:
    """The message in an item, which has its identifier in it unless one is given.

    Raises MessageRefused, which names the field of the envelope that found nothing.
    """
    payload = _part(value_at(item, envelope.payload), field="payload")
    if payload is None:
        raise MessageRefused(
            f"The item has nothing at {envelope.payload or 'its top'}, where its document should be.",
            field="payload",
            remedy="Have the source send the document there, or correct the pointer.",
        )
    refusal = _part(value_at(item, envelope.refusal), field="refusal") if envelope.refusal else None
    status = whole_number_of(value_at(item, envelope.refusal_status)) if envelope.refusal_status else None
    return HandedIn(
        external_id=external_id or identifier_of(item, envelope),
        payload=payload.content,
        payload_media_type=_word(item, envelope.payload_media_type) or payload.media_type,
        refusal=refusal.content if refusal else b"",
        refusal_media_type=(_word(item, envelope.refusal_media_type) or refusal.media_type) if refusal else "",
        refusal_status=_http_status(status if status is not None else refusal.status if refusal else None),
        refusal_headers=(refusal.headers if refusal else None) or {},
        context=dict(context or {}),
        purpose=_purpose(item, envelope),
        ordering_key=text_of(value_at(item, envelope.ordering_key)) if envelope.ordering_key else "",
    )


def identifier_of(item: Value, envelope: Envelope) -> str:
    """The item's own identifier. Raises MessageRefused when there is none."""
    found = text_of(value_at(item, envelope.id))
    if not found:
        raise MessageRefused(
            f"The item has no identifier at {envelope.id or 'its top'}.",
            field="id",
            remedy="Have the source give every item one, or correct the pointer.",
        )
    return found


def value_at(item: Value, pointer: str) -> Value | None:
    """The value at a JSON Pointer; None when nothing is there, or null."""
    try:
        steps = steps_of(pointer)
    except BadPointer:
        return None
    found = item
    for step in steps:
        below = _entry(found, step)
        if below is None:
            return None
        found = below
    return None if found.is_null else found


def _entry(holder: Value, step: str) -> Value | None:
    if holder.kind is Kind.OBJECT:
        member = holder.member(step)
        return member.value if member is not None else None
    index = index_of(step) if holder.kind is Kind.LIST else None
    return holder.entries[index].value if index is not None and index < len(holder.entries) else None


def text_of(value: Value | None) -> str:
    """A text or a number as text; empty for anything else."""
    if value is None or value.kind not in (Kind.TEXT, Kind.NUMBER):
        return ""
    return value.text if value.kind is Kind.TEXT else value.written


def whole_number_of(value: Value | None) -> int | None:
    """A whole number from 0, also when it is written as a text of digits; None for anything else."""
    text = text_of(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None  # fits bigint


def _part(value: Value | None, *, field: str) -> _Part | None:
    if value is None:
        return None
    if value.kind is Kind.TEXT:
        return _Part(value.text.encode(), _guessed(value.text)) if value.text else None
    if value.kind is Kind.OBJECT and {"media_type"} < {entry.key for entry in value.entries} <= _OWN_SHAPE:
        return _own_shape(value, field=field)
    return _Part(value.json.encode(), "application/json")


def _own_shape(value: Value, *, field: str) -> _Part:
    """As the API takes it."""
    encoded = value_at(value, "/base64")
    try:
        content = (
            base64.b64decode("".join(text_of(encoded).split()), validate=True)
            if encoded is not None
            else text_of(value_at(value, "/text")).encode()
        )
    except (binascii.Error, ValueError):
        raise MessageRefused(
            f"The {field} is not base64.", field=field, remedy="Have the source send RFC 4648 section 4, with padding."
        ) from None
    headers = value_at(value, "/headers")
    named = headers.entries if headers is not None and headers.kind is Kind.OBJECT else []
    return _Part(
        content,
        text_of(value_at(value, "/media_type")),
        status=whole_number_of(value_at(value, "/status")),
        headers={entry.key: text_of(entry.value) for entry in named},
    )


def _guessed(text: str) -> str:
    """The media type of a document that came as a text without one."""
    match text.lstrip("\ufeff \t\r\n")[:1]:
        case "<":
            return "application/xml"
        case "{" | "[":
            return "application/json"
    return "text/plain"


def _http_status(number: int | None) -> int | None:
    """None for a number that is no status, which a source may well send."""
    return number if number is not None and 100 <= number <= 599 else None


def _word(item: Value, rule: str) -> str:
    """What the rule says itself, or what stands where it points to."""
    return text_of(value_at(item, rule)) if rule.startswith("/") else rule


def _purpose(item: Value, envelope: Envelope) -> InboxMessage.Purpose:
    word = _word(item, envelope.purpose) or InboxMessage.Purpose.REFUSED.value
    try:
        return InboxMessage.Purpose(word)
    except ValueError:
        known = " or ".join(InboxMessage.Purpose.values)
        raise MessageRefused(
            f"“{word[:40]}” is no purpose of a message.", field="purpose", remedy=f"Have the source say {known}."
        ) from None


_WORDS: Final = frozenset({"purpose", "payload_media_type", "refusal_media_type"})
_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")


def faults_of(rule: object) -> list[str]:
    """What is wrong with a rule that somebody wrote, in words; nothing when it can be used."""
    if not isinstance(rule, dict):
        return ["The rule is a JSON object of names and JSON Pointers."]
    known = [field.name for field in fields(Envelope)]
    return [fault for name, value in rule.items() if (fault := _fault(name, value, known))]


def _fault(name: str, value: object, known: Sequence[str]) -> str:
    if name not in known:
        return f"There is no “{name}” in a rule. Known are {', '.join(known)}."
    if not isinstance(value, str):
        return f"“{name}” is not a text."
    if name in _WORDS and value and not value.startswith("/"):
        fits = value in InboxMessage.Purpose.values if name == "purpose" else _MEDIA_TYPE.fullmatch(value)
        return "" if fits else f"“{name}” is neither a JSON Pointer nor a word that is known here: {value}."
    return "" if re.fullmatch(POINTER, value) else f"“{name}” is not a JSON Pointer, such as /data/document: {value}."
