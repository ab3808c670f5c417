"""Bytes of unknown making as text that is safe to read: nothing in it hides, moves or ends the text around it."""

import codecs
from dataclasses import dataclass

from exceptions_app.source_text import masked_text

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# Control characters as their pictures; characters that turn the direction of text as their numbers.
_SHOWN = (
    {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"}
    | {0x7F: "\N{SYMBOL FOR DELETE}"}
    | {code: f"[U+{code:04X}]" for code in (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The beginning of some content. `undecodable` when bytes had to be replaced."""

    text: str
    size: int
    cut: bool
    undecodable: bool


def excerpt(head: bytes, *, size: int) -> Excerpt:
    """`head` as text, masked for everybody; `size` is the whole length in bytes."""
    cut = size > len(head)
    bom, encoding = next(((bom, name) for bom, name in _BOMS if head.startswith(bom)), (b"", "utf-8"))
    # Not final when cut, so that half a character at the end is left out instead of being shown as damage.
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head[len(bom) :], final=not cut)
    plain = masked_text(text, whole=None if cut else head).replace("\r\n", "\n").translate(_SHOWN)
    return Excerpt(plain, size, cut, "\N{REPLACEMENT CHARACTER}" in plain)
