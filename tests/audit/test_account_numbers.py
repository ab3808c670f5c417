"""Account numbers are found by their check digits, in every way in which people and systems write them."""

import pytest

from audit.account_numbers import account_numbers_in, is_iban, masked_in, without_account_numbers

DUTCH, GERMAN = "NL91ABNA0417164300", "DE89370400440532013000"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (DUTCH, "NL••••4300"),
        ("Pay to NL91 ABNA 0417 1643 00, please.", "Pay to NL••••4300, please."),
        ("nl91abna0417164300", "NL••••4300"),
        ("NL91-ABNA-0417-1643-00", "NL••••4300"),
        ("NL91\u00a0ABNA\u00a00417\u00a01643\u00a000", "NL••••4300"),
        ("q=NL91+ABNA+0417+1643+00&page=2", "q=NL••••4300&page=2"),
        (f"({DUTCH}/{GERMAN})", "(NL••••4300/DE••••3000)"),
        (f"{DUTCH} and 12", "NL••••4300 and 12"),
        ("NL92ABNA0417164300|INV-1", "NL••••4300|INV-1"),  # mistyped, in the name of a payment
        ("HR1210010051863000169|INV-1", "HR••••0169|INV-1"),
        ("NL92ABNA0417164300 is no account", "NL••••4300 is no account"),
        ("DE80370400440611277030", "DE••••7030"),
        ("FR1520041010050500013M02606", "FR••••2606"),
    ],
)
def test_number_is_masked_however_it_is_written(text: str, masked: str):
    assert without_account_numbers(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "HR1210010051863000169",  # the check digits do not hold, and it may be another number
        "NL20261102INV00042",  # the number of a document
        "NO2026110200001",
        "nl92abna0417164300",
        f"{DUTCH}A",
        f"X{DUTCH}",
        "NL91  ABNA 0417 1643 00",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "INV-2026-0001 of NL001234567B01",
        "DE89",
        "",
    ],
)
def test_what_is_none_stays(text: str):
    assert without_account_numbers(text) == text


def test_known_ones_stay_and_the_others_go():
    assert without_account_numbers(f"{DUTCH} {GERMAN}", known={GERMAN}) == f"NL••••4300 {GERMAN}"


def test_nested_values_are_masked_and_their_names_stay():
    value = {"account": [DUTCH, {"iban": GERMAN}], "count": 2, DUTCH: None}
    assert masked_in(value) == {"account": ["NL••••4300", {"iban": "DE••••3000"}], "count": 2, DUTCH: None}


def test_all_are_found_joined_and_in_capitals():
    assert account_numbers_in(f"nl91 abna 0417 1643 00, {GERMAN}") == {DUTCH, GERMAN}
    assert not is_iban("XX91ABNA0417164300")


def test_random_identifier_is_no_account_number():
    """Of a Belgian one the last two groups have the length; here the check digits too."""
    identifier = next(
        found
        for digits in range(100)
        if account_numbers_in((found := f"0fae3f1c-7c4e-4d1b-be{digits:02}-68539007547a").rpartition("4d1b-")[2])
    )
    for text in (identifier, f'{{"trace_id":"{identifier}"}}', f"/problems/{identifier}"):
        assert without_account_numbers(text) == text
    beside = f"{identifier} pays to BE68 5390 0754 7034"
    assert without_account_numbers(beside) == f"{identifier} pays to BE••••7034"
