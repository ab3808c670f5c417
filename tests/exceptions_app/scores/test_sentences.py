"""Why an exception has its points is kept in English, and shown in the reader's language, whenever it was kept."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from exceptions_app.states import Clock
from exceptions_app.templatetags.wording import reason_of_score
from exceptions_app.triage.score import Facts, Rate, Rates, score_of
from exceptions_app.triage.sentences import read_back
from exceptions_app.wording import Said
from tests.exceptions_app.scores.test_score import MONDAY, NOTHING

RATES = Rates("EUR", {"USD": Rate(Decimal("1.25"), MONDAY)})
FACTS = [
    *(replace(NOTHING, clock=clock, opened_on=MONDAY - timedelta(days=ago)) for clock in Clock for ago in range(9)),
    *(replace(NOTHING, due_on=MONDAY + timedelta(days=days)) for days in range(-3, 8)),
    *(replace(NOTHING, discount_until=MONDAY + timedelta(days=days)) for days in range(8)),
    *(replace(NOTHING, amount=Decimal("1234567.5"), currency=currency) for currency in ("EUR", "USD", "JPY")),
    *(replace(NOTHING, waiting=number) for number in (1, 2, 1000)),
]


@pytest.mark.parametrize("facts", FACTS)
def test_what_is_kept_of_a_reason_is_read_back_and_has_no_english_left_in_german(facts: Facts):
    for reason in score_of(facts, RATES).as_json():
        for kept in (str(reason["text"]), str(reason["short"])):
            assert isinstance(read_back(kept), Said)
            assert reason_of_score(kept) == kept
            with translation.override("de"):
                told = reason_of_score(kept)
            assert told not in ("", kept)
            assert {"day", "days", "left", "the", "of", "is"}.isdisjoint(told.replace(".", " ").split())


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ("It was due on 2 March 2026.", "Er war am 2. März 2026 fällig."),
        ("SdI takes it until 14 November 2026; 5 days left.", "SdI nimmt ihn bis zum 14. November 2026; noch 5 Tage."),
        ("It is due on 9 November 2026: the last day.", "Er ist am 9. November 2026 fällig: der letzte Tag."),
        (
            "987,654.00 EUR are at stake, by the rate of 9 November 2026.",
            "Es geht um 987.654,00 EUR, nach dem Kurs vom 9. November 2026.",
        ),
        ("KSeF: last day", "KSeF: letzter Tag"),
        ("What nobody says any more.", "What nobody says any more."),
    ],
)
def test_dates_and_amounts_of_a_reason_are_in_the_notation_of_the_reader(kept: str, told: str):
    assert reason_of_score(kept) == kept
    with translation.override("de"):
        assert reason_of_score(kept) == told
