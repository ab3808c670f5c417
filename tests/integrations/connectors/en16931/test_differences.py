from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from integrations.connectors.base import CorrectionError
from integrations.connectors.en16931 import connector
from integrations.connectors.xml_document import paths
from integrations.connectors.xml_document.trees import same_content
from tests.integrations.connectors.en16931.invoices import CBC, DUE_PATH, changed, ubl

LINES = st.lists(
    st.tuples(st.sampled_from(["1", "2", "3"]), st.sampled_from(["1.00", "2.50", "9.99"])), min_size=1, max_size=5
)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_characters="\x7f"), max_size=12)


def leads_to(before: bytes, after: bytes) -> bool:
    corrected = connector.correct(before, connector.operations_between(before, after))
    return same_content(etree.fromstring(corrected), etree.fromstring(after))


def test_difference_of_one_field_is_a_test_and_a_replacement() -> None:
    assert connector.operations_between(ubl(), changed(ubl(), "//cbc:PayableAmount", "9.00")) == [
        {"op": "test", "path": DUE_PATH, "value": "240.00"},
        {"op": "replace", "path": DUE_PATH, "value": "9.00"},
    ]


def test_difference_in_layout_comments_and_prefixes_is_none() -> None:
    other = (
        ubl()
        .replace(b"cbc:", b"b:")
        .replace(b"xmlns:cbc", b"xmlns:b")
        .replace(b"\n  ", b"\n\t")
        .replace(b"billing", b"")
    )

    assert connector.operations_between(ubl(), other) == []


def test_difference_of_a_missing_field_is_an_addition_in_plain_text() -> None:
    assert connector.operations_between(changed(ubl(), "/*/cbc:IssueDate", None), ubl()) == [
        {"op": "add", "path": "/ubl:Invoice/cbc:IssueDate", "value": "2026-03-31"}
    ]


def test_difference_of_a_line_taken_out_in_the_middle_is_one_removal() -> None:
    before = ubl(lines=[("1", "1.00"), ("2", "2.00"), ("3", "3.00")])
    after = changed(before, "//cac:InvoiceLine[2]", None)

    operations = connector.operations_between(before, after)

    assert [(operation["op"], operation["path"]) for operation in operations] == [
        ("test", "/ubl:Invoice/cac:InvoiceLine[2]"),
        ("remove", "/ubl:Invoice/cac:InvoiceLine[2]"),
    ]
    assert leads_to(before, after)


def test_difference_that_steps_cannot_tell_replaces_the_document() -> None:
    after = ubl().replace(b"  <cbc:Note>Thank you</cbc:Note>\n", b"")
    after = after.replace(b"</cac:LegalMonetaryTotal>", b"</cac:LegalMonetaryTotal><cbc:Note>Thank you</cbc:Note>")

    [operation] = connector.operations_between(ubl(), after)

    assert (operation["op"], operation["path"]) == ("replace", "/ubl:Invoice")
    assert leads_to(ubl(), after)


def test_difference_of_kind_is_refused() -> None:
    with pytest.raises(CorrectionError, match="turns the Invoice into a CreditNote"):
        connector.operations_between(ubl(), ubl(credit_note=True))


def test_difference_to_something_malformed_is_refused() -> None:
    with pytest.raises(CorrectionError, match="not well-formed"):
        connector.operations_between(ubl(), ubl().replace(b"</cac:TaxTotal>", b""))


@settings(max_examples=40)
@given(LINES, LINES, st.booleans())
def test_differences_of_any_lines_lead_from_one_to_the_other(
    before: list[tuple[str, str]], after: list[tuple[str, str]], credit_note: bool
) -> None:
    assert leads_to(ubl(lines=before, credit_note=credit_note), ubl(lines=after, credit_note=credit_note))


@st.composite
def edited(draw: st.DrawFn) -> bytes:
    """An invoice with some elements taken out, doubled, emptied or given another text or attribute."""
    root = etree.fromstring(ubl())
    for _ in range(draw(st.integers(1, 6))):
        elements = list(root.iter("*"))[1:]
        if not elements:
            break
        element = draw(st.sampled_from(elements))
        parent: Any = element.getparent()
        match draw(st.sampled_from(["remove", "double", "text", "attribute", "extra"])):
            case "remove":
                parent.remove(element)
            case "double":
                parent.insert(parent.index(element), etree.fromstring(etree.tostring(element)))
            case "text" if len(element) == 0:
                element.text = draw(TEXTS)
            case "attribute":
                element.set(draw(st.sampled_from(["schemeID", "currencyID"])), draw(TEXTS))
            case "extra":
                etree.SubElement(element, f"{{{CBC}}}{draw(st.sampled_from(['Note', 'ID', 'Percent']))}").text = draw(
                    TEXTS
                )
    return etree.tostring(root)


@settings(max_examples=150)
@given(edited(), edited())
def test_differences_of_any_edits_lead_from_one_to_the_other(before: bytes, after: bytes) -> None:
    assert leads_to(before, after)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from([field.path for field in connector.read(ubl()).fields]), TEXTS, max_size=6))
def test_operations_for_any_form_leave_what_was_typed(changes: dict[str, str]) -> None:
    corrected = connector.correct(ubl(), connector.operations_for(ubl(), changes))

    root = etree.fromstring(corrected)
    for text, typed in changes.items():
        path = paths.parse_path(text, root)
        stands = [
            paths.text_of(node) if not path.attribute else node.get(path.attribute)
            for node in paths.find_elements(path, root)
        ]
        assert (stands[0] or "").strip() == typed.strip() if stands else not typed.strip()
