"""A small, safe part of XPath: enough to name one place in a document, with no functions that compute or fetch.

Understood are prefixed and plain names (`/ubl:Invoice/cbc:ID`, `/Invoice/ID`), SVRL's own notation
(`/*:Invoice[namespace-uri()='…'][1]`), `Q{uri}name`, `*[local-name()='…']`, positions, equality with a literal
(`cac:PartyTaxScheme[cac:TaxScheme/cbc:ID='VAT']`), a closing `@attribute`, and `//` where it leads to one place.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from integrations.connectors.xml_document.namespaces import PREFIX_OF, PREFIXES, UNPREFIXED

MAX_LENGTH: Final = 2000

_NAME: Final = r"[A-Za-z_][\w.\-]*"
_NAME_TEST: Final = re.compile(
    rf"(?:(?P<any>\*):|(?P<prefix>{_NAME}):|Q?\{{(?P<uri>[^{{}}]*)\}})?(?P<local>{_NAME}|\*)(?![\w(])"
)
_ATTRIBUTE: Final = re.compile(
    rf"@(?:(?:{_NAME}:|Q\{{[^{{}}]*\}})?(?P<name>{_NAME})|\*\[local-name\(\)\s*=\s*['\"](?P<local>{_NAME})['\"][^\[\]]*\])$"
)
_LITERAL: Final = r"(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<number>-?\d+(?:\.\d+)?))"
_NAME_CONDITION: Final = re.compile(rf"(?P<function>local-name|namespace-uri|name)\(\s*\.?\s*\)\s*=\s*{_LITERAL}")
_POSITION: Final = re.compile(r"(?:position\(\)\s*=\s*)?(?P<number>[1-9]\d{0,6})$")
_EQUALITY: Final = re.compile(
    rf"(?:normalize-space\(\s*(?P<wrapped>[\w:./*@\-]+)\s*\)|(?P<plain>[\w:./*@\-]+))\s*=\s*{_LITERAL}"
)
_AND: Final = re.compile(r"\s+and\s+")
_STRING_VALUE: Final = etree.XPath("string()")


class PathError(ValueError):
    """The text is not a path that we understand."""


@dataclass(frozen=True, slots=True)
class Equality:
    """`steps` (or the element itself when empty), then `attribute` if any, has the text `literal`."""

    steps: tuple["Step", ...]
    attribute: str
    literal: str


@dataclass(frozen=True, slots=True)
class Step:
    local: str  # "*" for any
    uris: frozenset[str] = frozenset()  # empty for any namespace
    descendant: bool = False
    position: int | None = None
    equalities: tuple[Equality, ...] = ()
    text: str = field(default="", compare=False)

    def names(self, element: etree._Element) -> bool:
        tag = etree.QName(element)
        return self.local in ("*", tag.localname) and (not self.uris or (tag.namespace or "") in self.uris)


@dataclass(frozen=True, slots=True)
class Path:
    steps: tuple[Step, ...]
    absolute: bool
    attribute: str = ""
    text: str = field(default="", compare=False)


def parse_path(text: str, root: etree._Element | None = None) -> Path:
    """Read a path. Prefixes mean what the document `root` says, or the usual ones; raises PathError."""
    stripped = text.strip()
    if not stripped or len(stripped) > MAX_LENGTH:
        raise PathError("A path is empty or too long.")
    parts = list(_split(stripped, "/"))
    absolute = parts[0] == ""
    if absolute:
        parts = parts[1:]
    attribute = ""
    if parts and (found := _ATTRIBUTE.match(parts[-1].strip())):
        attribute, parts = found["name"] or found["local"], parts[:-1]
    elif parts and parts[-1].strip() == "text()":
        parts = parts[:-1]
    nsmap = _prefixes(root)
    steps: list[Step] = []
    descendant = False
    for part in parts:
        if part.strip() == "" and not descendant:
            descendant = True
        elif part.strip() != "." or descendant:
            steps.append(_parse_step(part.strip(), descendant=descendant, nsmap=nsmap))
            descendant = False
    if descendant or (not steps and absolute):
        raise PathError(f"{text!r} does not name a place.")
    return Path(steps=tuple(steps), absolute=absolute, attribute=attribute, text=stripped)


def _prefixes(root: etree._Element | None) -> dict[str, frozenset[str]]:
    known = {prefix: {uri} for prefix, uri in PREFIXES.items()}
    for prefix, uri in (root.nsmap if root is not None else {}).items():
        if prefix:
            known.setdefault(prefix, set()).add(uri)
    return {prefix: frozenset(uris) for prefix, uris in known.items()}


def _split(text: str, mark: str) -> Iterator[str]:
    """Split outside of predicates, quotes and braces."""
    depth, quote, start = 0, "", 0
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
        elif character == mark and depth == 0:
            yield text[start:index]
            start = index + 1
    if depth or quote:
        raise PathError(f"{text!r} has an unclosed bracket or quote.")
    yield text[start:]


def _parse_step(text: str, *, descendant: bool, nsmap: dict[str, frozenset[str]]) -> Step:
    text = text.removeprefix("child::")
    found = _NAME_TEST.match(text)
    if found is None:
        raise PathError(f"{text!r} is not a step that is understood here.")
    local, uris = found["local"], frozenset[str]()
    if found["uri"] is not None:
        uris = frozenset({found["uri"]})
    elif found["prefix"]:
        uris = nsmap.get(found["prefix"], frozenset())
    position: int | None = None
    equalities: list[Equality] = []
    for condition in _conditions(text[found.end() :]):
        if at := _POSITION.fullmatch(condition):
            position = int(at["number"])
        elif name := _NAME_CONDITION.fullmatch(condition):
            literal = _literal(name)
            if name["function"] == "namespace-uri":
                uris = frozenset({literal})
            else:
                local = literal.rpartition(":")[2]
        elif position is not None:
            raise PathError(f"In {text!r} the position must come after the other conditions.")
        else:
            equalities.append(_parse_equality(condition, nsmap))
    return Step(local, uris, descendant, position, tuple(equalities), text)


def _conditions(text: str) -> Iterator[str]:
    rest = text.strip()
    while rest:
        if not rest.startswith("["):
            raise PathError(f"{text!r} is not understood here.")
        end = _closing(rest)
        yield from (part.strip() for part in _AND.split(rest[1:end]))
        rest = rest[end + 1 :].strip()


def _closing(text: str) -> int:
    quote = ""
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "]":
            return index
    raise PathError(f"{text!r} has an unclosed bracket.")


def _parse_equality(condition: str, nsmap: dict[str, frozenset[str]]) -> Equality:
    found = _EQUALITY.fullmatch(condition)
    if found is None:
        raise PathError(f"The condition [{condition}] is not understood here.")
    where = found["wrapped"] or found["plain"]
    parts = where.removesuffix("/text()").split("/")
    attribute = ""
    if at := _ATTRIBUTE.match(parts[-1]):
        attribute, parts = at["name"] or at["local"], parts[:-1]
    steps = tuple(_parse_step(part, descendant=False, nsmap=nsmap) for part in parts if part not in (".", ""))
    return Equality(steps, attribute, _literal(found))


def _literal(found: re.Match[str]) -> str:
    return next(value for value in (found["single"], found["double"], found["number"]) if value is not None)


def elements_at(steps: Sequence[Step], start: etree._Element) -> list[etree._Element]:
    """All elements that the steps lead to from `start`."""
    current = [start]
    for step in steps:
        current = [child for parent in current for child in _matching(step, parent)]
    return current


def find_elements(path: Path, root: etree._Element) -> list[etree._Element]:
    """All elements that a path names; an absolute path begins with the root element, a relative one below it."""
    if not path.absolute:
        return elements_at(path.steps, root)
    first, *rest = path.steps
    if first.descendant:
        return list(dict.fromkeys(found for node in _roots(first, root) for found in elements_at(rest, node)))
    if first.position in (None, 1) and first.names(root) and _holds(first, root):
        return elements_at(rest, root)
    return []


def _roots(first: Step, root: etree._Element) -> list[etree._Element]:
    nodes = [node for node in root.iter("*") if first.names(node) and _holds(first, node)]
    return nodes if first.position is None else nodes[first.position - 1 : first.position]


def _matching(step: Step, parent: etree._Element) -> list[etree._Element]:
    nodes = parent.iterdescendants("*") if step.descendant else parent.iterchildren("*")
    found = [node for node in nodes if step.names(node) and _holds(step, node)]
    return found if step.position is None else found[step.position - 1 : step.position]


def _holds(step: Step, node: etree._Element) -> bool:
    return all(_equals(equality, node) for equality in step.equalities)


def _equals(equality: Equality, node: etree._Element) -> bool:
    for target in elements_at(equality.steps, node):
        value = target.get(equality.attribute) if equality.attribute else text_of(target)
        if value is not None and _same(value.strip(), equality.literal):
            return True
    return False


def _same(value: str, literal: str) -> bool:
    # The standard's own rules compare the tax scheme without regard to case.
    return value == literal or (literal == "VAT" and value.upper() == "VAT")


def text_of(element: etree._Element) -> str:
    """The text of an element as it stands, without comments and instructions inside it."""
    if len(element) == 0:
        return element.text or ""
    return str(_STRING_VALUE(element))


def canonical(element: etree._Element, attribute: str = "") -> str:
    """The one path that we write for an element: usual prefixes, a position only where siblings share the name."""
    steps: list[str] = []
    node: etree._Element | None = element
    while node is not None:
        parent = node.getparent()
        steps.append(short_name(node) + _position(node, parent))
        node = parent
    return "/" + "/".join(reversed(steps)) + (f"/@{attribute}" if attribute else "")


def short_name(element: etree._Element) -> str:
    """The name of an element with our own prefix for its namespace."""
    return short_name_of(element.tag)


def short_name_of(name: str) -> str:
    """The same for a full name, {uri}local."""
    tag = etree.QName(name)
    namespace = tag.namespace or ""
    if namespace.startswith(UNPREFIXED):
        return tag.localname
    prefix = PREFIX_OF.get(namespace)
    return f"{prefix}:{tag.localname}" if prefix else f"Q{{{namespace}}}{tag.localname}"


def _position(element: etree._Element, parent: etree._Element | None) -> str:
    if parent is None:
        return ""
    same = list(parent.iterchildren(element.tag))
    return f"[{same.index(element) + 1}]" if len(same) > 1 else ""
