"""Which message of ISO 20022 a document is, whatever prefix or national variant of the namespace it uses."""

import re
from dataclasses import dataclass
from typing import Final

from lxml import etree

from integrations.refusals import MessageNotUnderstood
from integrations.safe_xml import UnsafeXml, parse

STANDARD: Final = "urn:iso:std:iso:20022:tech:xsd:"
INITIATION: Final = "pain.001"
STATUS_REPORT: Final = "pain.002"

_IDENTIFIER: Final = re.compile(r"(?P<message>[a-z]{4}\.\d{3})\.(?P<variant>\d{3})\.(?P<version>\d{2})")
_BODIES: Final = {"CstmrCdtTrfInitn": INITIATION, "CstmrPmtStsRpt": STATUS_REPORT}


@dataclass(frozen=True, slots=True)
class Message:
    """One message: `body` is the one element below Document, `name` its identifier such as `pain.001.001.09`."""

    tree: etree._ElementTree
    body: etree._Element
    kind: str  # pain.001
    name: str

    @property
    def root(self) -> etree._Element:
        return self.tree.getroot()


def read_message(data: bytes, *, field: str) -> Message:
    """Parse a document and find the message in it, also inside an envelope. Raises MessageNotUnderstood."""
    try:
        tree = parse(data)
    except UnsafeXml as error:
        raise MessageNotUnderstood(error.problem, field=field, remedy=error.remedy) from None
    document = next((node for node in tree.iter("{*}Document")), tree.getroot())
    body = document if local(document) in _BODIES else next(document.iterchildren("*"), None)
    if body is None:
        raise MessageNotUnderstood("The document is empty.", field=field, remedy="Send the whole message.")
    found = _IDENTIFIER.search(namespace(body)) or _IDENTIFIER.search(local(body))
    kind = _BODIES.get(local(body)) or (found["message"] if found else "")
    name = f"{found['message']}.{found['variant']}.{found['version']}" if found else kind
    return Message(tree=tree, body=body, kind=kind or local(body)[:60], name=name)


def local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def namespace(element: etree._Element) -> str:
    return str(etree.QName(element).namespace or "")


def children(element: etree._Element | None, *names: str) -> list[etree._Element]:
    """The children of an element with one of these names, in the order of the document."""
    if element is None:
        return []
    return list(element.iterchildren(*(f"{{*}}{name}" for name in names)))


def child(element: etree._Element | None, path: str) -> etree._Element | None:
    """The first element at a path of plain names, such as `CdtrAcct/Id/IBAN`."""
    for step in path.split("/"):
        if element is None:
            return None
        element = next(element.iterchildren(f"{{*}}{step}"), None)
    return element


def text(element: etree._Element | None, *paths: str) -> str:
    """The trimmed text at the first of these paths that has any."""
    for path in paths:
        found = child(element, path)
        if found is not None and (said := " ".join((found.text or "").split())):
            return said
    return ""
