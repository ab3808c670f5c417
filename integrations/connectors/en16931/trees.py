"""XML trees as documents: compared by content, taken apart without disturbing the lines, written back."""

import re
from copy import deepcopy
from typing import Final

from lxml import etree

from integrations.connectors.en16931 import paths

_DECLARATION: Final = re.compile(rb"^(<\?xml\s[^>]{0,300}?\?>)(\r?\n)?")
_UTF_8: Final = re.compile(rb"encoding\s*=\s*[\"']utf-?8[\"']", re.IGNORECASE)
_OWN_DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'


def serialise(tree: etree._ElementTree, original: bytes) -> bytes:
    """The document in UTF-8, with the declaration that the original had."""
    body = etree.tostring(tree, encoding="UTF-8", xml_declaration=False)
    plain = original.removeprefix(b"\xef\xbb\xbf")
    found = _DECLARATION.match(plain)
    if found is None:
        declaration = b"" if plain.lstrip()[:1] == b"<" else _OWN_DECLARATION
    elif _UTF_8.search(found[1]):
        declaration = found[1] + (b"\n" if found[2] else b"")
    else:
        declaration = _OWN_DECLARATION
    return declaration + body + (b"\n" if original.endswith(b"\n") else b"")


def same_content(one: etree._Element, other: etree._Element) -> bool:
    """Whether two elements say the same; comments, prefixes and white space around elements say nothing."""
    if one.tag != other.tag or sorted(one.attrib.items()) != sorted(other.attrib.items()):
        return False
    ones, others = list(one.iterchildren("*")), list(other.iterchildren("*"))
    if len(ones) != len(others) or own_text(one) != own_text(other):
        return False
    return all(map(same_content, ones, others))


def own_text(element: etree._Element) -> str:
    """The text of a field as it stands; of an element with children only what is more than white space."""
    if next(element.iterchildren("*"), None) is None:
        return paths.text_of(element)
    pieces = [element.text or "", *(child.tail or "" for child in element)]
    return " ".join("".join(pieces).split())


def detach(element: etree._Element) -> None:
    """Take an element out of its parent, and leave the lines before and after as they were."""
    parent = element.getparent()
    if parent is None:
        return
    previous, following, after = element.getprevious(), element.getnext(), element.tail
    parent.remove(element)
    if previous is not None and following is None and not (previous.tail or "").strip():
        previous.tail = after
    elif previous is None and following is None and not (parent.text or "").strip():
        parent.text = None


def as_fragment(element: etree._Element) -> str:
    """An element as a piece of XML that declares only the namespaces it uses."""
    copy = deepcopy(element)
    copy.tail = None
    etree.cleanup_namespaces(copy)
    return str(etree.tostring(copy, encoding="unicode"))
