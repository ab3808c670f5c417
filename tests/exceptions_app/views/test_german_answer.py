"""The answer card on a German page: whole German sentences of it, and beside each the English one, to the letter."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import translation

from exceptions_app.answer_words import Answer, answer_of
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.answers import History
from exceptions_app.states import Kind, Outcome, State
from integrations.connectors.registry import get_connector
from integrations.refusals import Category
from tests import factories
from tests.cast import MORNING, Cast
from tests.exceptions_app.views.test_case_paper import read
from tests.german_pages import GERMAN

pytestmark = pytest.mark.django_db

WRONG = "The account needs a cost centre."
LATER = MORNING + timedelta(days=3)
HISTORY = History(5, timedelta(hours=3), timedelta(hours=32))
EXPECTED_DE = (
    "Von den letzten 5 geschlossenen Klärfällen mit dieser Ursache dauerte die Hälfte höchstens 3 Stunden, neun von "
    "zehn höchstens 1 Tag"
)
# What follows of one that nobody has, in both languages.
WAITS_EN = (
    " Nobody has it yet; it waits in E-invoicing. There is no history of such exceptions yet. Nothing is needed from "
    "the customer."
)
WAITS_DE = (
    " Noch ist niemand zuständig; der Klärfall wartet im Korb E-invoicing. Zu solchen Klärfällen gibt es noch keine "
    "Erfahrungswerte. Vom Kunden wird nichts benötigt."
)


def make(cast: Cast, **as_it_stands: Any) -> ExceptionCase:
    """Kept as it came in, and standing in memory as said: how it came to stand so is no matter of its words."""
    case = factories.make_case(cast, number="4711", counterparty="Nordwind GmbH", errors=[factories.error(plain=WRONG)])
    for name, value in as_it_stands.items():
        setattr(case, name, value)
    return case


def answered(
    case: ExceptionCase, language: str, *, connector: str = "en16931", history: History | None = None,
    is_changed: bool = False,
) -> Answer:  # fmt: skip
    with translation.override(language):
        return answer_of(case, get_connector(connector).words, history, is_changed=is_changed)


def test_card_of_a_refused_invoice_is_german_on_a_german_page(cast: Cast, signed_in):
    for hours in (1, 2, 3, 4, 50):
        closed = factories.make_case(cast)
        factories.dismiss(closed, cast.clerk, approver=cast.controller, at=MORNING + timedelta(hours=hours))
    case = make(cast)
    browser, address = signed_in(cast.support), reverse("exceptions:answer", args=[case.ref])
    answer = browser.get(address, **GERMAN).context["answer"]
    assert answer.sentence == (
        "Am 2. November 2026 hat die Finanzverwaltung Rechnung 4711 (Nordwind GmbH) über 1.250,00 EUR abgewiesen: Das "
        "Konto braucht eine Kostenstelle. Noch ist niemand zuständig; der Klärfall wartet im Korb E-invoicing. Von den "
        "letzten 5 geschlossenen Klärfällen mit dieser Ursache dauerte die Hälfte höchstens 3 Stunden. Vom Kunden wird "
        "nichts benötigt."
    )
    assert (answer.wrong, answer.expected) == ("Das Konto braucht eine Kostenstelle.", EXPECTED_DE)
    assert answer.where == "E-invoicing, Meridian Industries NV; eingegangen über Tax authority"
    assert answer.who == "Noch ist niemand zuständig; der Klärfall wartet im Korb E-invoicing"
    assert answer.to_tell == (
        "Rechnung 4711 hat unterwegs eine formale Prüfung nicht bestanden. Wir kümmern uns darum und reichen erneut "
        "ein; Sie müssen nichts tun."
    )
    assert browser.get(address).context["answer"] == answered(case, "en", history=HISTORY)


@pytest.mark.parametrize(
    ("stands", "connector", "english", "german"),
    [
        pytest.param(
            {"object_type": "payment"}, "iso20022",
            "Payment 4711 to Nordwind GmbH, 1,250.00 EUR, was refused by the bank on 2 November 2026: the account",
            "Am 2. November 2026 hat die Bank Zahlung 4711 an Nordwind GmbH über 1.250,00 EUR abgewiesen: Das Konto",
            id="payment",
        ),
        pytest.param(
            {"object_type": "journal", "sub": "before_posting"}, "erp",
            "Journal entry 4711 for Nordwind GmbH, 1,250.00 EUR, was stopped before it was sent to the ERP on "
            "2 November 2026: the account",
            "Am 2. November 2026 wurde Journalbuchung 4711 für Nordwind GmbH über 1.250,00 EUR angehalten, bevor das "
            "ERP etwas davon erhielt: Das Konto",
            id="stopped here",
        ),
        pytest.param(
            {"object_type": "supplier", "amount": None}, "erp_master",
            "Supplier 4711 was refused by the ERP on 2 November 2026: the account",
            "Am 2. November 2026 hat das ERP Lieferant 4711 abgewiesen: Das Konto",
            id="supplier",
        ),
        pytest.param(
            {"kind": Kind.HELD, "sub": "field_map"}, "erp",
            "Invoice 4711 of Nordwind GmbH, 1,250.00 EUR, could not be translated for the ERP on 2 November 2026: the "
            "account",
            "Am 2. November 2026 konnte Rechnung 4711 (Nordwind GmbH) über 1.250,00 EUR nicht so übersetzt werden, wie "
            "das ERP es braucht: Das Konto",
            id="not translated",
        ),
        pytest.param(
            {"category": Category.RECONCILIATION_BREAK}, "erp",
            "Invoice 4711 of Nordwind GmbH, 1,250.00 EUR, was found by a comparison with the ERP on 2 November 2026: "
            "the account",
            "Am 2. November 2026 fiel Rechnung 4711 (Nordwind GmbH) über 1.250,00 EUR beim Abgleich mit dem auf, was "
            "das ERP hat: Das Konto",
            id="compared",
        ),
        pytest.param(
            {"kind": Kind.HELD, "document_number": "", "counterparty": ""}, "en16931",
            "Invoice without a number, 1,250.00 EUR, was held back on 2 November 2026: the account",
            "Am 2. November 2026 wurde Rechnung ohne Nummer über 1.250,00 EUR angehalten: Das Konto",
            id="held",
        ),
    ],
)  # fmt: skip
def test_what_happened_is_a_sentence_of_its_own_in_each_language(
    cast: Cast, stands: dict[str, Any], connector: str, english: str, german: str
):
    case = make(cast, **stands)
    needs = f"{english} needs a cost centre.{WAITS_EN}", f"{german} braucht eine Kostenstelle.{WAITS_DE}"
    assert tuple(answered(case, one, connector=connector).sentence for one in ("en", "de")) == needs


def test_what_a_policy_holds_is_german_and_nothing_of_it_is_told(cast: Cast):
    case = make(
        cast, kind=Kind.HELD, category=Category.POLICY_HOLD, sub="sanctions", problem="", assignee=cast.clerk,
        state=State.WAITING, held_until=LATER,
    )  # fmt: skip
    answer = answered(case, "de", history=HISTORY)
    assert answer.sentence == (
        "Am 2. November 2026 wurde Rechnung 4711 (Nordwind GmbH) über 1.250,00 EUR angehalten. Der Klärfall ist bis "
        "zum 5. November 2026 zurückgestellt. Zuständig ist Clara Clerk. Eine Vorgabe hält den Vorgang an; wann es "
        "weitergeht, lässt sich nicht sagen. Beim Kunden darf dazu nicht nachgefragt werden."
    )
    assert answer.expected == "Eine Vorgabe hält den Vorgang an: Wann es weitergeht, lässt sich nicht sagen"
    assert answer.to_tell == "Rechnung 4711 wird bearbeitet. Wann das abgeschlossen ist, können wir noch nicht sagen."
    assert answer.for_reader_alone
    assert answered(case, "en", history=HISTORY).sentence == (
        "Invoice 4711 of Nordwind GmbH, 1,250.00 EUR, was held back on 2 November 2026. It is on hold until 5 November "
        "2026. Clara Clerk has it. It is on hold by policy; when it goes on cannot be said. Nothing may be asked of "
        "the customer about it."
    )


@pytest.mark.parametrize(
    ("state", "german", "english"),
    [
        (
            State.REPLAYING,
            "Der Vorgang ist genehmigt und unterwegs; das Ziel ist die Finanzverwaltung.",
            "It is approved and on its way to the tax authority.",
        ),
        (
            State.OUTCOME_UNKNOWN,
            "Der Vorgang wurde gesendet; ob die Finanzverwaltung ihn angenommen hat, ist noch nicht bekannt.",
            "It was sent to the tax authority, and it is not known yet whether it was taken.",
        ),
    ],
)
def test_what_is_on_its_way_is_german(cast: Cast, state: State, german: str, english: str):
    case = make(cast, state=state, problem="")
    answer, told = answered(case, "de"), answered(case, "en")
    assert answer.sentence == (
        "Am 2. November 2026 hat die Finanzverwaltung Rechnung 4711 (Nordwind GmbH) über 1.250,00 EUR abgewiesen. "
        f"{german} Das wird gerade geprüft; wann die Prüfung endet, lässt sich nicht sagen. Vom Kunden wird nichts "
        "benötigt."
    )
    assert answer.expected == (
        "Es wird geprüft, ob der Vorgang angenommen wurde: Wann die Prüfung endet, lässt sich nicht sagen"
    )
    assert answer.to_tell == "Rechnung 4711 wird bei uns geprüft. Sie müssen nichts tun."
    assert f"on 2 November 2026. {english} It is being checked; when that ends cannot be said." in told.sentence


@pytest.mark.parametrize(
    ("stands", "german", "english"),
    [
        (
            {"state": State.RESOLVED, "reference": "5100000123"},
            "Das ERP hat den Vorgang am 5. November 2026 angenommen (Beleg 5100000123).",
            "The ERP took it under document 5100000123 on 5 November 2026.",
        ),
        (
            {"state": State.RESOLVED},
            "Das ERP hat den Vorgang am 5. November 2026 angenommen.",
            "The ERP took it on 5 November 2026.",
        ),
        (
            {"state": State.RESOLVED, "outcome": Outcome.REVERSED},
            "Die Buchung wurde am 5. November 2026 storniert.",
            "Its booking was reversed on 5 November 2026.",
        ),
        (
            {"state": State.DISMISSED},
            "Der Vorgang wurde am 5. November 2026 geschlossen, ohne gesendet zu werden.",
            "It was closed without being sent on 5 November 2026.",
        ),
    ],
)
def test_how_it_ended_is_german(cast: Cast, stands: dict[str, Any], german: str, english: str):
    case = make(cast, problem="", closed_at=LATER, **stands)
    answer, told = answered(case, "de", connector="erp"), answered(case, "en", connector="erp")
    assert answer.sentence == (
        f"Am 2. November 2026 hat das ERP Rechnung 4711 (Nordwind GmbH) über 1.250,00 EUR abgewiesen. {german}"
    )
    assert told.sentence == (
        f"Invoice 4711 of Nordwind GmbH, 1,250.00 EUR, was refused by the ERP on 2 November 2026. {english}"
    )
    assert (answer.who, answer.expected) == (
        "Niemand ist zuständig: Der Klärfall ist geschlossen", "Der Klärfall ist geschlossen",
    )  # fmt: skip
    if told.to_tell:
        assert answer.to_tell == "Rechnung 4711 ist bei uns abgeschlossen."
    else:
        assert answer.to_tell == ""
        assert answer.why_not == (
            "Fragen Sie im Korb E-invoicing nach, bevor etwas gesagt wird: Der Vorgang wurde nicht so abgeschlossen, "
            "wie er einging."
        )


@pytest.mark.parametrize(
    ("stands", "german", "english"),
    [
        (
            {},
            "Der Inhalt wurde seither korrigiert und lautet jetzt auf 1.250,00 EUR.",
            "It was corrected since, and says 1,250.00 EUR now.",
        ),
        (
            {"sub": "field_map"},
            "Der Inhalt wurde seither geändert und lautet jetzt auf 1.250,00 EUR.",
            "It was changed since, and says 1,250.00 EUR now.",
        ),
        ({"amount": None}, "Der Inhalt wurde seither korrigiert.", "It was corrected since."),
        ({"amount": None, "sub": "field_map"}, "Der Inhalt wurde seither geändert.", "It was changed since."),
    ],
)
def test_what_was_changed_since_is_german(cast: Cast, stands: dict[str, Any], german: str, english: str):
    case = make(cast, **stands)
    told = [answered(case, one, is_changed=True).sentence for one in ("de", "en")]
    assert f" Kostenstelle. {german} Noch ist niemand" in told[0]
    assert f" cost centre. {english} Nobody has it" in told[1]
    assert "1.250,00" not in told[0].partition(german)[0]


TOLD_IN_GERMAN = {
    Category.TRANSPORT: "konnte aus technischen Gründen noch nicht weitergeleitet werden. Sie müssen nichts tun.",
    Category.SCHEMA: "wird in unserer Buchhaltung geprüft; danach geht es weiter. Sie müssen nichts tun.",
    Category.MASTER_DATA: "wird in unserer Buchhaltung geprüft. Wir fragen bei Ihnen nach, falls wir eine Bestätigung "
    "brauchen.",
    Category.DUPLICATE: "sieht aus wie ein Vorgang, den wir schon haben. Wir vergleichen beide, bevor es weitergeht.",
    Category.PAYMENT_FAILURE: "konnte noch nicht ausgeführt werden. Wir gehen dem nach und fragen bei Ihnen nach, "
    "falls Sie Ihre Bankverbindung bestätigen müssen.",
}


@pytest.mark.parametrize(("category", "words"), TOLD_IN_GERMAN.items())
def test_what_may_be_told_is_german(cast: Cast, category: Category, words: str):
    assert answered(make(cast, category=category), "de").to_tell == f"Rechnung 4711 {words}"


@pytest.mark.parametrize("state", [State.NEW, State.OUTCOME_UNKNOWN, State.RESOLVED])
@pytest.mark.parametrize("category", Category)
def test_what_may_be_told_in_german_has_nothing_of_the_inside(cast: Cast, category: Category, state: State):
    case = make(cast, category=category, state=state, assignee=cast.clerk, reference="CLR-9")
    told = answered(case, "de").to_tell
    assert told.startswith("Rechnung 4711 ")
    inside = ("Nordwind", "1.250", "E-invoicing", "Clara", "Finanzverwaltung", "Kostenstelle", "CLR-9", "November")
    assert [word for word in inside if word in told] == []
    assert told != answered(case, "en").to_tell


def test_names_and_what_no_catalogue_knows_stay_as_they_are(cast: Cast):
    """A partner who is called as a state is; a problem in the words of a check; a name with braces."""
    case = make(cast, counterparty="New", problem="The line {0} has 3,000.50 too much.", document_number="{day}")
    assert answered(case, "de").sentence.startswith(
        "Am 2. November 2026 hat die Finanzverwaltung Rechnung {day} (New) über 1.250,00 EUR abgewiesen: the line {0} "
        "has 3.000,50 EUR too much. Noch ist niemand zuständig"
    )
    cast.clerk.first_name, cast.clerk.last_name = "New", ""
    case.assignee = cast.clerk
    answer = answered(case, "de")
    assert answer.who == "New"
    assert " Zuständig ist New. " in answer.sentence


def test_days_and_spans_are_spelled_in_german(cast: Cast):
    case = make(cast, opened_at=datetime.fromisoformat("2026-03-31T09:30:00+00:00"))
    answer = answered(case, "de", history=History(5, timedelta(minutes=12), timedelta(days=2)))
    assert answer.sentence.startswith("Am 31. März 2026 hat ")
    assert "dauerte die Hälfte höchstens 12 Minuten." in answer.sentence
    assert answer.expected.endswith("dauerte die Hälfte höchstens 12 Minuten, neun von zehn höchstens 2 Tage")


def test_paper_is_english_whoever_makes_it(cast: Cast, signed_in):
    case = make(cast)
    address = reverse("exceptions:case_evidence", args=[case.ref])
    told = read(signed_in(cast.support).get(address, **GERMAN))
    assert "wasrefusedbythetaxauthorityon2November2026:theaccountneedsacostcentre." in told
    assert "abgewiesen" not in told
