"""Rules as sentences, differences between versions, and the map to begin with."""

import json
from typing import Any

import pytest

from integrations.demo.field_maps import maps_of_the_deal
from integrations.fieldmaps.declaration import Declaration, read_map, read_text
from integrations.fieldmaps.fit import misfits
from integrations.fieldmaps.starter import starter_for
from integrations.fieldmaps.words import Difference, differences, readings
from integrations.records.schemas import DESCRIPTIONS


def of(*rules: dict[str, Any], **more: Any) -> Declaration:
    return read_map({"rules": list(rules), **more})


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"from": "/a"}, "from /a"),
        ({"from": "/a", "required": True, "default": "x"}, "from /a, “x” when missing, required"),
        ({"from": "/a", "as": "decimal", "decimal_mark": ","}, "from /a, as decimal with “,” as decimal mark"),
        ({"from": "/a", "as": "date", "date_format": "%d.%m.%Y"}, "from /a, as date written as %d.%m.%Y"),
        ({"from": "/a", "as": "boolean", "top": True}, "from /a of the whole payload, as boolean"),
        ({"from": "/a", "table": {"x": "y"}}, "from /a, by its own table of 1, a value that is not in it is a fault"),
        ({"value": "x"}, "always “x”"),
        ({"value": 1.50}, "always 1.5"),
        ({"value": False}, "always false"),
        ({"sum": ["/a/*/b", "/c"]}, "the sum of /a/*/b and /c"),
        ({"context": "sender"}, "who handed it in"),
        ({"each": "/a", "rules": [{"to": "/b", "value": 1}]}, "one for each of /a"),
    ],
)
def test_rule_is_a_sentence(rule, words):
    assert readings(of({"to": "/x", **rule}))[0].words == words


def test_rows_are_read_with_their_whole_place():
    found = readings(
        of({"to": "/lines", "each": "/items", "rules": [{"to": "/text", "from": "/name", "note": "Why."}]})
    )
    assert [(reading.place, reading.to, reading.note) for reading in found] == [
        ("/rules/0", "/lines", ""),
        ("/rules/0/rules/0", "/lines/*/text", "Why."),
    ]


def test_differences_are_rules_by_their_place_and_entries_of_tables():
    before = of({"to": "/a", "from": "/a"}, {"to": "/b", "from": "/b"}, tables={"codes": {"x": "1", "y": "2"}})
    after = of(
        {"to": "/c", "value": "C"},
        {"to": "/b", "from": "/b", "required": True},
        tables={"codes": {"x": "1", "y": "3"}},
        when={"from": "/t", "is": ["deal"]},
    )
    assert differences(before, after) == [
        Difference("Which payloads it is for", "", "/t is deal"),
        Difference("/c", "", "always “C”"),
        Difference("/b", "from /b", "from /b, required"),
        Difference("Table “codes”, entry “y”", "2", "3"),
        Difference("/a", "from /a", ""),
    ]
    assert differences(before, before) == []


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
@pytest.mark.parametrize("object_type", DESCRIPTIONS)
def test_map_to_begin_with_reads_and_fits(direction, object_type):
    declaration = read_text(starter_for(direction, object_type))
    assert list(misfits(declaration, direction=direction, object_type=object_type)) == []


def test_maps_of_the_demonstration_fit():
    for found in maps_of_the_deal():
        declaration = read_text(found.declared)
        assert list(misfits(declaration, direction=found.direction, object_type=found.object_type)) == []
        assert json.loads(found.declared)["note"] == declaration.note
