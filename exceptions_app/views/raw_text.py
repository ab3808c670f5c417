"""A payload as text in a form, and back, without changing a byte that nobody meant to change."""

import codecs
import re

from exceptions_app.views.json_layout import laid_out

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DECLARATION = re.compile(r"\s*<\?xml\s[^>]{0,200}?\bencoding\s*=\s*[\"']([A-Za-z][A-Za-z0-9._\-]{0,40})[\"']")


class NotText(ValueError):
    """The payload cannot be written as text, or the text not as a payload. The message says what to do."""


def as_text(payload: bytes) -> str:
    """The payload with plain line endings, as a form shows it; JSON on one line is laid out. Raises NotText."""
    bom, encoding = _encoding_of(payload)
    try:
        return laid_out(_plain(payload[len(bom) :].decode(encoding)))
    except (UnicodeDecodeError, LookupError):
        raise NotText(f"The document cannot be read as {encoding.upper()}. Download it to look at it.") from None


def as_payload(text: str, *, like: bytes) -> bytes:
    """The bytes of a text, in the encoding and with the line endings of the payload that it was made from.

    Raises NotText when the declared encoding lacks a character.
    """
    plain = _plain(text)
    if plain == as_text(like):
        return like
    bom, encoding = _encoding_of(like)
    if not bom:
        encoding = _declared(plain) or "utf-8"
    written = plain.replace("\n", "\r\n") if b"\r\n" in like else plain
    try:
        return bom + written.encode(encoding)
    except LookupError:
        raise NotText(f"The encoding {encoding} is not known. Declare UTF-8 in the first line.") from None
    except UnicodeEncodeError as error:
        character = plain[error.start : error.start + 1] if b"\r\n" not in like else error.object[error.start]
        raise NotText(
            f"The document declares {encoding.upper()}, which has no “{character}”. Declare UTF-8 in the first line."
        ) from None


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n")


def _encoding_of(payload: bytes) -> tuple[bytes, str]:
    for bom, encoding in _BOMS:
        if payload.startswith(bom):
            return bom, encoding
    return b"", _declared(payload[:400].decode("latin-1")) or "utf-8"


def _declared(text: str) -> str:
    found = _DECLARATION.match(text)
    return found[1].lower() if found else ""
