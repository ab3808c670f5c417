"""What a German page says is wrong, and what to do: the words of our own tables of codes, which are kept in English."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from exceptions_app.views.sparklines import arrivals_chart
from exceptions_app.wording import shown
from integrations.connectors.iso20022.codes import reason_of
from integrations.connectors.iso20022.remedies import remedy_of
from tests.arrivals import configure
from tests.cast import MORNING, Cast
from tests.exceptions_app.test_kinds_side_by_side import UNBALANCED, take_in
from tests.exceptions_app.views.repair import text_of
from tests.german_pages import GERMAN

pytestmark = pytest.mark.django_db


def page(client: Client, name: str, *args: str, **query: str) -> str:
    return text_of(client.get(reverse(f"exceptions:{name}", args=args), query, **GERMAN).content.decode())


@pytest.fixture
def posting(cast: Cast):
    configure(cast.connection, connector="erp")
    return take_in(cast, UNBALANCED)


def test_page_of_a_refused_posting_says_in_german_what_is_wrong_and_what_to_do(cast: Cast, posting, signed_in):
    whole = page(signed_in(cast.clerk), "case", posting.ref)
    shown = whole.partition("Verlauf")[0]
    for words in (
        "Das Konto braucht eine Kostenstelle.",
        "Geben Sie die Kostenstelle ein, die es trägt.",
        "Die Kostenstelle soll bald geschlossen werden.",
        "Nachricht KI/235",
        "Im Wortlaut des ERP",
        "Position 1: Kostenstelle",
    ):
        assert words in shown, words
    assert "Genehmigen kann es Conrad Controller." in whole
    for words in ("As the ERP said it", "Line 1", "needs a cost centre", "Enter the cost centre", " can."):
        assert words not in shown, words


def test_what_is_kept_and_what_a_program_reads_stays_english(cast: Cast, posting, signed_in):
    client = signed_in(cast.clerk)
    page(client, "case", posting.ref)
    told = client.get(f"/api/v1/exceptions/{posting.ref}", **GERMAN).json()
    assert told["problem"] == posting.problem == "The account needs a cost centre."
    assert posting.cause.title == "The account needs a cost centre."


@pytest.mark.parametrize("name", ["causes", "queue"])
def test_lists_say_the_problem_in_german(cast: Cast, posting, signed_in, name: str):
    assert "Das Konto braucht eine Kostenstelle." in page(signed_in(cast.clerk), name)


def test_page_of_a_cause_is_headed_in_german(cast: Cast, posting, signed_in):
    assert "Das Konto braucht eine Kostenstelle." in page(signed_in(cast.clerk), "cause", posting.cause.ref)


def test_keys_and_tokens_of_the_search_are_german(cast: Cast, signed_in):
    client = signed_in(cast.clerk)
    keys, search = page(client, "keys"), page(client, "search")
    assert all(title in keys for title in ("Überall", "In einer Liste", "In einem Klärfall"))
    assert "Gesellschaft, nach ihrem Code" in search
    assert "legal entity, by its code" not in search


def test_what_the_search_leaves_out_is_said_in_german(cast: Cast, signed_in):
    searched = page(signed_in(cast.clerk), "search", q="amount:>1.250 queue:nowhere")
    assert (
        "„amount:>1.250“ wurde weggelassen. „1.250“ kann man auf zwei Arten lesen. Schreiben Sie 1.250,00 oder 1,25."
        in searched
    )
    assert f"„queue:nowhere“ wurde weggelassen. Es gibt {cast.einvoicing.slug}" in searched
    assert "was left out" not in searched


def test_reasons_of_banks_have_german_words():
    with translation.override("de"):
        assert shown(reason_of("AC06").plain) == "Das Konto ist gesperrt; darauf kann nichts gebucht werden."
        assert shown(remedy_of("AC06")).startswith("Fragen Sie die empfangende Seite")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "1,203 arrived in the last 3 days, 3 today; most on 29 Nov: 1,200."),
        ("de", "1.203 sind in den letzten 3 Tagen eingegangen, 3 heute; die meisten am 29. Nov.: 1.200."),
    ],
)
def test_trend_is_said_in_the_readers_language(language: str, words: str):
    with translation.override(language):
        assert arrivals_chart([0, 1200, 3], last_day=MORNING.date().replace(month=11, day=30)).words == words
