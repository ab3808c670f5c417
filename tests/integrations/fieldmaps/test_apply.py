"""What a field map makes of a payload: values, types, lists, tables, and faults that name their rule."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from integrations.fieldmaps.apply import Mapped, map_payload
from integrations.fieldmaps.declaration import read_map
from integrations.refusals import MessageNotUnderstood

DEAL = {
    "deal": {"no": "D-77", "closed": "30.11.2026", "account": {"name": "Øst & Søn"}},
    "items": [
        {"sku": "A", "qty": 2, "net": "1.200,50", "tax": "VAT21"},
        {"sku": "B", "qty": 1, "net": "99,50", "tax": "VAT0"},
    ],
}


def mapped(rules: Sequence[Any], source: object = DEAL, media_type: str = "application/json") -> Mapped:
    payload = source if isinstance(source, bytes) else json.dumps(source).encode()
    return map_payload(read_map({"rules": rules}), payload, media_type)


def test_document_is_built_by_the_rules_in_their_order():
    found = mapped(
        [
            {"to": "/type", "value": "customer_invoice"},
            {"to": "/number", "from": "/deal/no", "required": True},
            {"to": "/customer/name", "from": "/deal/account/name"},
            {"to": "/invoice_date", "from": "/deal/closed", "as": "date", "date_format": "%d.%m.%Y"},
            {
                "to": "/lines",
                "each": "/items",
                "rules": [
                    {"to": "/product", "from": "/sku"},
                    {"to": "/quantity", "from": "/qty", "as": "integer"},
                    {"to": "/net_amount", "from": "/net", "as": "decimal", "decimal_mark": ","},
                    {"to": "/tax_code", "from": "/tax", "table": {"VAT21": "V1", "VAT0": "V0"}},
                ],
            },
            {"to": "/net_amount", "sum": "/items/*/net", "decimal_mark": ","},
        ]
    )
    assert found.is_whole
    assert json.loads(found.payload) == {
        "type": "customer_invoice",
        "number": "D-77",
        "customer": {"name": "Øst & Søn"},
        "invoice_date": "2026-11-30",
        "lines": [
            {"product": "A", "quantity": 2, "net_amount": "1200.50", "tax_code": "V1"},
            {"product": "B", "quantity": 1, "net_amount": "99.50", "tax_code": "V0"},
        ],
        "net_amount": "1300.00",
    }
    assert ("/items/*/net" in found.steps[-1].source, found.steps[-1].becomes) == (True, "1300.00")
    assert [step.to for step in found.steps if step.rule == "/rules/4/rules/0"] == [
        "/lines/0/product",
        "/lines/1/product",
    ]


def test_value_that_is_missing_takes_the_default_or_is_left_out():
    found = mapped([{"to": "/a", "from": "/none", "default": "x"}, {"to": "/b", "from": "/none"}])
    assert (found.document, found.faults) == ({"a": "x"}, [])


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"from": "/none", "required": True}, "not there in the source"),
        ({"from": "/items/*/sku"}, "There are 2 values"),
        ({"from": "/deal/no", "as": "decimal"}, "is not a number"),
        ({"from": "/deal/no", "as": "boolean"}, "neither true nor false"),
        ({"from": "/deal/closed", "as": "date"}, "is not a date in ISO 8601"),
        ({"from": "/deal/no", "table": {"D-1": "1"}}, "no entry for “D-77”"),
        ({"from": "deal.no"}, "is not a JSON Pointer"),
        ({"sum": "/items/*/sku"}, "is not a number"),
        ({"each": "/none", "rules": [{"to": "/x", "value": "1"}], "required": True}, "empty or missing"),
    ],
)
def test_value_that_cannot_be_mapped_is_a_fault_of_its_rule(rule, words):
    found = mapped([{"to": "/kept", "value": "1"}, {"to": "/target", **rule}])
    assert [(fault.rule, fault.to) for fault in found.faults] == [("/rules/1", "/target")]
    assert words in found.faults[0].problem
    assert found.faults[0].remedy
    assert found.document == {"kept": "1"}


@pytest.mark.parametrize(("otherwise", "becomes"), [("keep", {"a": "D-77"}), ("leave out", {})])
def test_table_without_an_entry_does_as_it_is_told(otherwise, becomes):
    assert mapped([{"to": "/a", "from": "/deal/no", "table": {}, "otherwise": otherwise}]).document == becomes


@pytest.mark.parametrize(
    ("text", "mark", "number"),
    [
        ("1234.5", ".", "1234.5"),
        ("1,234,567.89", ".", "1234567.89"),
        ("1.234,50", ",", "1234.50"),
        ("1 234,50", ",", "1234.50"),
        ("-12", ".", "-12"),
        ("1'234.00", ".", "1234.00"),
        ("1,5", ".", None),
        ("1.5", ",", None),
        ("1.2.3", ".", None),
        ("1,23,456", ".", None),
        ("NaN", ".", None),
        ("1e3", ".", None),
        ("", ".", None),
    ],
)
def test_numbers_are_exact_or_refused(text, mark, number):
    found = mapped([{"to": "/n", "from": "/n", "as": "decimal", "decimal_mark": mark, "required": True}], {"n": text})
    assert found.document == ({} if number is None else {"n": Decimal(number)})
    assert found.is_whole is (number is not None)


def test_number_of_the_source_keeps_its_digits():
    assert mapped([{"to": "/n", "from": "/n", "as": "decimal"}], b'{"n": 10.10}').payload == b'{\n  "n": "10.10"\n}'


def test_xml_is_read_by_xpath_with_the_prefixes_of_its_root():
    payload = b'<d:Deal xmlns:d="urn:d" xmlns="urn:x"><d:No>7</d:No><Item n="1"/><Item n="2"/></d:Deal>'
    rules = [
        {"to": "/number", "from": "d:No"},
        {"to": "/lines", "each": "default:Item", "rules": [{"to": "/n", "from": "@n"}]},
        {"to": "/count", "from": "count(default:Item)", "as": "integer"},
    ]
    assert mapped(rules, payload, "application/xml").document == {
        "number": "7",
        "lines": [{"n": "1"}, {"n": "2"}],
        "count": 2,
    }


def test_xpath_that_is_none_is_a_fault_of_its_rule():
    found = mapped([{"to": "/a", "from": "//["}], b"<d/>", "text/xml")
    assert "is not an XPath" in found.faults[0].problem


@pytest.mark.parametrize(
    ("payload", "media_type", "field"),
    [
        (b"{", "application/json", "payload"),
        (b"a;b", "text/plain", "payload.media_type"),
        (b"<a", "text/xml", "payload"),
    ],
)
def test_payload_that_cannot_be_read_is_refused_as_a_whole(payload, media_type, field):
    with pytest.raises(MessageNotUnderstood) as refused:
        mapped([{"to": "/a", "value": "1"}], payload, media_type)
    assert refused.value.field == field
