"""UBL 2.1 as the machinery for XML documents needs it: an element's name alone says what it may hold."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from lxml import etree

from integrations.connectors.en16931 import names
from integrations.connectors.en16931.schema import load_schema
from integrations.connectors.xml_document.fragments import new_child

_ID: Final = f"{{{names.CBC}}}ID"
_CURRENCY_CODE: Final = f"{{{names.CBC}}}DocumentCurrencyCode"


class UblGrammar:
    title = "UBL"
    example = "/ubl:Invoice/cbc:IssueDate"
    markers: Mapping[str, str] = MappingProxyType(dict.fromkeys(names.HOLDERS_OF_A_TAX_SCHEME, names.TAX_SCHEME))

    def children(self, element: etree._Element) -> Sequence[str]:
        return load_schema().children.get(element.tag, ())

    def is_group(self, parent: etree._Element, tag: str) -> bool:
        return tag in load_schema().children

    def repeats(self, parent: etree._Element, tag: str) -> bool:
        return (parent.tag, tag) in load_schema().repeatable

    def qualify(self, local: str, parent_tag: str) -> str | None:
        return load_schema().child_called(parent_tag, local)

    def complete(self, element: etree._Element) -> None:
        """An amount is in the currency of the document."""
        if element.tag in load_schema().amounts:
            currency = (element.getroottree().getroot().findtext(_CURRENCY_CODE) or "").strip()
            if currency:
                element.set("currencyID", currency)

    def finish(self, element: etree._Element) -> None:
        """In EN 16931 a tax category is one of VAT and of nothing else."""
        if element.tag in names.TAX_CATEGORIES and element.find(names.TAX_SCHEME) is None:
            etree.SubElement(new_child(self, element, names.TAX_SCHEME), _ID).text = "VAT"


UBL: Final = UblGrammar()
