import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.connectors.base import CorrectionError, Operation
from integrations.connectors.json_document import correct, operations_for
from integrations.safe_json import loads

PAYLOAD = b"""{
  "company": "NL01",
  "total": 1250.00,
  "posted": false,
  "lines": [
    {"account": "400100", "amount": 1E+2, "text": "Rent \\u20ac"},
    {"account": "160000", "amount": "50.00"}
  ],
  "note": null
}
"""


def add(path: str, text: str) -> Operation:
    return {"op": "add", "path": path, "value": text}


def remove(path: str) -> Operation:
    return {"op": "remove", "path": path}


def replace(path: str, text: str) -> Operation:
    return {"op": "replace", "path": path, "value": text}


def check_value(path: str, text: str) -> Operation:
    return {"op": "test", "path": path, "value": text}


def never(path: str) -> bool:
    return False


def operations(changes: dict[str, str]) -> list[Operation]:
    return operations_for(PAYLOAD, changes, is_number=lambda path: path.endswith("amount"))


def test_nothing_to_do_keeps_every_byte():
    assert correct(PAYLOAD, []) == PAYLOAD


@pytest.mark.parametrize(
    ("step", "was", "will_be"),
    [
        pytest.param(replace("/company", "NL02"), b'"NL01"', b'"NL02"', id="a text"),
        pytest.param(replace("/company", "123"), b'"NL01"', b'"123"', id="a text of digits stays a text"),
        pytest.param(replace("/company", 'a "b" \\'), b'"NL01"', b'"a \\"b\\" \\\\"', id="a text with marks"),
        pytest.param(replace("/total", "1250.10"), b"1250.00", b"1250.10", id="a number"),
        pytest.param(replace("/total", "0.1000000000000000000001"), b"1250.00", b"0.1000000000000000000001", id="long"),
        pytest.param(replace("/lines/1/amount", "7"), b'"50.00"', b'"7"', id="a number written as text"),
        pytest.param(replace("/posted", "true"), b"false", b"true", id="a truth"),
        pytest.param(replace("/note", "seen"), b"null", b'"seen"', id="nothing becomes a text"),
    ],
)
def test_replacement_keeps_the_type_and_every_other_byte(step: Operation, was: bytes, will_be: bytes):
    assert correct(PAYLOAD, [step]) == PAYLOAD.replace(was, will_be, 1)


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        pytest.param(replace("/total", "12,50"), "is not a number", id="no number"),
        pytest.param(replace("/total", "NaN"), "is not a number", id="NaN"),
        pytest.param(replace("/total", "012"), "is not a number", id="leading zero"),
        pytest.param(replace("/total", "1" * 60), "Here stands a number", id="endless number"),
        pytest.param(replace("/posted", "perhaps"), "Here stands true, false or null", id="no truth"),
        pytest.param(replace("/lines", "{}"), "Here stands a list", id="an object for a list"),
        pytest.param(replace("/absent", "x"), "There is nothing here", id="absent"),
        pytest.param(replace("/lines/2", "{}"), "There is nothing here", id="behind the end"),
        pytest.param(replace("/lines/01", "{}"), "There is nothing here", id="no index"),
        pytest.param(replace("company", "x"), "is not a path", id="no pointer"),
        pytest.param(replace("/a~b", "x"), "is not a path", id="bad escape"),
        pytest.param(replace("/company/0", "x"), "There is no /company with fields", id="into a text"),
        pytest.param(add("/company", "x"), "Something is here already", id="there already"),
        pytest.param(add("", "{}"), "Something is here already", id="the root"),
        pytest.param(add("/lines/3", "{}"), "The list has 2 entries", id="beyond the end"),
        pytest.param(add("/lines/x", "{}"), "The list has 2 entries", id="a name in a list"),
        pytest.param(add("/more", '{"a": '), "begins like JSON and is none", id="half an object"),
        pytest.param(add("/more", '{"a": 1, "a": 2}'), "begins like JSON and is none", id="a key twice"),
        pytest.param(add("/more", "a\x00b"), "NUL", id="NUL"),
        pytest.param(add("/more", "\ud800"), "surrogate", id="half a character"),
        pytest.param(remove("/absent"), "There is nothing here", id="remove nothing"),
        pytest.param(remove(""), "whole document", id="remove everything"),
        pytest.param(check_value("/company", "NL02"), "Here stands “NL01”", id="another text"),
        pytest.param(check_value("/total", "1250.01"), "Here stands “1250.00”", id="another number"),
        pytest.param(check_value("/company", ""), "Here stands “NL01”", id="not empty"),
        pytest.param({"op": "move", "path": "/company"}, "cannot be “move”", id="another step"),
    ],
)
def test_step_that_cannot_be_applied_is_refused(step: Operation, problem: str):
    with pytest.raises(CorrectionError, match=problem):
        correct(PAYLOAD, [replace("/total", "1"), replace("/total", "1250.00"), step])


@pytest.mark.parametrize("path", ["/company", "/total", "/lines/1", "/lines", "", "/note", "/absent", "/posted"])
def test_values_pass_the_test_of_themselves(path: str):
    texts = {"/company": "NL01", "/total": "1250.0", "/note": "", "/absent": "", "/posted": "false"}
    texts |= {"/lines/1": '{"amount":"50.00","account":"160000"}', "": PAYLOAD.decode()}
    texts["/lines"] = json.dumps(json.loads(PAYLOAD)["lines"])

    assert correct(PAYLOAD, [check_value(path, texts[path])]) == PAYLOAD


@pytest.mark.parametrize("payload", [b'{"a": NaN}', b'{"a": 1, "a": 2}', b"", b"{", b"[" * 200, b'{"a": "\xff"}'])
def test_payload_that_is_no_safe_json_is_refused(payload: bytes):
    with pytest.raises(CorrectionError):
        correct(payload, [])


def test_member_is_added_in_the_layout_of_its_neighbours():
    assert correct(PAYLOAD, [add("/currency", "EUR")]) == PAYLOAD.replace(
        b'"note": null\n', b'"note": null,\n  "currency": "EUR"\n'
    )


@pytest.mark.parametrize(
    ("index", "written"),
    [("0", b'{"l":[0,1,2]}'), ("1", b'{"l":[1,0,2]}'), ("2", b'{"l":[1,2,0]}'), ("-", b'{"l":[1,2,0]}')],
)
def test_item_is_inserted_at_its_place(index: str, written: bytes):
    assert correct(b'{"l":[1,2]}', [add(f"/l/{index}", "0")]) == written


@pytest.mark.parametrize(
    ("text", "value"),
    [("CC-1", "CC-1"), ('"12"', "12"), ("12", 12), ("true", True), ("[1]", [1]), ("", ""), ('"[x"', "[x")],
)
def test_added_is_json_or_else_a_text(text: str, value: object):
    assert loads(correct(b"{}", [add("/a", text)])) == {"a": value}


def test_removal_leaves_the_layout():
    assert correct(PAYLOAD, [remove("/note")]) == PAYLOAD.replace(b',\n  "note": null', b"")
    assert correct(PAYLOAD, [remove("/company")]) == PAYLOAD.replace(b'"company": "NL01",\n  ', b"")


def test_byte_order_mark_and_what_stands_around_are_kept():
    payload = b"\xef\xbb\xbf\n" + PAYLOAD

    assert correct(payload, [replace("/total", "1")]) == payload.replace(b"1250.00", b"1")


def test_slashes_and_tildes_in_keys_are_escaped():
    assert correct(b'{"a/b": {"c~d": 1}}', [replace("/a~1b/c~0d", "2")]) == b'{"a/b": {"c~d": 2}}'


def test_form_that_changes_nothing_makes_no_step():
    assert operations({"/company": " NL01 ", "/note": "", "/absent": " ", "/total": "1250.00"}) == []


def test_form_tests_what_stands_there_first():
    assert operations({"/company": "NL02", "/lines/1/cost_center": "100"}) == [
        check_value("/company", "NL01"),
        replace("/company", "NL02"),
        check_value("/lines/1/cost_center", ""),
        add("/lines/1/cost_center", '"100"'),
    ]


def test_form_writes_a_new_number_as_a_number():
    steps = operations({"/lines/0/tax_amount": "21.00"})

    assert loads(correct(PAYLOAD, steps))["lines"][0]["tax_amount"] == Decimal("21.00")
    assert b'"tax_amount": 21.00' in correct(PAYLOAD, steps)


def test_form_refuses_a_new_number_that_is_none():
    with pytest.raises(CorrectionError) as caught:
        operations({"/lines/0/tax_amount": "x"})

    assert caught.value.path == "/lines/0/tax_amount"


def test_form_fills_what_is_null():
    assert loads(correct(PAYLOAD, operations({"/note": "seen"})))["note"] == "seen"


def test_form_that_empties_lines_removes_them():
    emptied = {"/lines/0/account": "", "/lines/0/amount": "", "/lines/0/text": "", "/lines/1/amount": ""}

    assert loads(correct(PAYLOAD, operations(emptied)))["lines"] == [{"account": "160000"}]


def test_form_that_names_no_place_is_refused():
    with pytest.raises(CorrectionError) as caught:
        operations({"/lines/7/account": "1"})

    assert caught.value.path == "/lines/7/account"


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**15), max_value=10**15)


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=5), st.data())
def test_any_text_replaced_and_put_back_gives_the_same_bytes(content: dict[str, str], data: st.DataObject):
    payload = json.dumps(content, indent=data.draw(st.sampled_from([None, 2])), ensure_ascii=False).encode()
    key, new = data.draw(st.sampled_from(sorted(content))), data.draw(TEXTS)
    path = "/" + key.replace("~", "~0").replace("/", "~1")

    there = correct(payload, [check_value(path, content[key]), replace(path, new)])

    assert loads(there) == content | {key: new}
    assert correct(there, [check_value(path, new), replace(path, content[key])]) == payload


@settings(deadline=None, max_examples=100)
@given(NUMBERS, NUMBERS)
def test_any_number_stands_in_the_payload_digit_for_digit(old: Decimal, new: Decimal):
    payload = f'{{"amount": {old:f}}}'.encode()

    there = correct(payload, operations_for(payload, {"/amount": f"{new:f}"}, is_number=never))

    assert there == f'{{"amount": {new:f}}}'.encode()
    assert correct(there, operations_for(there, {"/amount": f"{old:f}"}, is_number=never)) == payload


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.sampled_from(["/a", "/b", "/lines/0/text", "/lines/1/account", "/total"]), TEXTS))
def test_any_form_leaves_what_was_typed(changes: dict[str, str]):
    changes = {path: text for path, text in changes.items() if path != "/total"} | {"/total": "3.10"}

    corrected = loads(correct(PAYLOAD, operations_for(PAYLOAD, changes, is_number=never)))

    for path, typed in changes.items():
        stands = corrected
        for step in path[1:].split("/"):
            stands = stands[int(step)] if step.isdigit() else stands.get(step, "")
        assert str(stands).strip() == typed.replace("\r\n", "\n").strip()
