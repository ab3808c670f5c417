"""The settings of an archive: what there is for each kind, and what is wrong in words."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from integrations.pull_settings import SFTP_SERVER, SettingsRefused, SftpSettings, faults_of

_FOLDER: Final = {
    "folder": {
        "type": "string",
        "pattern": r"^(?!/)(?!.*(^|/)\.\.?(/|$))[^\x00-\x1f\\]+\Z",
        "maxLength": 400,
        "says": "Write a folder below the one of WB_ARCHIVE_FOLDER, such as evidence, without a leading / and ...",
    }
}
# Nothing that would have to be escaped: what is signed is what is sent.
_ADDRESS: Final = r"^https?://[A-Za-z0-9.:\[\]-]+(/(?!\.\.?(/|$))[A-Za-z0-9._-]+)*/?\Z"
_WRITE_ADDRESS: Final = (
    "Write the address of the store without the bucket, such as https://s3.eu-central-1.amazonaws.com."
)
_S3: Final = {
    "endpoint": {"type": "string", "pattern": _ADDRESS, "maxLength": 400, "says": _WRITE_ADDRESS},
    "bucket": {
        "type": "string",
        "pattern": r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z",
        "says": "Write the name of the bucket: 3 to 63 small letters, digits, full stops and hyphens.",
    },
    "access_key": {
        "type": "string",
        "pattern": r"^[!-+\-.0-~]+\Z",
        "maxLength": 200,
        "says": "Write the ID of the access key; its secret key is the secret.",
    },
    "region": {
        "type": "string",
        "pattern": r"^[A-Za-z0-9-]+\Z",
        "maxLength": 50,
        "says": "Write the region of the bucket, such as eu-central-1; a store that has none takes us-east-1.",
    },
    "folder": {
        "type": "string",
        "pattern": r"^(?!(.*/)?\.\.?(/|$))[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\Z",
        "maxLength": 400,
        "says": "Write a folder in the bucket, such as finance/evidence: letters, digits, full stops, _ and -, without "
        "a / at the beginning or the end.",
    },
    "lock_days": {"type": "integer", "minimum": 1, "maximum": 36_500, "says": "Write days, from 1 to 36500."},
    "lock_mode": {"enum": ["GOVERNANCE", "COMPLIANCE"], "says": "Write GOVERNANCE or COMPLIANCE."},
}
_KINDS: Final[dict[str, tuple[dict[str, Any], list[str], str]]] = {
    "folder": (_FOLDER, ["folder"], '{"folder": "evidence"}'),
    "sftp": (
        SFTP_SERVER,
        ["host", "user", "folder", "host_keys"],
        '{"host": "archive.example", "user": "us", "folder": "/evidence", "host_keys": ["SHA256:…"]}',
    ),
    "s3": (
        _S3,
        ["endpoint", "bucket", "access_key"],
        '{"endpoint": "https://s3.example", "region": "eu-central-1", "bucket": "evidence", "access_key": "AKIA…"}',
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSettings:
    """A folder below the one that the installation allows."""

    folder: str
    needs_secret = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """A bucket, which is named in the path. `lock_days`: for how long what is put there can be changed by nobody."""

    endpoint: str
    bucket: str
    access_key: str
    region: str = "us-east-1"
    folder: str = ""
    lock_days: int = 0
    lock_mode: str = "GOVERNANCE"
    needs_secret = "secret key"  # noqa: S105 - what it is called

    @property
    def address(self) -> str:
        return f"{self.endpoint.rstrip('/')}/{self.bucket}"


def read_archive_settings(kind: str, given: object) -> FolderSettings | SftpSettings | S3Settings:
    """The settings with their defaults. Raises SettingsRefused with every fault."""
    if kind not in _KINDS:
        raise SettingsRefused([f"There is no kind “{kind}”; write {' or '.join(_KINDS)}."])
    properties, required, example = _KINDS[kind]
    faults = [*faults_of(given, properties, required, example=example), *_faults_between(given)]
    if faults or not isinstance(given, dict):
        raise SettingsRefused(faults)
    if kind == "folder":
        return FolderSettings(**given)
    if kind == "s3":
        return S3Settings(**given)
    return SftpSettings(**given | {"host_keys": tuple(given["host_keys"])})


def _faults_between(given: object) -> Iterator[str]:
    """What no single field shows, and no pattern."""
    if not isinstance(given, Mapping):
        return
    if "lock_mode" in given and "lock_days" not in given:
        yield "lock_days: this is missing. Write for how many days lock_mode counts."
    endpoint = given.get("endpoint")
    if isinstance(endpoint, str) and re.match(_ADDRESS, endpoint) and not _names_a_host(endpoint):
        yield f"endpoint: {_WRITE_ADDRESS}"


def _names_a_host(address: str) -> bool:
    """Whether it can be taken apart, with a port that there is."""
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
