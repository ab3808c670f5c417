"""Money, times, states and people as they appear on a page."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.http import HttpRequest
from django.template import Context, Template
from django.utils import timezone, translation

from exceptions_app.templatetags import presentation

AT = datetime(2026, 11, 21, 13, 2, 5, tzinfo=UTC)


def render(source: str, **context: object) -> str:
    return Template("{% load presentation %}" + source).render(Context(context))


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (Decimal("1234.5"), "EUR", "1,234.50"),
        (Decimal(-1234567), "EUR", "-1,234,567.00"),
        (Decimal(4210000), "JPY", "4,210,000"),
        (Decimal("12.5"), "KWD", "12.500"),
        (Decimal(7), "CLF", "7.0000"),
        (Decimal(5), "RSD", "5.00"),
        (Decimal("0.00"), "EUR", "0.00"),
        (Decimal("1E+3"), "EUR", "1,000.00"),
        (Decimal("99999999999999999999.99"), "EUR", "99,999,999,999,999,999,999.99"),
    ],
)
def test_amount_has_the_minor_units_of_its_currency(amount: Decimal, currency: str, shown: str) -> None:
    assert presentation.format_amount(amount, currency=currency) == shown


def test_amount_with_too_many_digits_is_not_rounded_out_of_sight() -> None:
    assert presentation.format_amount(Decimal("10.005"), currency="EUR") == "10.005"
    assert presentation.format_amount(Decimal("10.5"), currency="JPY") == "10.5"


def test_amount_follows_the_language_of_the_reader() -> None:
    with translation.override("de"):
        assert presentation.format_amount(Decimal("1234.5"), currency="EUR") == "1.234,50"


def test_money_shows_the_code_and_escapes_what_it_cannot_read() -> None:
    assert render("{% money amount 'EUR' %}", amount=Decimal("1.5")) == (
        '<span class="money">1.50 <span class="money__currency">EUR</span></span>'
    )
    assert "&lt;b&gt;" in render("{% money amount 'EUR' %}", amount="<b>")
    assert "no amount" in render("{% money amount 'EUR' %}", amount=None)
    assert "no currency" in render("{% money 5 currency %}", currency="")


def test_money_text_has_no_markup() -> None:
    assert render("{% money_text 1428 'EUR' %}") == "1,428.00 EUR"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("is 7430.00, but it comes to 4730.00.", "is 7,430.00 EUR, but it comes to 4,730.00 EUR."),
        ("above the limit of 100000 EUR.", "above the limit of 100,000.00 EUR."),
        ("costs 1234.50 PLN or -0.10", "costs 1,234.50 PLN or -0.10 EUR"),
        ("CEN schematron 1.3.16, 19.00 % or 19.00%", "CEN schematron 1.3.16, 19.00 % or 19.00%"),
        ("31.12.2026x, 12.30.2026, v1.00, /in/1234.00", "31.12.2026x, 12.30.2026, v1.00, /in/1234.00"),
        ("RE-2026-1190 has 2026 VAT lines", "RE-2026-1190 has 2026 VAT lines"),
    ],
)
def test_amounts_in_a_sentence_are_grouped_and_nothing_else_is(text: str, shown: str) -> None:
    assert render("{{ text|with_amounts:'EUR' }}", text=text) == shown


@pytest.mark.parametrize(
    ("value", "currency", "shown"),
    [
        ("14127.96", "EUR", "14,127.96 EUR"),
        ("10.005", "EUR", "10.005 EUR"),
        ("1,428.00", "EUR", "1,428.00"),
        ("1_428", "EUR", "1_428"),
        ("14127.96", "", "14127.96"),
        (None, "EUR", ""),
    ],
)
def test_value_of_a_field_is_grouped_only_when_it_is_a_well_formed_amount(
    value: str | None, currency: str, shown: str
) -> None:
    assert render("{% field_text value currency %}", value=value, currency=currency) == shown


def test_zone_of_the_times_is_named_with_its_short_name() -> None:
    with timezone.override("UTC"):
        assert render("{% time_zone_note %}") == "UTC"
    with timezone.override("Asia/Tokyo"):
        assert render("{% time_zone_note %}") == "Asia/Tokyo (JST)"


def test_totals_are_never_added_across_currencies() -> None:
    shown = render("{% totals sums %}", sums={"PLN": Decimal(2), "EUR": Decimal(1)})
    assert shown.index("1.00") < shown.index("EUR") < shown.index("2.00") < shown.index("PLN")


@pytest.mark.parametrize(
    ("span", "shown"),
    [
        (timedelta(seconds=30), "0 min"),
        (timedelta(minutes=12), "12 min"),
        (timedelta(hours=2, minutes=5), "2h 5m"),
        (timedelta(days=3, hours=4, minutes=59), "3d 4h"),
        (timedelta(days=8), "8d"),
        (timedelta(seconds=-5), "0 min"),
    ],
)
def test_age_names_the_two_largest_units(span: timedelta, shown: str) -> None:
    assert f">{shown}</time>" in render("{% age at now %}", at=AT - span, now=AT)


def test_age_in_german_where_babel_has_no_narrow_hours() -> None:
    with translation.override("de"):
        assert ">2 Std. 5 Min.</time>" in render("{% age at now %}", at=AT - timedelta(hours=2, minutes=5), now=AT)


def test_exact_time_in_the_title_has_seconds_and_offset() -> None:
    with timezone.override("Europe/Berlin"):
        shown = render("{% local_time at %}", at=AT)
    assert shown == (
        '<time datetime="2026-11-21T13:02:05Z" title="21 Nov 2026, 14:02:05 UTC+01:00">21 Nov 2026, 14:02</time>'
    )


def test_since_counts_in_whole_words() -> None:
    assert ">3 days ago</time>" in render("{% since at now %}", at=AT - timedelta(days=3), now=AT)


def test_business_date_is_not_shifted_by_a_time_zone() -> None:
    with timezone.override("America/Los_Angeles"):
        assert render("{% business_date day %}", day=date(2026, 11, 3)) == (
            '<time datetime="2026-11-03">3 Nov 2026</time>'
        )


@pytest.mark.parametrize(
    ("left", "modifier", "words"),
    [
        (timedelta(hours=-3), "due--overdue", "3h over"),
        (timedelta(hours=2), "due--soon", "in 2h"),
        (timedelta(days=3), '"due"', "in 3d"),
    ],
)
def test_due_says_in_words_what_its_colour_says(left: timedelta, modifier: str, words: str) -> None:
    shown = render("{% due at now %}", at=AT + left, now=AT)
    assert modifier in shown
    assert f">{words}</time>" in shown


def test_missing_times_are_words_and_no_gaps() -> None:
    shown = render("{% age at %}|{% since at %}|{% local_time at %}|{% due at %}|{% business_date at %}", at=None)
    assert [part.split(">")[1].split("<")[0] for part in shown.split("|")] == [
        "none",
        "never",
        "none",
        "no due time",
        "no date",
    ]


def test_state_look_of_an_unknown_state_is_neutral() -> None:
    assert presentation.state_look("outcome_unknown") == presentation.Look(
        "warning", "outcome-unknown", "Outcome unknown"
    )
    assert presentation.state_look("somewhere_else") == presentation.Look("neutral", "new", "Somewhere else")


@pytest.mark.parametrize(("given", "level"), [(1, "p1"), ("P2", "p2"), ("p3", "p3"), ("4", "p4"), ("high", "p4")])
def test_priority_level_reads_numbers_and_codes(given: int | str, level: str) -> None:
    assert presentation.priority_level(given) == level


@pytest.mark.parametrize(
    ("name", "letters"), [("Clara Lindqvist", "CL"), ("clara", "C"), ("anna maria de sousa", "AS"), ("", "")]
)
def test_initials_are_first_and_last(name: str, letters: str) -> None:
    assert presentation.initials(name) == letters


def test_path_breaks_only_after_slashes_and_escapes() -> None:
    assert presentation.path_breaks("/Invoice/<b>") == "/<wbr>Invoice/<wbr>&lt;b&gt;"


def test_preference_accepts_known_values_only() -> None:
    request = HttpRequest()
    request.COOKIES = {"theme": "dark", "density": '"><script>'}
    assert render("{% preference 'theme' %} {% preference 'density' %}", request=request) == "dark comfortable"
    assert render("{% preference 'theme' %}") == "system"


def test_icon_is_silent_unless_it_has_a_label() -> None:
    assert 'aria-hidden="true"' in render("{% icon 'lock' %}")
    assert 'role="img" aria-label="Locked"' in render("{% icon 'lock' label='Locked' %}")
