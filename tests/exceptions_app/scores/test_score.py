"""What a score is made of: each reason at its steps, in plain words; what is not known says so."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from exceptions_app.discounts import discount_until
from exceptions_app.states import Clock
from exceptions_app.triage import weights
from exceptions_app.triage.calendar import business_days_between, is_business_day, next_business_day
from exceptions_app.triage.clocks import deadline_of
from exceptions_app.triage.score import Facts, Rate, Rates, Score, score_of
from integrations.connectors.en16931 import connector
from tests.exceptions_app.views.repair import with_value
from tests.invoices import valid_invoice

MONDAY = date(2026, 11, 9)
NOTHING = Facts(
    today=MONDAY, country="NL", opened_on=MONDAY, amount=None, currency="", due_on=None, discount_until=None,
    clock=None, waiting=0,
)  # fmt: skip
FRIDAY = date(2026, 11, 6)
RATES = Rates("EUR", {"USD": Rate(Decimal("1.25"), FRIDAY), "PLN": Rate(Decimal("4"), date(2026, 11, 5))})


def scored(rates: Rates = RATES, **facts: object) -> Score:
    return score_of(replace(NOTHING, **facts), rates)  # type: ignore[arg-type]


def only(score: Score) -> tuple[str, int, str, str]:
    [reason] = score.reasons
    assert score.points == reason.points
    return reason.about, reason.points, reason.text, reason.short


def test_of_what_nothing_makes_urgent_there_is_no_reason():
    assert scored() == Score(0, ())


@pytest.mark.parametrize(
    ("amount", "points"),
    [("999.99", None), ("1000", 5), ("9999.99", 5), ("10000", 12), ("100000", 20), ("1000000", 25), ("-1000000", 25)],
)
def test_money_counts_by_orders_of_magnitude_whatever_its_sign(amount: str, points: int | None):
    score = scored(amount=Decimal(amount), currency="EUR")
    assert score.points == (points or 0)
    assert len(score.reasons) == (points is not None)


def test_money_in_another_currency_counts_by_a_dated_rate():
    assert only(scored(amount=Decimal("12500"), currency="USD")) == (
        "money", 12, "10,000.00 EUR are at stake, by the rate of 6 November 2026.", "amount",
    )  # fmt: skip


def test_money_between_two_currencies_goes_by_the_older_rate():
    rates = replace(RATES, group_currency="PLN")
    assert only(scored(rates, amount=Decimal("12500"), currency="USD"))[2] == (
        "40,000.00 PLN are at stake, by the rate of 5 November 2026."
    )
    assert only(scored(rates, amount=Decimal("2500"), currency="EUR"))[1] == 12


def test_missing_rate_is_a_reason_and_never_a_guess():
    assert only(scored(amount=Decimal(10**9), currency="JPY")) == (
        "money", 0, "No rate between JPY and EUR of the last 7 days is known, so its amount does not count.",
        "no rate for JPY",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("days", "points", "short"),
    [(-30, 20, "past due"), (0, 20, "due: last day"), (1, 16, "due: 1 day"),
     (2, 12, "due: 2 days"), (5, 6, "due: 4 days"), (7, 6, "due: 5 days"),
     (8, None, "")],
)  # fmt: skip
def test_due_date_counts_in_business_days(days: int, points: int | None, short: str):
    score = scored(due_on=MONDAY + timedelta(days=days))
    if points is None:
        assert score.reasons == ()
    else:
        assert only(score)[1::2] == (points, short)


def test_due_on_a_weekend_is_the_last_day_on_the_friday():
    assert only(scored(today=FRIDAY, opened_on=FRIDAY, due_on=FRIDAY + timedelta(days=2)))[3] == "due: last day"


def test_discount_counts_until_it_is_lost():
    assert only(scored(discount_until=MONDAY)) == (
        "discount", 12, "Its cash discount ends on 9 November 2026: the last day.", "discount: last day",
    )  # fmt: skip
    assert scored(discount_until=MONDAY + timedelta(days=2)).points == 6
    assert scored(discount_until=MONDAY - timedelta(days=1)).reasons == ()
    assert scored(discount_until=MONDAY + timedelta(days=30)).reasons == ()


@pytest.mark.parametrize(
    ("passed", "points", "short"),
    [(0, 15, "SdI: 5 days"), (2, 20, "SdI: 3 days"), (3, 30, "SdI: 2 days"), (4, 40, "SdI: 1 day"),
     (5, 40, "SdI: last day"), (6, 40, "SdI too late")],
)  # fmt: skip
def test_sdi_gives_five_days_by_the_calendar(passed: int, points: int, short: str):
    score = scored(clock=Clock.SDI, country="IT", opened_on=MONDAY - timedelta(days=passed))
    [reason] = [found for found in score.reasons if found.about == "statutory"]
    assert (reason.points, reason.short) == (points, short)


def test_ksef_gives_until_the_next_business_day():
    # 11 November is a holiday in Poland, and a Wednesday in 2026.
    assert deadline_of(Clock.KSEF, date(2026, 11, 10), "PL") == date(2026, 11, 12)
    assert deadline_of(Clock.KSEF, FRIDAY, "PL") == MONDAY
    assert only(scored(clock=Clock.KSEF, country="PL"))[1:] == (
        40, "KSeF takes it until 10 November 2026; 1 day left.", "KSeF: 1 day",
    )  # fmt: skip


def test_what_waits_for_it_counts_up_to_a_few():
    assert only(scored(waiting=1)) == ("waiting", 4, "1 transaction waits for it to be delivered.", "1 waiting")
    assert only(scored(waiting=50))[1:3] == (12, "50 transactions wait for it to be delivered.")


def test_age_counts_in_business_days_up_to_a_few():
    assert only(scored(opened_on=FRIDAY)) == ("age", 1, "It has been open for 1 business day.", "open 1 day")
    assert scored(opened_on=MONDAY - timedelta(days=100)).points == weights.MOST_AGE


def test_reasons_stand_by_their_weight_and_add_up():
    score = scored(amount=Decimal(150000), currency="EUR", due_on=MONDAY, waiting=2, opened_on=FRIDAY)
    assert [(reason.about, reason.points) for reason in score.reasons] == [
        ("due", 20), ("money", 20), ("waiting", 8), ("age", 1),
    ]  # fmt: skip
    assert score.points == 49


def test_last_day_of_a_statutory_clock_outweighs_any_amount():
    assert weights.STATUTORY[0][1] > max(points for _, points in weights.MONEY)


def test_calendar_of_an_unknown_country_is_the_week():
    assert [is_business_day(MONDAY + timedelta(days=number), "XX") for number in range(7)] == [True] * 5 + [False] * 2
    assert next_business_day(FRIDAY, "XX") == MONDAY


def test_calendar_knows_the_holidays_of_a_country():
    assert not is_business_day(date(2026, 12, 25), "DE")
    assert business_days_between(date(2026, 12, 23), date(2026, 12, 28), "DE") == 2  # the 24th and the Monday
    assert business_days_between(MONDAY, FRIDAY, "DE") == 0


@pytest.mark.parametrize(
    ("terms", "days"),
    [
        ("#SKONTO#TAGE=14#PROZENT=2.00#\n#SKONTO#TAGE=7#PROZENT=3.00#", 7),
        ("Payable within 30 days.", None),
        ("#SKONTO#TAGE=x#PROZENT=2.00#", None),
    ],
)
def test_discount_is_read_in_the_form_for_machines_alone(terms: str, days: int | None):
    record = connector.read(with_value(valid_invoice(), "BT-20", terms))
    issued = record.headline.document_date
    assert issued is not None
    assert discount_until(record) == (issued + timedelta(days=days) if days else None)
