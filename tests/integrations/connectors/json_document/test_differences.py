import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.connectors.base import CorrectionError
from integrations.connectors.json_document import correct, operations_between
from integrations.safe_json import loads

KEYS = st.sampled_from(["a", "b", "c/d", "e~f", ""])
SCALARS = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=5)
    | st.sampled_from(["1", "1.0", "true", "null", "{", '"', "[1]"])
    | st.integers(-(10**9), 10**9)
    | st.sampled_from([True, False, None])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=4)


def exact(payload: bytes) -> Any:
    """As data in which 1, 1.0, 1.00, true and "1" are all different."""
    return json.loads(
        payload, parse_float=lambda text: ("number", text), parse_int=lambda text: ("number", text),
        parse_constant=lambda text: ("literal", text), object_hook=lambda pairs: {"object": pairs},
    )  # fmt: skip


def same(one: bytes, other: bytes) -> bool:
    return repr(_sorted(exact(one))) == repr(_sorted(exact(other)))


def _sorted(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _sorted(data[key]) for key in sorted(data)}
    return [_sorted(item) for item in data] if isinstance(data, list) else data


def leads_to(before: bytes, after: bytes) -> bool:
    return same(correct(before, operations_between(before, after)), after)


def test_difference_of_one_value_is_a_test_and_a_replacement():
    assert operations_between(b'{"a": 1.0, "b": "x"}', b'{"b": "x", "a": 1.00}') == [
        {"op": "test", "path": "/a", "value": "1.0"},
        {"op": "replace", "path": "/a", "value": "1.00"},
    ]


def test_difference_in_layout_and_order_is_none():
    assert operations_between(b'{"a": 1, "b": "\\u00e9"}', '{\n"b":"é","a":1}'.encode()) == []


def test_difference_of_type_is_a_removal_and_an_addition():
    assert operations_between(b'{"a": 1}', b'{"a": "1"}') == [
        {"op": "test", "path": "/a", "value": "1"},
        {"op": "remove", "path": "/a"},
        {"op": "add", "path": "/a", "value": '"1"'},
    ]


def test_difference_of_a_truth_is_a_replacement_and_of_nothing_an_addition():
    assert [step["op"] for step in operations_between(b'{"a": true}', b'{"a": false}')] == ["test", "replace"]
    assert [step["op"] for step in operations_between(b'{"a": null}', b'{"a": false}')] == ["test", "remove", "add"]


def test_difference_of_a_line_taken_out_in_the_middle_is_one_removal():
    before = b'{"lines": [{"n": 1}, {"n": 2}, {"n": 3}]}'

    steps = operations_between(before, b'{"lines": [{"n": 1}, {"n": 3}]}')

    assert [(step["op"], step["path"]) for step in steps] == [("test", "/lines/1"), ("remove", "/lines/1")]


def test_difference_of_kind_is_refused():
    with pytest.raises(CorrectionError, match="turns a group of fields into a list"):
        operations_between(b"{}", b"[]")


@pytest.mark.parametrize("after", [b"{", b'{"a": NaN}', b'{"a": 1, "a": 1}'])
def test_difference_to_what_is_no_safe_json_is_refused(after: bytes):
    with pytest.raises(CorrectionError):
        operations_between(b"{}", after)


@settings(deadline=None, max_examples=200)
@given(DOCUMENTS, DOCUMENTS)
def test_differences_of_any_documents_lead_there_and_back(one: dict[str, Any], other: dict[str, Any]):
    before, after = json.dumps(one).encode(), json.dumps(other, indent=1, ensure_ascii=False).encode()

    assert leads_to(before, after)
    assert leads_to(after, before)


@st.composite
def edited(draw: st.DrawFn) -> bytes:
    """A posting with lines taken out, doubled, moved or changed."""
    lines: list[dict[str, Any]] = [{"account": str(number), "debit": number, "text": ""} for number in range(4)]
    for _ in range(draw(st.integers(1, 5))):
        if not lines:
            break
        index = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["remove", "double", "move", "change"])):
            case "remove":
                del lines[index]
            case "double":
                lines.insert(index, deepcopy(lines[index]))
            case "move":
                lines.append(lines.pop(index))
            case "change":
                lines[index]["text"] = draw(SCALARS)
    return json.dumps({"lines": lines}).encode()


@settings(deadline=None, max_examples=200)
@given(edited(), edited())
def test_differences_of_any_edits_lead_from_one_to_the_other(before: bytes, after: bytes):
    assert leads_to(before, after)
    assert loads(after) == loads(correct(before, operations_between(before, after)))
