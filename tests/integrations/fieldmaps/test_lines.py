"""The line of a place in a JSON text."""

import json

import pytest

from integrations.demo.field_maps import maps_of_the_deal
from integrations.fieldmaps.lines import line_of

TEXT = '{\n "a": [1,\n  {"b/c": "x\\"}y",\n   "d": true}],\n "e": {}\n}'


@pytest.mark.parametrize(
    ("pointer", "line"),
    [
        ("", 1),
        ("/a", 2),
        ("/a/0", 2),
        ("/a/1", 3),
        ("/a/1/b~1c", 3),
        ("/a/1/d", 4),
        ("/e", 5),
        ("/a/7/x", 2),
        ("/z", 1),
    ],
)
def test_line_of_a_place_or_of_what_is_around_it(pointer, line):
    json.loads(TEXT)
    assert line_of(TEXT, pointer) == line


@pytest.mark.parametrize("text", ["", "{", '{"a"', '{"a": }', "[1,", '["x', "{a: 1}"])
def test_text_that_is_no_json_has_no_lines(text):
    assert line_of(text, "/a") is None


def test_every_rule_of_a_map_is_found():
    text = maps_of_the_deal()[0].declared
    lines = text.splitlines()
    for index, rule in enumerate(json.loads(text)["rules"]):
        assert rule["to"] in lines[(line_of(text, f"/rules/{index}/to") or 0) - 1]
