"""The official schemas of pain.001, from the package that carries them, and the grammar of payment files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final

from lxml import etree

from integrations.connectors.iso20022.names import STANDARD

VERSIONS: Final = ("pain.001.001.03", "pain.001.001.09", "pain.001.001.10", "pain.001.001.11")

_XSD: Final = "{http://www.w3.org/2001/XMLSchema}"


@dataclass(frozen=True, slots=True)
class Child:
    name: str  # local
    type_name: str
    repeats: bool


@dataclass(frozen=True, slots=True)
class PainSchema:
    """The content of every type, in the order of the schema: an element's place decides its type, not its name."""

    types: Mapping[str, tuple[Child, ...]]

    def at(self, names: Sequence[str]) -> Child | None:
        """The element that the names lead to, from Document on; None when there is no such way."""
        found: Child | None = None
        content: tuple[Child, ...] = (Child("Document", "Document", repeats=False),)
        for name in names:
            found = next((child for child in content if child.name == name), None)
            if found is None:
                return None
            content = self.types.get(found.type_name, ())
        return found

    def content(self, names: Sequence[str]) -> tuple[Child, ...]:
        """What may stand in the element that the names lead to."""
        found = self.at(names)
        return self.types.get(found.type_name, ()) if found is not None else ()


def schema_file(version: str) -> Path:
    """The schema of one version; found without importing the package: nothing of it is run."""
    spec = find_spec("sepaxml")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("The package sepaxml is not installed: it carries the official schemas.")
    return Path(spec.submodule_search_locations[0]) / "schemas" / f"{version}.xsd"


def nearest_version(name: str) -> str:
    """The newest version with a schema that is not newer than `name`, for the order of elements."""
    return max((version for version in VERSIONS if version <= name), default=VERSIONS[0])


@lru_cache(maxsize=len(VERSIONS))
def load_schema(version: str) -> PainSchema:
    """Read a schema file once per process (some 20 ms)."""
    root = _parse(version).getroot()
    types: dict[str, tuple[Child, ...]] = {}
    for node in root.iterchildren(f"{_XSD}complexType"):
        types[node.get("name", "")] = tuple(
            Child(child.get("name", ""), child.get("type", ""), child.get("maxOccurs", "1") != "1")
            for child in node.iter(f"{_XSD}element")
        )
    return PainSchema(MappingProxyType(types))


@lru_cache(maxsize=len(VERSIONS))
def load_validator(version: str) -> etree.XMLSchema:
    return etree.XMLSchema(_parse(version))


def _parse(version: str) -> etree._ElementTree:
    return etree.parse(str(schema_file(version)), etree.XMLParser(no_network=True, resolve_entities=False))


class PaymentGrammar:
    """Grammar of a payment file: one namespace for all, and the place of an element says what it may hold."""

    title = "pain.001"
    example = "/Document/CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf/CdtrAcct/Id/IBAN"
    markers: Mapping[str, str] = MappingProxyType({})

    def children(self, element: etree._Element) -> Sequence[str]:
        uri = etree.QName(element).namespace
        return tuple(f"{{{uri}}}{child.name}" if uri else child.name for child in _content(element))

    def is_group(self, parent: etree._Element, tag: str) -> bool:
        if parent.tag == tag and parent.getparent() is None:
            return True  # the document itself
        return bool(_schema_of(parent).content((*_names(parent), str(etree.QName(tag).localname))))

    def repeats(self, parent: etree._Element, tag: str) -> bool:
        name = etree.QName(tag).localname
        return any(child.repeats for child in _content(parent) if child.name == name)

    def qualify(self, local: str, parent_tag: str) -> str | None:
        uri = etree.QName(parent_tag).namespace
        return f"{{{uri}}}{local}" if uri else None

    def complete(self, element: etree._Element) -> None:
        """An amount has no default currency: the schema's check asks for it."""

    def finish(self, element: etree._Element) -> None:
        """Nothing goes without saying."""


PAIN: Final = PaymentGrammar()


def is_field(holder: etree._Element, path: str) -> bool:
    """Whether the schema of the document knows a plain field at this path of names below `holder`."""
    names = (*_names(holder), *path.partition("/@")[0].split("/"))
    schema = _schema_of(holder)
    return schema.at(names) is not None and not schema.content(names)


def _names(element: etree._Element) -> tuple[str, ...]:
    above = [str(etree.QName(node).localname) for node in element.iterancestors()]
    return (*reversed(above), str(etree.QName(element).localname))


def _schema_of(element: etree._Element) -> PainSchema:
    uri = str(etree.QName(element).namespace or "")
    return load_schema(nearest_version(uri.removeprefix(STANDARD)))


def _content(element: etree._Element) -> tuple[Child, ...]:
    return _schema_of(element).content(_names(element))
