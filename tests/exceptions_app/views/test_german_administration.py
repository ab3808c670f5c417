"""German pages of access and its reviews, rules, retention, erasures, emergencies, exchange rates, service accounts."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils.timezone import localdate, now

from exceptions_app.actions.approval_rules import Asked, propose_rule
from exceptions_app.models import AccessReview, ApprovalRule, Emergency, LegalEntity, Queue, RoutingRule
from exceptions_app.wording import Said
from integrations.models import Connection
from tests.cast import MORNING, Cast
from tests.exceptions_app.views import growing_access, growing_kept
from tests.exceptions_app.views.test_exchange_rates import upload, written
from tests.german_pages import GERMAN, left_in_english
from workbench.models import User
from workbench.services import make_service_account, make_service_token

pytestmark = pytest.mark.django_db
# What both languages call by the same word, beside those of every page.
ALIKE = frozenset({"CSV", "Deutsch", "English", "Person", "Person optional", "System"})


def in_english(browser: Client, address: str, names: set[str]) -> set[str]:
    """Headings that are left in English. What tells a name of a person, a place or a role is data."""
    left = left_in_english(browser, address, names=ALIKE)
    return {text for text in left if not any(name in text for name in names)}


def names_of(cast: Cast) -> set[str]:
    people = [*map(str, User.objects.all()), *(one.get_username() for one in User.objects.all())]
    places = [str(one) for model in (Queue, LegalEntity, Connection) for one in model._default_manager.all()]
    return {*people, *places, *Group.objects.values_list("name", flat=True)}


def test_no_heading_of_administration_is_left_in_english(cast: Cast, signed_in):
    growing_access.held_and_kept(cast, 1)
    growing_access.in_an_emergency(cast, 1)
    growing_access.ruled(cast, 1)
    asked = ApprovalRule.objects.get()
    rule = growing_access.led(cast, 1)
    review = growing_access.granted_and_reviewed(cast, 1)
    growing_kept.exchange_rates(cast, 0, 2)
    emergency = Emergency.objects.get()
    addresses = {
        "exceptions:access": "", "exceptions:access_reviews": "", "exceptions:approval_rules": f"?rule={asked.pk}",
        "exceptions:routing_rules": f"?rule={rule.pk}", "exceptions:retention": "", "exceptions:erasures": "",
        "exceptions:emergencies": "", "exceptions:exchange_rates": "?show=all",
    }  # fmt: skip
    found = [f"{reverse(name)}{more}" for name, more in addresses.items()]
    found += [
        reverse("exceptions:access_review", args=[review.pk]), reverse("exceptions:emergency", args=[emergency.ref])
    ]  # fmt: skip
    administrator, names = signed_in(cast.administrator), names_of(cast) | {"Round 1", emergency.ref, "AAA", "AAB"}
    left = {address: in_english(administrator, address, names) for address in found}
    assert {address: texts for address, texts in left.items() if texts} == {}


def test_rules_and_reviews_are_told_in_german_and_kept_in_english(cast: Cast, signed_in):
    asked = Asked(above=Decimal(25000), currency="EUR", approvers=2, entity=cast.netherlands)
    propose_rule(asked, by=cast.administrator, at=MORNING, because="The group's policy.")
    growing_access.led(cast, 1)
    growing_access.held_and_kept(cast, 1)
    browser = signed_in(cast.administrator)
    words = ApprovalRule.objects.get().words
    assert isinstance(words, Said)
    assert words == "above 25,000.00 EUR in NL01: 2 approvers"
    page = " ".join(browser.get(reverse("exceptions:approval_rules"), **GERMAN).content.decode().split())
    assert "über 25.000,00 EUR in NL01: 2 genehmigende Personen" in page
    assert "In Kraft" in page
    led = RoutingRule.objects.get()
    assert led.words == f"2. NL01, from {cast.connection}: {cast.holds}, P1"
    shown = " ".join(browser.get(reverse("exceptions:routing_rules"), **GERMAN).content.decode().split())
    assert f"2. NL01, von {cast.connection}: {cast.holds}, P1" in shown
    kept = " ".join(browser.get(reverse("exceptions:retention"), **GERMAN).content.decode().split())
    assert "angehängte Dateien und Nachweise in allen Gesellschaften: 101 Tage nach dem Ende" in kept
    assert "der Geschäftspartner Party 1" in kept
    refused = browser.post(
        reverse("exceptions:retention_move"),
        {"policy": 987_654, "move": "end", "because": "Gone."}, **GERMAN,
    )  # fmt: skip
    assert refused.status_code == 422
    assert "Diese Regel oder Sperre gibt es nicht." in refused.content.decode()
    review = growing_access.granted_and_reviewed(cast, 1)
    lines = " ".join(
        browser.get(reverse("exceptions:access_review", args=[review.pk]), **GERMAN).content.decode().split()
    )
    assert "verliert diese Rechte dort, von der nächsten Anfrage an" in lines
    assert "Korb " in lines
    assert AccessReview.objects.get() == review


def test_what_a_file_of_rates_has_wrong_and_would_change_is_told_in_german(cast: Cast, signed_in):
    browser, send = signed_in(cast.administrator), reverse("exceptions:exchange_rates_import")
    wrong = browser.post(send, {"file": upload(b"Date,USD\n2026-13-40,1.2\n"), "because": "Daily."}, **GERMAN)
    assert wrong.status_code == 422
    assert "Zeile 2, Spalte Date: „2026-13-40“ ist kein Tag wie 2026-11-20." in wrong.content.decode()
    looked = browser.post(send, {"file": upload(written(localdate(), USD="1.2")), "because": "Daily."}, **GERMAN)
    page = " ".join(looked.content.decode().split())
    assert "1 Kurs wäre neu, 0 sind schon bekannt. Noch ist nichts gespeichert." in page
    assert "1 Kurs importieren" in page


def test_service_accounts_are_shown_in_german(cast: Cast, signed_in):
    at = now()
    made = make_service_account(
        "erp-intake", purpose="Intake", owner=cast.clerk, ends_at=at + timedelta(days=30), by=cast.administrator,
        at=at, because="A machine.",
    )  # fmt: skip
    make_service_token(
        made, name="feed", scopes=["read"], kind="token", days=10, by=cast.administrator, at=at, because="A machine."
    )
    browser, page = signed_in(cast.administrator), reverse("services")
    assert in_english(browser, page, names_of(cast) | {"feed"}) == set()
    refused = browser.post(reverse("service_make"), {"name": "E R P"}, **GERMAN)
    assert refused.status_code == 422
    assert "Wählen Sie, wer es verantwortet." in refused.content.decode()
