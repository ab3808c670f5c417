"""What a standard's schema says about its documents, as far as a correction needs it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from lxml import etree


class Grammar(Protocol):
    """Names are {uri}local. An element is given in its document, since its place may decide what it holds."""

    title: str  # what people call the standard: "UBL"
    example: str  # a path, for whoever wrote one that is not understood
    # Elements whose one child only says what kind they are: without another child they are empty.
    markers: Mapping[str, str]

    def children(self, element: etree._Element) -> Sequence[str]:
        """What may stand in an element, in the order of the schema; nothing for a plain field."""

    def is_group(self, parent: etree._Element, tag: str) -> bool:
        """Whether a child of `parent` with this name holds elements instead of a text."""

    def repeats(self, parent: etree._Element, tag: str) -> bool:
        """Whether `parent` may have several such children."""

    def qualify(self, local: str, parent_tag: str) -> str | None:
        """The full name of a child that was written without a namespace."""

    def complete(self, element: etree._Element) -> None:
        """Give a new, empty element the attributes that the schema demands and the document knows."""

    def finish(self, element: etree._Element) -> None:
        """Give an element made for a path the children that it cannot be without and whose content is clear."""
