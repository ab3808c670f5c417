import pytest
from lxml import etree

from integrations.connectors.xml_document import paths
from tests.integrations.connectors.en16931.invoices import INVOICE, located, ubl

ROOT = etree.fromstring(ubl())


def found(text: str) -> list[str]:
    path = paths.parse_path(text, ROOT)
    return [paths.canonical(element, path.attribute) for element in paths.find_elements(path, ROOT)]


@pytest.mark.parametrize(
    "text",
    [
        "/ubl:Invoice/cac:InvoiceLine[2]/cbc:ID",
        "/Invoice/InvoiceLine[2]/ID",
        "/inv:Invoice/x:InvoiceLine[2]/y:ID",
        "/*/cac:InvoiceLine[2]/cbc:ID",
        "/*:Invoice/*:InvoiceLine[2]/*:ID",
        "/ubl:Invoice[1]/cac:InvoiceLine[position()=2]/cbc:ID[1]/text()",
        "/ubl:Invoice/cac:InvoiceLine[cbc:ID='2']/cbc:ID",
        '/ubl:Invoice/cac:InvoiceLine[cbc:ID="2"]/cbc:ID',
        "/ubl:Invoice/cac:InvoiceLine[cac:Item/cbc:Name = 'Item 2']/cbc:ID",
        "/ubl:Invoice/cac:InvoiceLine[normalize-space(cbc:ID)='2']/cbc:ID",
        "//cac:InvoiceLine[cbc:InvoicedQuantity=4]/cbc:ID",
        "/ubl:Invoice//cac:InvoiceLine[2]/cbc:ID",
        "cac:InvoiceLine[2]/cbc:ID",
        located("/ubl:Invoice/cac:InvoiceLine[2]/cbc:ID"),
        "/*[local-name()='Invoice']/*[local-name()='InvoiceLine'][2]/*[local-name()='ID']",
        f"/*[local-name() = 'Invoice' and namespace-uri() = '{INVOICE}']/cac:InvoiceLine[2]/cbc:ID",
    ],
)
def test_path_in_any_spelling_names_the_same_place(text: str) -> None:
    assert found(text) == ["/ubl:Invoice/cac:InvoiceLine[2]/cbc:ID"]


def test_path_to_an_attribute_keeps_it() -> None:
    assert found("//cbc:PayableAmount/@currencyID") == [
        "/ubl:Invoice/cac:LegalMonetaryTotal/cbc:PayableAmount/@currencyID"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "/ubl:Order",
        "/cn:CreditNote/cbc:ID",
        "/ubl:Invoice/cac:InvoiceLine[3]",
        "/ubl:Invoice[2]",
        "/cac:Invoice/cbc:ID",
    ],
)
def test_path_to_nothing_finds_nothing(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "//",
        "/..",
        "/ubl:Invoice/..",
        "/ubl:Invoice/following::*",
        "document('file:///etc/passwd')",
        "/ubl:Invoice[document('x')]",
        "/ubl:Invoice[contains(.,'a')]",
        "/ubl:Invoice/cac:InvoiceLine[last()]",
        "/ubl:Invoice/cac:InvoiceLine[cbc:ID='2' or cbc:ID='1']",
        "/ubl:Invoice/cac:InvoiceLine[1][cbc:ID='2']",
        "/ubl:Invoice | /ubl:Invoice",
        "/ubl:Invoice/cbc:ID[",
        "/ubl:Invoice/cbc:ID['",
        "count(//*)",
        "$variable",
        "/a" * 2000,
    ],
)
def test_path_beyond_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(paths.PathError):
        paths.parse_path(text, ROOT)


def test_canonical_path_leads_back_to_every_element() -> None:
    for element in ROOT.iter("*"):
        assert paths.find_elements(paths.parse_path(paths.canonical(element), ROOT), ROOT) == [element]


def test_prefix_means_what_the_document_says() -> None:
    root = etree.fromstring(ubl().replace(b"cbc:", b"basic:").replace(b"xmlns:cbc", b"xmlns:basic"))

    assert len(paths.find_elements(paths.parse_path("/ubl:Invoice/basic:ID", root), root)) == 1
