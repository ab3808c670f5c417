"""The settings of an archive: what there is for each kind, and what is wrong in words."""

from dataclasses import dataclass
from typing import Any, Final

from integrations.pull_settings import SFTP_SERVER, SettingsRefused, SftpSettings, faults_of

_FOLDER: Final = {
    "folder": {
        "type": "string",
        "pattern": r"^(?!/)(?!.*(^|/)\.\.?(/|$))[^\x00-\x1f\\]+$",
        "maxLength": 400,
        "says": "Write a folder below the one of WB_ARCHIVE_FOLDER, such as evidence, without a leading / and ...",
    }
}
_KINDS: Final[dict[str, tuple[dict[str, Any], list[str], str]]] = {
    "folder": (_FOLDER, ["folder"], '{"folder": "evidence"}'),
    "sftp": (
        SFTP_SERVER,
        ["host", "user", "folder", "host_keys"],
        '{"host": "archive.example", "user": "us", "folder": "/evidence", "host_keys": ["SHA256:…"]}',
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSettings:
    """A folder below the one that the installation allows."""

    folder: str
    needs_secret = ""


def read_archive_settings(kind: str, given: object) -> FolderSettings | SftpSettings:
    """The settings with their defaults. Raises SettingsRefused with every fault."""
    if kind not in _KINDS:
        raise SettingsRefused([f"There is no kind “{kind}”; write {' or '.join(_KINDS)}."])
    properties, required, example = _KINDS[kind]
    faults = list(faults_of(given, properties, required, example=example))
    if faults or not isinstance(given, dict):
        raise SettingsRefused(faults)
    if kind == "folder":
        return FolderSettings(**given)
    return SftpSettings(**given | {"host_keys": tuple(given["host_keys"])})
