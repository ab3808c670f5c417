"""Which files may be put beside an exception: by the ending of their name, by what they begin with, and by their size.

What a browser says about a file is not believed. Nothing here is shown in a page: files are handed out to be saved.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType

from exceptions_app.wording import say

LARGEST_FILE = 5_000_000  # bytes
LONGEST_NAME = 200
TOO_LARGE = say("The file is larger than {most} MB. Attach the part that matters.", most=LARGEST_FILE // 1_000_000)


@dataclass(frozen=True, slots=True)
class _FileType:
    media_type: str
    fits: Callable[[bytes], bool]


def _begins(*signs: bytes) -> Callable[[bytes], bool]:
    return lambda content: content.startswith(signs)


def _is_text(content: bytes) -> bool:
    return b"\x00" not in content


_OFFICE = "application/vnd.openxmlformats-officedocument"
_TYPES: Mapping[str, _FileType] = MappingProxyType(
    {
        ".pdf": _FileType("application/pdf", _begins(b"%PDF-")),
        ".png": _FileType("image/png", _begins(b"\x89PNG\r\n\x1a\n")),
        ".jpg": _FileType("image/jpeg", _begins(b"\xff\xd8\xff")),
        ".jpeg": _FileType("image/jpeg", _begins(b"\xff\xd8\xff")),
        ".txt": _FileType("text/plain", _is_text),
        ".csv": _FileType("text/csv", _is_text),
        ".xml": _FileType("application/xml", _is_text),
        ".json": _FileType("application/json", _is_text),
        ".eml": _FileType("message/rfc822", _is_text),
        ".docx": _FileType(f"{_OFFICE}.wordprocessingml.document", _begins(b"PK\x03\x04")),
        ".xlsx": _FileType(f"{_OFFICE}.spreadsheetml.sheet", _begins(b"PK\x03\x04")),
    }
)
ENDINGS = ", ".join(sorted(ending.removeprefix(".") for ending in _TYPES))


class FileRefused(ValueError):
    """The message says what is wrong with the file and what would do."""


def media_type_of(name: str, content: bytes) -> str:
    """The media type under which the file is kept. Raises FileRefused."""
    if len(name) > LONGEST_NAME:
        raise FileRefused(f"The name of the file has more than {LONGEST_NAME} characters. Give it a shorter one.")
    if len(content) > LARGEST_FILE:
        raise FileRefused(TOO_LARGE)
    if not content:
        raise FileRefused("The file is empty.")
    ending = PurePath(name).suffix.lower()
    if ending not in _TYPES:
        raise FileRefused(f"A file of this kind cannot be attached. Possible are {ENDINGS}.")
    if not _TYPES[ending].fits(content):
        raise FileRefused(f"The content of the file is not what its name says ({ending}). Save it anew and try again.")
    return _TYPES[ending].media_type
