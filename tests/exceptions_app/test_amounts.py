"""Amounts as people write them, in any country."""

from decimal import Decimal

import pytest

from exceptions_app.amounts import TypedAmount, read_amount


@pytest.mark.parametrize(
    ("text", "values", "currency"),
    [
        ("1250", ["1250"], ""),
        ("1250.00", ["1250"], ""),
        ("1.250,00", ["1250"], ""),
        ("1,250.00", ["1250"], ""),
        ("1 250,00", ["1250"], ""),
        ("1\u00a0250,00", ["1250"], ""),
        ("1'250.00", ["1250"], ""),
        ("1\u2019250.00", ["1250"], ""),
        ("1.250.000", ["1250000"], ""),
        ("1,250,000.5", ["1250000.5"], ""),
        ("12,5", ["12.5"], ""),
        ("0.125", ["0.125"], ""),
        ("-3.50", ["-3.5"], ""),
        ("EUR 1,250.00", ["1250"], "EUR"),
        ("1.250,00eur", ["1250"], "EUR"),
        ("1.250", ["1250", "1.250"], ""),
        ("1,250", ["1250", "1.250"], ""),
    ],
)
def test_amount_is_read_as_it_is_written(text, values, currency):
    assert read_amount(text) == TypedAmount(tuple(Decimal(value) for value in values), currency)


@pytest.mark.parametrize(
    "text",
    ["", "-", "abc", "1..2", "1.2.3", "12.", ".5", "1e5", "NaN", "Infinity", "0.1234567", "EUR 1 EUR", "9" * 16, "1-2"],
)
def test_what_is_no_amount_is_none(text):
    assert read_amount(text) is None
