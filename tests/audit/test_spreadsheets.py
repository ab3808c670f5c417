import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.spreadsheets import csv_row, guarded


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "-12.50",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "\x00=1",
        "\tplain",
        "\rplain",
        "\nplain",
        "\x00plain",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
        " =1",
        "   +1",
        "\u00a0=1",
        "\u200b=1",
        "\ufeff=1",
        "\x0b-1",
        '"=1"',
        "'=1",
        "' =1",
        '""=1',
        "“=1”",
        ";=1",
        ",=1",
        "|=1",
        "﹣1",
        "⁺1",
        "\N{MINUS SIGN}1",
    ],
)
def test_text_that_a_spreadsheet_could_compute_is_guarded(text):
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Approved",
        "EX-000104",
        "a=b",
        "1+1",
        "100-200",
        "a@example.test",
        "'quoted'",
        '"quoted"',
        "{}",
        "Ärger",
        " ",
        "5 = 5",
        "»x«",
    ],
)
def test_plain_text_stays_as_it_is(text):
    assert guarded(text) == text


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, b""),
        (-12, b"-12"),
        (Decimal("-1234.50"), b"-1234.50"),
        (Decimal("1E+3"), b"1000"),
        (True, b"true"),
        ("-12", b'"\'-12"'),
        ('say "yes", please\r\nnow', b'"say ""yes"", please\r\nnow"'),
        (datetime(2026, 3, 2, 12, tzinfo=UTC), b"2026-03-02T12:00:00.000000Z"),
        (date(2026, 3, 2), b"2026-03-02"),
        (UUID(int=1), b"00000000-0000-0000-0000-000000000001"),
        ("Müller", '"Müller"'.encode()),
    ],
)
def test_cell_is_written_by_its_type(value, cell):
    assert csv_row([value, 1]) == cell + b",1\r\n"


@pytest.mark.parametrize(
    ("value", "error"),
    [(1.5, TypeError), (b"x", TypeError), (Decimal("NaN"), ValueError), (Decimal("Infinity"), ValueError)],
)
def test_value_that_a_cell_cannot_hold_is_refused(value, error):
    with pytest.raises(error):
        csv_row([value])


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), min_size=1, max_size=4))
def test_any_text_is_one_cell_and_never_a_formula(texts):
    (row,) = csv.reader(io.StringIO(csv_row(texts).decode(), newline=""), strict=True)
    assert row == [guarded(text) for text in texts]
    assert not any(cell[:1] in tuple("=+-@\t\r\n") for cell in row if cell)
