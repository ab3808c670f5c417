"""CloudEvents 1.0 over HTTP (https://github.com/cloudevents/spec): one event as JSON, several, or one in headers."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from django.utils.dateparse import parse_datetime

from integrations.connectors.json_document.tree import Kind, Value

STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
VERSION_HEADER: Final = "ce-specversion"
_VERSION: Final = "1.0"
_REQUIRED: Final = ("id", "source", "type")
_NAME: Final = re.compile(r"[a-z0-9]{1,40}")
_MOST_ATTRIBUTES: Final = 50
_LONGEST: Final = 2000  # characters of an attribute
_LONGEST_IDENTIFIER: Final = 200
_DATA: Final = frozenset({"data", "data_base64"})
_JSON: Final = re.compile(r"application/json|[^;\s]+/[^;\s]+\+json")


class NotACloudEvent(ValueError):
    """`attribute` is the one at fault, empty for the event as a whole."""

    def __init__(self, problem: str, *, attribute: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.attribute = attribute
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudEvent:
    """`data` as it was written, byte for byte; `attributes` are all of them, extensions too."""

    attributes: Mapping[str, str]
    data: bytes
    media_type: str
    in_headers: bool = field(default=False)

    @property
    def external_id(self) -> str:
        """Source and id are unique together. A source has no blank in it, so no two pairs read the same."""
        plain = f"{self.attributes['source']} {self.attributes['id']}"
        if len(plain) <= _LONGEST_IDENTIFIER:
            return plain
        return f"{self.attributes['id'][:100]} {hashlib.sha256(plain.encode()).hexdigest()}"

    @property
    def ordering_key(self) -> str:
        """By the extension for it, else by what the event is about."""
        key = self.attributes.get("partitionkey") or self.attributes.get("subject", "")
        return key if len(key) <= _LONGEST_IDENTIFIER else hashlib.sha256(key.encode()).hexdigest()


def event_in_document(item: Value) -> CloudEvent:
    """The event that a JSON object is. Raises NotACloudEvent."""
    if item.kind is not Kind.OBJECT:
        raise NotACloudEvent("The event is no JSON object.", attribute="", remedy="Send an object with its attributes.")
    written = {entry.key: entry.value for entry in item.entries if not entry.value.is_null}
    attributes = {}
    for name, value in written.items():
        if name in _DATA:
            continue
        if value.kind in (Kind.OBJECT, Kind.LIST):
            raise NotACloudEvent(
                f"The attribute “{name[:40]}” is no text.", attribute=name, remedy="Put what is nested into data."
            )
        attributes[name] = value.text
    _check(attributes)
    media_type = attributes.get("datacontenttype") or "application/json"
    return CloudEvent(attributes=attributes, data=_data(written, media_type), media_type=media_type)


def event_in_headers(headers: Mapping[str, str], body: bytes, media_type: str) -> CloudEvent:
    """The event whose attributes are the headers `ce-…` and whose data is the body. Raises NotACloudEvent."""
    attributes = {
        name.lower().removeprefix("ce-"): _decoded(name, value)
        for name, value in headers.items()
        if name.lower().startswith("ce-")
    }
    _check(attributes)
    if media_type:
        attributes["datacontenttype"] = media_type
    return CloudEvent(attributes=attributes, data=body, media_type=media_type, in_headers=True)


def is_json(media_type: str) -> bool:
    return _JSON.match(media_type.strip().lower()) is not None


def _decoded(name: str, value: str) -> str:
    """Percent-encoded where it is not plain ASCII."""
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise NotACloudEvent(
            f"The header {name} is not percent-encoded UTF-8.", attribute=name, remedy="Encode it as UTF-8."
        ) from None


def _check(attributes: Mapping[str, str]) -> None:
    if attributes.get("specversion") != _VERSION:
        raise NotACloudEvent(
            f"The version of the specification is “{attributes.get('specversion', '')[:20]}”.",
            attribute="specversion",
            remedy=f"Send events of version {_VERSION}.",
        )
    if len(attributes) > _MOST_ATTRIBUTES:
        raise NotACloudEvent(
            f"The event has {len(attributes)} attributes.", attribute="", remedy=f"Send at most {_MOST_ATTRIBUTES}."
        )
    for name in _REQUIRED:
        if not attributes.get(name, "").strip():
            raise NotACloudEvent(f"The event has no {name}.", attribute=name, remedy="Send it; it is never empty.")
    for name, value in attributes.items():
        if not _NAME.fullmatch(name):
            raise NotACloudEvent(
                f"“{name[:40]}” is no name of an attribute.", attribute=name, remedy="Use small letters and digits."
            )
        if len(value) > _LONGEST or not value.isprintable():
            raise NotACloudEvent(
                f"The attribute {name} cannot be used.",
                attribute=name,
                remedy=f"Send up to {_LONGEST:,} printable characters.",
            )
    if " " in attributes["source"]:
        raise NotACloudEvent(
            "The source is no URI reference.", attribute="source", remedy="Send it without blanks, percent-encoded."
        )
    _check_time(attributes.get("time"))


def _check_time(written: str | None) -> None:
    if written is None:
        return
    try:
        moment = parse_datetime(written)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise NotACloudEvent(
            "The time is not one after RFC 3339.", attribute="time", remedy="Send it with its offset from UTC."
        )


def _data(written: Mapping[str, Any], media_type: str) -> bytes:
    if "data" in written and "data_base64" in written:
        raise NotACloudEvent("The event has its data twice.", attribute="data", remedy="Send data or data_base64.")
    if "data_base64" in written:
        try:
            return base64.b64decode(written["data_base64"].text, validate=True)
        except (binascii.Error, ValueError):
            raise NotACloudEvent(
                "The data are not base64.", attribute="data_base64", remedy="Send RFC 4648 section 4, with padding."
            ) from None
    if "data" not in written:
        return b""
    data: Value = written["data"]
    return (data.json if is_json(media_type) or data.kind is not Kind.TEXT else data.text).encode()
