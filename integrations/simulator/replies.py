"""What the simulator answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(status: int, content: Mapping[str, Any], **headers: str) -> Reply:
    body = json.dumps(content, sort_keys=True).encode()
    return Reply(status=status, body=body, headers={name.replace("_", "-"): text for name, text in headers.items()})


def problem(status: int, code: str, detail: str, **headers: str) -> Reply:
    return json_reply(status, {"code": code, "detail": detail}, **headers)


def xml_reply(status: int, body: bytes) -> Reply:
    return Reply(status=status, body=body, media_type="application/xml")
