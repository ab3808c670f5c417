"""XML trees as documents: compared by content, taken apart without disturbing the lines, written back."""

import re
from copy import deepcopy
from typing import Final

from lxml import etree

from integrations.connectors.xml_document import paths
from integrations.safe_xml import parse

# Declaration, comments and instructions, then the start tag of the root.
_HEAD: Final = re.compile(
    r"(?P<before>(?:\s++|<\?.*?\?>|<!--.*?-->)*+)(?P<tag><(?P<name>[^\s/>!?]++)(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+>)",
    re.DOTALL,
)
_AFTER_ROOT: Final = re.compile(r"(?:\s++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
_UTF_8_DECLARED: Final = re.compile(
    r"\s*<\?xml(?![^>]*encoding)|\s*<\?xml[^>]*encoding\s*=\s*[\"']utf-?8[\"']", re.IGNORECASE
)
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


def serialise(tree: etree._ElementTree, original: bytes) -> bytes:
    """The document in UTF-8. Up to the start tag of the root, and after its end, it stays as the original wrote it."""
    body = str(etree.tostring(tree.getroot(), encoding="unicode", with_tail=False))
    try:
        text = original.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    before, after = _HEAD.match(text.removeprefix("\ufeff")), _HEAD.match(body)
    if before is None or after is None or (before["before"].strip() and not _is_utf_8(before["before"])):
        return (_DECLARATION + body + "\n").encode()
    if _same_start(before, tree.getroot()):
        body = before["tag"] + body[after.end() :]
    rest = text.rpartition(f"</{before['name']}>")[2]
    end = rest if _AFTER_ROOT.fullmatch(rest) else "\n"
    return (before["before"] + body + end).encode()


def _is_utf_8(before: str) -> bool:
    return _UTF_8_DECLARED.match(before) is not None or not before.lstrip().startswith("<?xml")


def _same_start(head: re.Match[str], root: etree._Element) -> bool:
    """Whether the original start tag still says what the root says."""
    if head["tag"].endswith("/>") or next(iter(root), None) is None:
        return False
    start = parse(f"{head['tag']}</{head['name']}>".encode()).getroot()
    return start.nsmap == root.nsmap and sorted(start.attrib.items()) == sorted(root.attrib.items())


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
