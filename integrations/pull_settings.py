"""The settings of a pull source: what there is for each kind, by default and at most, and what is wrong in words."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import jsonschema

_POINTER: Final = {
    "type": "string",
    "pattern": r"^(/([^~/]|~[01])*)*$",
    "says": "Write a JSON Pointer, such as /data/items.",
}
_ADDRESS: Final = {
    "type": "string",
    "pattern": r"^https?://[^\s@/?#]+(/[^\s#]*)?$",
    "maxLength": 2000,
    "says": "Write an address such as https://feed.example/items, without user, password and question mark.",
}
_PURPOSE: Final = {
    "type": "string",
    "pattern": r"^(refused|deliver)$",
    "says": "Write refused or deliver.",
}
_WORD: Final = {
    "type": "string",
    "pattern": r"^([A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+|(/([^~/]|~[01])*)+)$",
    "says": "Write a media type such as application/xml, or a JSON Pointer to it.",
}
_SECRET_NAMES: Final = re.compile(r"(?i)key$|token|secret|passw|auth|signature")
_KEPT_ELSEWHERE: Final = (
    "Secrets do not belong in the settings; write it into the secret and let it be sent by sign_in."
)

_REST: Final[Mapping[str, Any]] = {
    "url": _ADDRESS | {"pattern": r"^https?://[^\s@/?#]+(/[^\s?#]*)?$"},
    "parameters": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "maxProperties": 20,
        "says": 'Write names and texts, such as {"limit": "500"}.',
    },
    "sign_in": {"enum": ["bearer", "basic", "none"], "says": "Write bearer, basic or none."},
    "user": {"type": "string", "minLength": 1, "maxLength": 200, "says": "Write the user for sign_in basic."},
    "cursor_parameter": {"type": "string", "minLength": 1, "maxLength": 100, "says": "Write the name in the query."},
    "start": {"type": "string", "maxLength": 1000, "says": "Write the cursor to begin with, as text."},
    "items": _POINTER,
    "next_cursor": _POINTER,
    "item_cursor": _POINTER,
    "id": _POINTER,
    "payload": _POINTER,
    "refusal": _POINTER,
    "payload_media_type": _WORD,
    "refusal_media_type": _WORD,
    "refusal_status": _POINTER,
    "ordering_key": _POINTER,
    "purpose": {
        "type": "string",
        "pattern": r"^(refused|deliver|(/([^~/]|~[01])*)+)$",
        "says": "Write refused, deliver, or a JSON Pointer to one of these words.",
    },
    "sequence": _POINTER,
    "first_sequence": {"type": "integer", "minimum": 0, "maximum": 10**17, "says": "Write the first number there is."},
    "gap_url": _ADDRESS
    | {
        "pattern": r"^https?://[^\s@/?#{}]+/(?=[^\s#]*\{first\})(?=[^\s#]*\{last\})[^\s#]*$",
        "says": "Write an address with {first} and {last}, such as https://feed.example/items?from={first}&to={last}.",
    },
    "gap_minutes": {"type": "integer", "minimum": 1, "maximum": 43_200, "says": "Write minutes, from 1 to 43200."},
    "page_bytes": {
        "type": "integer",
        "minimum": 1_000,
        "maximum": 10_000_000,
        "says": "Write bytes, from 1000 to 10000000.",
    },
    "pages": {"type": "integer", "minimum": 1, "maximum": 1_000, "says": "Write a number from 1 to 1000."},
}
_SFTP: Final[Mapping[str, Any]] = {
    "host": {
        "type": "string",
        "pattern": r"^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$",
        "maxLength": 253,
        "says": "Write the name or address of the server alone, such as sftp.bank.example.",
    },
    "port": {"type": "integer", "minimum": 1, "maximum": 65_535, "says": "Write a number from 1 to 65535."},
    "user": {"type": "string", "minLength": 1, "maxLength": 200, "says": "Write the user to sign in as."},
    "sign_in": {"enum": ["password", "key"], "says": "Write password or key."},
    "host_keys": {
        "type": "array",
        "items": {"type": "string", "pattern": r"^SHA256:[A-Za-z0-9+/]{43}=?$"},
        "minItems": 1,
        "maxItems": 5,
        "says": "List the fingerprints of the server's key, such as SHA256:… as ssh-keygen -l prints them.",
    },
    "folder": {
        "type": "string",
        "pattern": r"^(?!.*(^|/)\.\.(/|$))[^\x00-\x1f]+$",
        "maxLength": 400,
        "says": "Write the folder on the server, such as /outgoing, without ...",
    },
    "afterwards": {"enum": ["done", "delete", "leave"], "says": "Write done, delete or leave."},
    "purpose": _PURPOSE,
    "quiet_seconds": {"type": "integer", "minimum": 0, "maximum": 3_600, "says": "Write seconds, from 0 to 3600."},
    "overdue_minutes": {"type": "integer", "minimum": 1, "maximum": 43_200, "says": "Write minutes, from 1 to 43200."},
    "files": {"type": "integer", "minimum": 1, "maximum": 1_000, "says": "Write a number from 1 to 1000."},
}
SFTP_SERVER: Final = {name: _SFTP[name] for name in ("host", "port", "user", "sign_in", "host_keys", "folder")}
"""What says where a server is, and how one signs in to it."""
_PROPERTIES: Final[Mapping[str, Mapping[str, Any]]] = {"rest": _REST, "sftp": _SFTP}
_REQUIRED: Final = {"rest": ["url"], "sftp": ["host", "user", "folder", "host_keys"]}


class SettingsRefused(ValueError):
    """Settings that cannot be used; `faults` says of each what is wrong."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(" ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class RestSettings:
    """A feed that is read page by page. From `id` to `ordering_key` as in `envelope.Envelope`; sizes in bytes."""

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    sign_in: str = "bearer"
    user: str = ""
    cursor_parameter: str = "cursor"
    start: str = ""
    items: str = "/items"
    next_cursor: str = "/next_cursor"
    item_cursor: str = ""
    id: str = "/id"
    payload: str = "/payload"
    refusal: str = "/refusal"
    purpose: str = "refused"
    payload_media_type: str = ""
    refusal_media_type: str = ""
    refusal_status: str = ""
    ordering_key: str = ""
    sequence: str = ""
    first_sequence: int | None = None
    gap_url: str = ""
    gap_minutes: int = 60
    page_bytes: int = 5_000_000
    pages: int = 100

    @property
    def needs_secret(self) -> str:
        """What the secret is; empty when there is none."""
        return {"bearer": "token", "basic": "password"}.get(self.sign_in, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpSettings:
    """A folder on a server. `afterwards`: what becomes of a file once its message is durable."""

    host: str
    user: str
    folder: str
    host_keys: tuple[str, ...]
    port: int = 22
    sign_in: str = "password"
    afterwards: str = "done"
    purpose: str = "refused"
    quiet_seconds: int = 5
    overdue_minutes: int = 60
    files: int = 200

    NAMES: ClassVar = {"password": "password", "key": "private key"}

    @property
    def needs_secret(self) -> str:
        """What the secret is."""
        return str(self.NAMES[self.sign_in])


def read_settings(kind: str, given: object) -> RestSettings | SftpSettings:
    """The settings with their defaults. Raises SettingsRefused with every fault."""
    if kind not in _PROPERTIES:
        raise SettingsRefused([f"There is no kind “{kind}”; write sftp or rest."])
    faults = list(_faults(kind, given))
    if faults or not isinstance(given, dict):
        raise SettingsRefused(faults)
    if kind == "rest":
        return RestSettings(**given)
    return SftpSettings(**given | {"host_keys": tuple(given["host_keys"])})


def _faults(kind: str, given: object) -> Iterator[str]:
    yield from faults_of(given, _PROPERTIES[kind], _REQUIRED[kind], example='{"url": "https://feed.example/items"}')
    if kind == "rest" and isinstance(given, dict):
        yield from _faults_between(given)


def faults_of(given: object, properties: Mapping[str, Any], required: Sequence[str], *, example: str) -> Iterator[str]:
    """What is wrong with settings, each fault in words: of each property `says` what to write."""
    schema = {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }
    for error in jsonschema.Draft202012Validator(schema).iter_errors(given):
        yield from _in_words(error, properties, required, example)


def _in_words(
    error: jsonschema.ValidationError, known: Mapping[str, Any], required: Sequence[str], example: str
) -> Iterator[str]:
    place = list(error.absolute_path)
    if place:
        name = str(place[0])
        yield f"{name}: {known[name]['says']}"
    elif error.validator == "required":
        missing = next(name for name in required if f"'{name}'" in error.message)
        yield f"{missing}: this is missing. {known[missing]['says']}"
    elif error.validator == "additionalProperties" and isinstance(error.instance, dict):
        for name in sorted(set(error.instance) - set(known)):
            yield f"{name}: there is no such setting. Those of this kind are {', '.join(known)}."
    else:
        yield f"Write an object with the settings, such as {example}."


def _faults_between(given: Mapping[str, Any]) -> Iterator[str]:
    """What no single field shows."""
    if given.get("sign_in") == "basic" and not given.get("user"):
        yield "user: this is missing. Write the user for sign_in basic."
    if given.get("item_cursor") and given.get("next_cursor"):
        yield "item_cursor: give this or next_cursor, not both."
    if not given.get("sequence"):
        for name in sorted({"first_sequence", "gap_url", "gap_minutes"} & given.keys()):
            yield f"{name}: this needs sequence, the pointer to the number of an item."
    parameters = given.get("parameters")
    names = [str(name) for name in parameters] if isinstance(parameters, dict) else []
    if any(_SECRET_NAMES.search(name) for name in names):
        yield f"parameters: {_KEPT_ELSEWHERE}"
    if given.get("cursor_parameter", "cursor") in names:
        yield "parameters: the cursor has a field of its own, cursor_parameter, and start for its first value."
