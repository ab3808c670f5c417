import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import NotCanonical, canonical_bytes, canonical_value, timestamp

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | TEXT,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(TEXT, children, max_size=4),
    max_leaves=12,
)


def test_canonical_bytes_of_known_event():
    value = {
        "b": [True, None, 7],
        "a": Decimal("-12.50"),
        "at": datetime(2026, 3, 2, 13, 0, 0, 5, tzinfo=timezone(timedelta(hours=1))),
        "day": date(2026, 3, 2),
        "id": UUID(int=1),
        "text": 'Müller \u2028 "quoted"',
    }
    assert (
        canonical_bytes(value)
        == (
            '{"a":"-12.50","at":"2026-03-02T12:00:00.000005Z","b":[true,null,7],"day":"2026-03-02",'
            '"id":"00000000-0000-0000-0000-000000000001","text":"Müller \u2028 \\"quoted\\""}'
        ).encode()
    )


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_canonical_bytes_depend_on_content_alone(value):
    reordered = dict(reversed(value.items()))
    assert canonical_bytes(reordered) == canonical_bytes(value)
    assert json.loads(canonical_bytes(value)) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1E+3", "1000"), ("1.20", "1.20"), ("-0.00", "-0.00"), ("0E-8", "0.00000000")],
)
def test_decimal_is_written_without_exponent(text, expected):
    assert canonical_value(Decimal(text)) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"amount": 1.5}, r"data\.amount: a floating-point number.*Decimal"),
        ({"amount": float("nan")}, r"data\.amount: a floating-point number"),
        ({"lines": [{"amount": Decimal("NaN")}]}, r"data\.lines\[0\]\.amount: NaN is not a number"),
        ({"amount": Decimal("Infinity")}, r"data\.amount: Infinity is not a number"),
        ({"amount": Decimal("1E+100000")}, r"data\.amount: a Decimal of this magnitude"),
        ({"amount": Decimal("1E-100000")}, r"data\.amount: a Decimal of this magnitude"),
        ({"count": 2**63}, r"data\.count: an integer beyond 64 bits"),
        ({"seen_at": datetime(2026, 3, 2)}, r"data\.seen_at: a datetime without time zone"),  # noqa: DTZ001
        ({"note": "a\x00b"}, r"data\.note: contains a NUL"),
        ({"note": "\ud800"}, r"data\.note: contains half of a surrogate pair"),
        ({"raw": b"bytes"}, r"data\.raw: bytes has no canonical form"),
        ({1: "x"}, r"data: the key 1 is not text"),
    ],
)
def test_value_without_exact_form_is_refused_by_name(value, message):
    with pytest.raises(NotCanonical, match=message):
        canonical_value(value)


def test_nesting_beyond_limit_is_refused():
    value: dict[str, object] = {}
    for _ in range(40):
        value = {"deeper": value}
    with pytest.raises(NotCanonical, match="nested deeper than 32"):
        canonical_value(value)


def test_timestamp_keeps_six_digits_and_four_digit_year():
    assert timestamp(datetime(987, 1, 2, tzinfo=UTC)) == "0987-01-02T00:00:00.000000Z"
