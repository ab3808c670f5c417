"""Which field maps are refused, and where the fault is said to be."""

from typing import Any

import pytest

from integrations.fieldmaps.declaration import MapNotUnderstood, read_map

NUMBER: dict[str, Any] = {"to": "/number", "from": "/no"}


def test_map_is_read_with_the_place_of_each_rule():
    found = read_map({"rules": [NUMBER, {"to": "/lines", "each": "/items", "rules": [{"to": "/text", "value": "x"}]}]})
    assert [(rule.place, rule.to) for rule in found.rules] == [("/rules/0", ("number",)), ("/rules/1", ("lines",))]
    assert found.rules[1].rules[0].place == "/rules/1/rules/0"


@pytest.mark.parametrize(
    ("rules", "place", "words"),
    [
        ([], "/rules", "cannot stand here"),
        ([{"to": "/number"}], "/rules/0", "exactly one of from, value, sum, each and context"),
        ([{"to": "/number", "from": "/a", "value": "b"}], "/rules/0", "exactly one of"),
        ([{"to": "/number", "frm": "/a"}], "/rules/0", "frm"),
        ([{"to": "number", "from": "/a"}], "/rules/0/to", "is no place in the target"),
        ([{"to": "", "from": "/a"}], "/rules/0/to", "is no place in the target"),
        ([{"to": "/a//b", "from": "/a"}], "/rules/0/to", "is no place in the target"),
        ([NUMBER, NUMBER], "/rules/1/to", "Two rules write /number"),
        ([NUMBER, {"to": "/number/part", "from": "/a"}], "/rules/1/to", "as a whole by /rules/0"),
        ([{"to": "/lines", "each": "/items"}], "/rules/0", "missing"),
        ([{"to": "/a", "from": "/a", "otherwise": "keep"}], "/rules/0", "missing"),
        ([{"to": "/a", "from": "/a", "as": "money"}], "/rules/0/as", "cannot stand here"),
        ([{"to": "/a", "from": "/a", "table": {"x": 1}}], "/rules/0/table/x", "cannot stand here"),
    ],
)
def test_map_that_is_no_map_is_refused_at_its_place(rules, place, words):
    with pytest.raises(MapNotUnderstood) as refused:
        read_map({"rules": rules})
    assert refused.value.place == place
    assert words in refused.value.problem


@pytest.mark.parametrize("declared", [None, [], "rules", {}, {"rules": [NUMBER], "more": 1}])
def test_document_that_is_no_map_is_refused(declared):
    with pytest.raises(MapNotUnderstood):
        read_map(declared)


def test_lists_in_lists_have_an_end():
    rules = [NUMBER]
    for _ in range(5):
        rules = [{"to": "/rows", "each": "/rows", "rules": rules}]
    with pytest.raises(MapNotUnderstood, match="nested more than 4"):
        read_map({"rules": rules})
