"""Numbers of a document in the reader's notation: what is shown is read back as it was, and nothing is misread."""

import pytest
from django.utils import translation

from exceptions_app.notation import as_filled_in, as_kept, as_written, read_value, stands
from exceptions_app.typed_values import is_same_value
from integrations.records.record import RecordField, ValueKind


def field(value: str | None, kind: ValueKind = ValueKind.AMOUNT) -> RecordField:
    return RecordField("BT-112", "Total", "Totals", kind, "/total", value)


def test_number_is_shown_with_the_readers_separator_and_stands_as_long_as_nobody_changes_it() -> None:
    for value, shown in (("1428.00", "1428,00"), ("1.250", "1,250"), ("-0.5", "-0,5"), ("7", "7"), ("n/a", "n/a")):
        assert as_written(field(value)) == value
        assert stands(value, field(value))
        with translation.override("de"):
            assert as_written(field(value)) == shown
            assert stands(shown, field(value))
            assert stands(f" {shown} ", field(value))
    with translation.override("de"):
        assert as_written(field("2026.10", ValueKind.IDENTIFIER)) == "2026.10", "no number"
        assert stands("1428.00", field("1428.00")), "from a page in English: it can mean nothing else"
        assert not stands("1.250", field("1.250")), "somebody typed that, and may mean 1250"
        assert stands("", field(None))
        assert not stands("0", field(None))


def test_value_that_is_filled_in_can_be_typed_and_is_read_as_the_number_that_it_is() -> None:
    for value, typed in (("12.345", "12,3450"), ("1428.00", "1428,00"), ("0.125", "0,125"), ("n/a", "n/a"), ("", "")):
        assert as_filled_in(value, field("1.00")) == value
        with translation.override("de"):
            assert as_filled_in(value, field("1.00")) == typed
    with translation.override("de"):
        assert read_value("12,3450", field("1.00")) == ("12.3450", None)
        assert as_filled_in("12.345", field("12.345")) == "12,345", "it stands there already"
        assert as_filled_in("12.345", field("1", ValueKind.IDENTIFIER)) == "12.345", "no number"
    assert is_same_value("12.3450", "12.345", field("1.00")), "so a suggestion that was taken counts as taken"
    assert not is_same_value("12.3451", "12.345", field("1.00"))
    assert not is_same_value("12.3450", "12.345", field("1", ValueKind.IDENTIFIER))
    assert not is_same_value("n/a", "12.345", field("1.00"))


@pytest.mark.parametrize(
    ("typed", "kept", "in_english", "in_german"),
    [
        ("1428,00", "1428.00", "1428.00", "1428,00"), ("1.428,00", "1428.00", "1428.00", "1428,00"),
        ("7,250", "7.250", "7.250", "7,250"), ("2.250", "2.250 ", "2.250 ", "2.250 "), ("viel", "viel", "viel", "viel"),
        ("", "", "", ""),
    ],
)  # fmt: skip
def test_draft_has_the_number_of_the_document_and_each_language_shows_it_as_its_own(
    typed: str, kept: str, in_english: str, in_german: str
) -> None:
    one = field("7.250")
    with translation.override("de"):
        assert as_kept(typed, one) == kept
        assert as_filled_in(kept, one) == in_german
    assert as_filled_in(kept, one) == in_english
    assert as_kept(kept, one) == kept


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("1428,00", "1428.00"), ("1.428,00", "1428.00"), ("1,428.00", "1428.00"), ("1428.00", "1428.00"),
        ("1428", "1428"), ("-12,5", "-12.5"), ("0,125", "0.125"), ("1234,567", "1234.567"), ("1,2500", "1.2500"),
        ("12,12345678", "12.12345678"), ("", ""),
    ],
)  # fmt: skip
def test_what_can_mean_one_number_alone_is_read(typed: str, read: str) -> None:
    with translation.override("de"):
        assert read_value(typed, field("1.00")) == (read, None)


def test_what_could_mean_two_numbers_is_refused_with_both_and_the_rest_as_before() -> None:
    with translation.override("de"):
        for typed, meant in (("1.250", "1250 or 1,25."), ("1,250", "1250 or 1,25."), ("1.234", "1234 or 1,2340.")):
            value, misfit = read_value(typed, field("1.00"))
            assert value == typed
            assert str(misfit) == f"“{typed}” may mean {meant} Write the one that you mean."
            for one in meant.rstrip(".").split(" or "):
                assert read_value(one, field("1.00"))[1] is None, "what is offered can be typed"
        for typed in ("12 EUR", "viel", "1,2,3", "１２"):
            assert "is not a number" in str(read_value(typed, field("1.00"))[1])
        assert read_value("31.12.2026", field("2026-12-30", ValueKind.DATE))[1] is not None
    assert read_value("1.250", field("1.00")) == ("1.250", None), "in English as the document has it"
    assert read_value("1428,00", field("1.00"))[1] is not None
