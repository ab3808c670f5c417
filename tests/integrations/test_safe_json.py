import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.safe_json import UnsafeJson, loads

NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab/~", max_size=3), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("data", "pointer", "problem"),
    [
        (b'{"a": [1, NaN]}', "/a/1", "NaN is not a number in JSON (at /a/1)."),
        (b"-Infinity", "", "-Infinity is not a number in JSON."),
        (b'{"a": 1, "a": 2}', "/a", "The key a occurs twice (at /a)."),
        (b'{"x": {"a/b": 1, "a/b": 2}}', "/x/a~1b", "The key a/b occurs twice (at /x/a~1b)."),
        (b'{"a": 1e400}', "/a", "The number 1e400 is out of range (at /a)."),
        (b'{"a": 1e00000000400}', "/a", "The number 1e00000000400 is out of range (at /a)."),
        (b"[1, 1e-0000000041]", "/1", "The number 1e-0000000041 is out of range (at /1)."),
        (b'{"a": [[], {}, 1], "b": {"c": [0, NaN]}}', "/b/c/1", "NaN is not a number in JSON (at /b/c/1)."),
        (b'[{"a": "\\u0000"}]', "/0/a", "A text contains the character NUL (at /0/a)."),
        (b'{"a": "\\ud800"}', "/a", "A text contains half of a surrogate pair (at /a)."),
        (b'{"\\ud800": 1}', "", "A text contains half of a surrogate pair."),
        (b'{"a": "\x00"}', "", "The document contains a NUL byte or is not UTF-8."),
        ('{"a": 1}'.encode("utf-16"), "", "The document contains a NUL byte or is not UTF-8."),
        (b'{"a": "\xff"}', "", "The document is not valid UTF-8: byte 7 cannot be read."),
        (b"", "", "The document is empty."),
        (
            b"{",
            "",
            "The document is not valid JSON: Expecting property name enclosed in double quotes (line 1, column 2).",
        ),
    ],
)
def test_loads_of_what_is_not_accepted_names_the_place(data: bytes, pointer: str, problem: str) -> None:
    with pytest.raises(UnsafeJson) as caught:
        loads(data)

    assert (caught.value.pointer, caught.value.problem) == (pointer, problem)
    assert caught.value.remedy


def test_loads_of_a_very_long_number_is_refused() -> None:
    with pytest.raises(UnsafeJson, match=r"out of range \(at /n\)"):
        loads(b'{"n": ' + b"9" * 5000 + b"}")


@pytest.mark.parametrize("data", [b"[" * 200_000, b'{"a":' * 200_000, b'"' + b'\\"' * 200_000])
def test_loads_of_deep_or_unfinished_nesting_is_refused(data: bytes) -> None:
    with pytest.raises(UnsafeJson):
        loads(data)


def test_loads_takes_brackets_in_text_for_text() -> None:
    assert loads(b'["' + b"[" * 500 + b'"]') == ["[" * 500]


def test_loads_above_the_limit_is_refused() -> None:
    with pytest.raises(UnsafeJson, match="more than the 5 that are accepted"):
        loads(b"[1, 2]", max_bytes=5)


def test_loads_keeps_every_digit_of_an_amount() -> None:
    assert loads(b"[12345678901234567.89, 0.1, 1.10]") == [
        Decimal("12345678901234567.89"),
        Decimal("0.1"),
        Decimal("1.10"),
    ]


def test_loads_reads_over_a_byte_order_mark() -> None:
    assert loads(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@given(NESTED)
def test_loads_returns_what_was_written(value: object) -> None:
    text = json.dumps(value)
    if "\\u0000" in text:
        with pytest.raises(UnsafeJson):
            loads(text.encode())
    else:
        assert loads(text.encode()) == value
