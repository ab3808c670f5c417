"""XML from outside, parsed without trusting it: no DOCTYPE, no entities, no network, bounded in size and depth.

libxml2 alone drops an external entity silently when entities are not resolved, so every DOCTYPE is refused.
"""

import re
from typing import Any, Final

from lxml import etree

MAX_BYTES: Final = 10 * 1024 * 1024
MAX_DEPTH: Final = 100

_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_UTF_32_BOMS: Final = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
_ENCODINGS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
_DECLARATION: Final = re.compile(r"\s*<\?xml\s[^>]{0,200}?\bencoding\s*=\s*[\"']([A-Za-z][A-Za-z0-9._\-]{0,40})[\"']")
_DECLARATION_WHOLE: Final = re.compile(r"^<\?xml\s[^>]{0,300}?\?>")
_TAG: Final = re.compile(r"<(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+>")
_PLACE: Final = re.compile(r"(?:\s*\(<?[^)]*>?, line \d+\)|, line \d+, column \d+)$")
_UNCLOSED: Final = (
    (
        re.compile(r"Opening and ending tag mismatch: (?P<name>\S+) line (?P<line>\d+) and (?P<end>\S+)"),
        "“{name}”{opened} is closed as “{end}”",
    ),
    (re.compile(r"Premature end of data in tag (?P<name>\S+) line (?P<line>\d+)"), "“{name}”{opened} is not closed"),
    (re.compile(r"Couldn't find end of Start Tag (?P<name>\S+) line (?P<line>\d+)"), "The tag “{name}” does not end"),
)
_OPAQUE: Final = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"))


class UnsafeXml(ValueError):
    """The bytes are not XML that we accept. `problem` says why, `remedy` what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy


def parse(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> etree._ElementTree:
    """Parse one XML document. `max_bytes` is in bytes, `max_depth` in nested elements; raises UnsafeXml."""
    if len(data) > max_bytes:
        raise UnsafeXml(
            f"The document has {len(data):,} bytes, more than the {max_bytes:,} that are accepted.",
            "Send attachments separately, or split the document.",
        )
    if not data.strip():
        raise UnsafeXml("The document is empty.", "Send the XML document as it went to the other system.")
    text = _decode(data)
    _scan(text, max_depth=max_depth)
    return _parse_text(text)


def _decode(data: bytes) -> str:
    if data.startswith(_UTF_32_BOMS):
        raise UnsafeXml("The document is encoded in UTF-32.", "Send it as UTF-8.")
    bom_encoding = next((encoding for bom, encoding in _BOMS if data.startswith(bom)), "")
    encoding = bom_encoding or _declared_encoding(data) or "utf-8"
    if not bom_encoding and encoding.startswith("utf-16"):
        raise UnsafeXml(
            "The document says that it is UTF-16 but does not start with a byte order mark.", "Send it as UTF-8."
        )
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UnsafeXml(
            f"The document is not valid {encoding.upper()}: byte {error.start} cannot be read.",
            "Save it in the encoding that its first line declares, best UTF-8.",
        ) from None
    if bom_encoding:
        _require_agreement(text, bom_encoding)
    return text


def _declared_encoding(data: bytes) -> str:
    if b"\x00" in data[:2]:
        raise UnsafeXml("The document contains NUL bytes or is UTF-16 without a byte order mark.", "Send it as UTF-8.")
    found = _DECLARATION.match(data[:400].decode("latin-1"))
    if found is None:
        return ""
    try:
        return _ENCODINGS[found[1].lower()]
    except KeyError:
        raise UnsafeXml(f"The encoding {found[1]} is not accepted.", "Save the document as UTF-8.") from None


def _require_agreement(text: str, bom_encoding: str) -> None:
    found = _DECLARATION.match(text[:400])
    if found is None:
        return
    declared = _ENCODINGS.get(found[1].lower(), found[1].lower())
    if declared != bom_encoding and not (declared == "utf-16" and bom_encoding.startswith("utf-16")):
        raise UnsafeXml(
            f"The document declares {found[1]} but is written in {bom_encoding.upper()}.",
            "Make the declared and the real encoding the same, best UTF-8.",
        )


def _scan(text: str, *, max_depth: int) -> None:
    """Refuse what no parser should have to look at, in one pass and without recursion."""
    if "\x00" in text:
        raise UnsafeXml("The document contains a NUL character.", "Remove it; XML does not allow it.")
    depth = position = 0
    while (position := text.find("<", position)) >= 0:
        closing = next((end for start, end in _OPAQUE if text.startswith(start, position)), None)
        if closing is not None:
            position = _skip(text, position, closing)
            continue
        if text.startswith("<!", position):
            raise UnsafeXml(
                "The document contains a DOCTYPE or entity declaration.",
                "Remove the DOCTYPE and write out what its entities stand for.",
            )
        tag = _TAG.match(text, position)
        if tag is None:
            raise UnsafeXml("The document ends inside a tag.", "Send it completely.")
        if text.startswith("</", position):
            depth -= 1
        elif not text.endswith("/>", position, tag.end()):
            depth += 1
        if depth > max_depth:
            raise UnsafeXml(
                f"The document is nested more than {max_depth} elements deep.", "Flatten it; no invoice is that deep."
            )
        position = tag.end()


def _skip(text: str, position: int, closing: str) -> int:
    if text.startswith("<?", position) and text[position + 2 : position + 17].lower().startswith("xml-stylesheet"):
        raise UnsafeXml(
            "The document contains an xml-stylesheet instruction, which would change what it means on screen.",
            "Remove the instruction and send the data alone.",
        )
    end = text.find(closing, position)
    if end < 0:
        raise UnsafeXml("The document ends inside a comment, CDATA section or instruction.", "Send it completely.")
    return end + len(closing)


def _parse_text(text: str) -> etree._ElementTree:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, strip_cdata=False, encoding="utf-8"
    )
    body = _DECLARATION_WHOLE.sub("", text.lstrip("\ufeff"), count=1)
    try:
        root = etree.fromstring(body.encode("utf-8"), parser)
    except etree.XMLSyntaxError as error:
        raise UnsafeXml(
            f"The document is not well-formed XML: {_reason(error)}",
            "Correct the markup at that place and send it again.",
        ) from None
    except (ValueError, UnicodeEncodeError):
        raise UnsafeXml("The document contains characters that XML does not allow.", "Remove them.") from None
    tree = root.getroottree()
    docinfo: Any = tree.docinfo  # its type information lacks most of it
    if docinfo.doctype or docinfo.internalDTD is not None:
        raise UnsafeXml("The document contains a DOCTYPE.", "Remove it.")
    if next(root.iter(etree.Entity), None) is not None:
        raise UnsafeXml("The document contains an entity reference.", "Write out what it stands for.")
    return tree


def _reason(error: etree.XMLSyntaxError) -> str:
    """What libxml2 objects to, with the place once; in its own words the line of an open tag comes twice."""
    said = _PLACE.sub("", str(error.msg or "it cannot be read")).rstrip(".")
    line, column = error.position
    return f"{_in_words(said, line)} (line {line}, column {column})."


def _in_words(said: str, line: int) -> str:
    for pattern, words in _UNCLOSED:
        if found := pattern.fullmatch(said):
            opened = "" if int(found["line"]) == line else f", opened in line {found['line']},"
            return words.format(**found.groupdict() | {"opened": opened})
    return said
