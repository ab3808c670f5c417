"""Random amounts of every currency from the source to the target: read, shown, typed, corrected, written, told.

By a field map from the source's own notation to the document of the target, then by hands in two languages, and what
comes of it as a target is sent it, as a column holds it and as a table says it. Not one digit may be another.
"""

import csv
import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from time import process_time
from typing import Any

import pytest
from babel import Locale
from babel.numbers import get_currency_precision
from django.db import connection as database
from django.utils import translation
from django.utils.timezone import localdate

from audit.spreadsheets import csv_row
from exceptions_app.amounts import in_its_decimals, read_amount
from exceptions_app.models import ExceptionCase
from exceptions_app.notation import as_written, read_value
from integrations import safe_json
from integrations.connectors.erp import connector
from integrations.fieldmaps.active import MapVersion, Versioned, translate_by
from integrations.records.record import RecordField, ValueKind

SHARE = float(os.environ.get("NIGHTLY_SHARE", "1"))
LINES = 100
CURRENCIES = sorted(code for code in map(str, Locale("en").currencies) if len(code) == 3)
DIGITS = 15  # before the point, as a column holds; those of a document may be more
MAY_BE_GROUPED = re.compile(r"-?\d{1,3},\d{3}")
MAP = json.dumps({"rules": [
    {"to": "/company", "value": "NL01"},
    {"to": "/reference", "from": "/ref"},
    {"to": "/posting_date", "from": "/day"},
    {"to": "/currency", "from": "/currency"},
    {"to": "/lines", "each": "/rows", "rules": [
        {"to": "/account", "from": "/account"},
        {"to": "/debit", "from": "/in", "as": "decimal", "decimal_mark": ","},
        {"to": "/credit", "from": "/out", "as": "decimal", "decimal_mark": ","},
    ]},
]})  # fmt: skip
INBOUND = [Versioned(MapVersion("inbound", "journal", 1), MAP)]


@dataclass(frozen=True, slots=True)
class Line:
    """What the source says, and what somebody makes of it; of every seventh nothing is changed."""

    amount: Decimal
    typed: Decimal | None


def drawn(random: Random, currency: str) -> Decimal:
    """Of any length, with the currency's own decimals, with none, or with more than it has."""
    decimals = random.choice((get_currency_precision(currency),) * 6 + (0, 1, 6))
    whole = random.randrange(10 ** random.randint(1, DIGITS))
    return Decimal(f"{random.choice(('', '', '-'))}{whole}").scaleb(-min(decimals, 6))


def plain(amount: Decimal) -> str:
    return f"{amount:f}"


def with_comma(amount: Decimal) -> str:
    return plain(amount).replace(".", ",")


def grouped(amount: Decimal, *, comma: bool) -> str:
    """As people and their programs write it, with thousands apart; clear only with decimals or two separators."""
    text = f"{amount:,f}"
    return text.translate(str.maketrans(",.", ".,")) if comma else text


def documents(random: Random, amounts: int) -> Iterator[tuple[str, list[Line]]]:
    for number in range(amounts // LINES):
        currency = CURRENCIES[number % len(CURRENCIES)]
        yield (
            currency,
            [Line(drawn(random, currency), drawn(random, currency) if place % 7 else None) for place in range(LINES)],
        )


def source(currency: str, lines: list[Line]) -> bytes:
    rows = [
        {"account": f"4{place:05}", ("in", "out")[place % 2]: with_comma(line.amount)}
        for place, line in enumerate(lines)
    ]
    return json.dumps({"ref": "J-1", "day": "2026-11-02", "currency": currency, "rows": rows}).encode()


def side(place: int) -> str:
    return f"/lines/{place}/{('debit', 'credit')[place % 2]}"


def typed_in(line: Line, field: RecordField, random: Random) -> str:
    """What the form makes of what somebody types, in one of two languages, in that language's notation.

    Where that may mean two amounts nothing is guessed, and they write one decimal more.
    """
    assert line.typed is not None
    with translation.override(random.choice(("en", "de"))):
        comma = as_written(replace(field, value="1.5")) == "1,5"
        text = with_comma(line.typed) if comma else plain(line.typed)
        value, misfit = read_value(text, field)
        if misfit is not None and MAY_BE_GROUPED.fullmatch(text):
            assert value == text
            value, misfit = read_value(f"{text}0", field)
    assert misfit is None, (line, misfit)
    return value


def play(amounts: int, *, seed: int) -> int:
    random, told = Random(seed), 0  # noqa: S311 - repeatable, not secret
    began = process_time()
    for currency, lines in documents(random, amounts):
        found = translate_by(INBOUND, payload=source(currency, lines), media_type="application/json", context={})
        assert not [fault for fault in found.faults if "/debit" in fault.canonical or "/credit" in fault.canonical]
        came_in = as_target_has_it(found.payload)
        assert values(came_in) == [line.amount for line in lines]
        fields = {field.path: field for field in connector.read(came_in).fields if field.kind is ValueKind.AMOUNT}
        changes = {
            side(place): typed_in(line, fields[side(place)], random)
            for place, line in enumerate(lines)
            if line.typed is not None and line.typed != line.amount
        }
        sent = connector.correct(came_in, connector.operations_for(came_in, changes))
        wanted = [line.amount if line.typed is None else line.typed for line in lines]
        assert values(sent) == wanted
        shown = {field.path: field.value for field in connector.read(sent).fields}
        assert [shown[side(place)] for place in range(LINES)] == [
            changes.get(side(place), plain(line.amount)) for place, line in enumerate(lines)
        ]
        people_and_tables(wanted, currency)
        told += len(lines)
    print(f"{told} amounts of {len(CURRENCIES)} currencies in {process_time() - began:.0f} s of computing")
    return told


def as_target_has_it(payload: bytes) -> bytes:
    """The canonical document, as the ERP takes it: with its type."""
    content = safe_json.loads(payload)
    content["type"] = "journal"
    return json.dumps(content).encode()


def values(payload: bytes) -> list[Decimal]:
    """Never by way of a float: of a text or of a number, digit by digit."""
    lines = safe_json.loads(payload)["lines"]
    return [Decimal(str(line[("debit", "credit")[place % 2]])) for place, line in enumerate(lines)]


def people_and_tables(amounts: list[Decimal], currency: str) -> None:
    for amount in amounts:
        shown = in_its_decimals(amount, currency)
        assert shown == amount
        for comma in (True, False):
            read = read_amount(f"{currency} {grouped(amount, comma=comma)}")
            assert read is not None
            assert amount in read.values
            assert read.currency == currency
    (row,) = csv.reader(io.StringIO(csv_row(amounts).decode()))
    assert [Decimal(cell) for cell in row] == amounts
    column: Any = ExceptionCase._meta.get_field("amount")
    as_stored = f"x::numeric({column.max_digits}, {column.decimal_places})"
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT array_agg({as_stored} ORDER BY n) FROM unnest(%s::numeric[]) WITH ORDINALITY given (x, n)",  # noqa: S608
            [amounts],
        )
        assert cursor.fetchone()[0] == amounts


@pytest.mark.django_db
def test_random_amounts_stay_what_they_are():
    assert play(1_000, seed=1) == 1_000


@pytest.mark.django_db
@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_hundred_thousand_amounts_stay_what_they_are():
    """Others each night, in documents of every currency there is."""
    wanted = max(round(100_000 * SHARE), 2_000) // LINES * LINES
    assert play(wanted, seed=localdate().toordinal()) == wanted
