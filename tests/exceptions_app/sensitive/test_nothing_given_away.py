"""What is masked is in no answer to whoever may not see it: each class of field, each role, each address."""

import json
import logging
from collections.abc import Callable

import pytest
from django.conf import settings as django_settings
from django.test import Client, override_settings
from django.urls import reverse
from guardian.shortcuts import remove_perm

from audit.models import AuditEvent
from exceptions_app.states import Verb
from tests import factories
from tests.arrivals import configure
from tests.cast import Cast
from tests.exceptions_app.sensitive.planted import CAME_WITH, IS_NOW, VALUES, Planted, given_away, leaks, plant
from tests.integrations.connectors.iso20022.payment_files import Wire, payment_file
from workbench.logs import JSONFormatter, PlainFormatter
from workbench.models import User

# What is masked is masked in the answer, after the database was asked, so one engine is enough for all addresses.
pytestmark = [pytest.mark.django_db, pytest.mark.one_engine]

SignIn = Callable[[User], Client]
VEIL = "exceptions_app.veiling.VeilMiddleware"


def test_no_role_is_given_a_masked_value_anywhere(cast: Cast, signed_in: SignIn, caplog: pytest.LogCaptureFixture):
    planted = plant(cast)
    with caplog.at_level(logging.DEBUG):
        for person in (cast.support, cast.auditor, cast.controller, cast.clerk):
            assert leaks(signed_in(person), planted) == {}, person
    logged = [value for value in VALUES if value in caplog.text]
    assert logged == []


def test_payment_is_known_by_its_account_and_gives_it_away_nowhere(cast: Cast, signed_in: SignIn):
    """The name of a payment begins with the payer's account, and the payee's is the one that was mistyped."""
    configure(cast.connection, connector="iso20022")
    payee, payer, bic = "DE80370400440611277030", "NL20INGB0001234567", "PLNTDEFFXXX"
    content = payment_file(Wire("E2E-1", iban=payee, bic=bic), debtor=payer)
    wrong = factories.error("IBAN", f"Payee's account: {payee} is no account number.", term="CdtrAcct/Id/IBAN")
    case = factories.make_case(
        cast, payload=content, business_key=f"{payer}|E2E-1", object_type="payment", errors=[wrong], number="E2E-1"
    )
    planted = Planted(case, factories.make_proposal(case, cast.clerk))
    values = (payee, payer, bic)
    assert leaks(signed_in(cast.support), planted, values) == {}
    page = signed_in(cast.support).get(reverse("exceptions:case", args=[case.ref])).content.decode()
    assert "NL••••4567|E2E-1" in page
    assert "DE••••7030 is no account number" in page
    factories.have_shown(case, cast.clerk)
    shown = signed_in(cast.clerk).get(reverse("exceptions:case", args=[case.ref]))
    assert set(given_away(shown, values)) == set(values)


def test_the_look_around_finds_what_is_not_masked(cast: Cast, signed_in: SignIn):
    """Without the veil the same look finds every class of value, on pages, fragments and the API."""
    planted = plant(cast)
    without = [name for name in django_settings.MIDDLEWARE if name != VEIL]
    with override_settings(MIDDLEWARE=without):
        found = leaks(signed_in(cast.controller), planted)
    case, api = (reverse(f"{place}", args=[planted.case.ref]) for place in ("exceptions:case", "api:exception"))
    assert set(found[case]) | set(found[f"{case}?tab=versions"]) | set(found[api]) == set(VALUES)
    for name in ("exceptions:case_print", "exceptions:raw", "api:exception"):
        assert reverse(name, args=[planted.case.ref]) in found, name
    assert reverse("exceptions:version", args=[planted.case.ref, 1]) not in found  # the view itself refuses


def test_who_has_them_shown_sees_them_there_and_nobody_else(cast: Cast, signed_in: SignIn):
    planted = plant(cast)
    other = factories.make_case(cast, number="INV-OTHER", counterparty=f"Paid to {CAME_WITH}")
    factories.have_shown(planted.case, cast.controller)
    browser = signed_in(cast.controller)
    page = browser.get(reverse("exceptions:case", args=[planted.case.ref]))
    assert {CAME_WITH, IS_NOW} <= set(given_away(page))
    assert given_away(browser.get(reverse("exceptions:raw", args=[planted.case.ref])))
    assert given_away(browser.get(reverse("exceptions:version", args=[planted.case.ref, 2])))
    # Not on another exception, not in a list, not on the card that is read out to a customer.
    assert given_away(browser.get(reverse("exceptions:case", args=[other.ref]))) == []
    assert given_away(browser.get(reverse("exceptions:approvals"))) == []
    assert given_away(browser.get(reverse("exceptions:answer", args=[planted.case.ref]))) == []
    assert given_away(signed_in(cast.clerk).get(reverse("exceptions:case", args=[planted.case.ref]))) == []
    assert given_away(signed_in(cast.support).get(reverse("api:exception", args=[planted.case.ref]))) == []


def test_a_masked_change_is_told_for_one(cast: Cast, signed_in: SignIn):
    planted = plant(cast)
    page = signed_in(cast.controller).get(reverse("exceptions:case", args=[planted.case.ref])).content.decode()
    assert "bank details, changed" in page
    assert "NL••••4567" in page
    assert "DE••••3000" in page


def test_only_a_role_with_the_right_has_the_button(cast: Cast, signed_in: SignIn):
    planted = plant(cast)
    page, button = reverse("exceptions:case", args=[planted.case.ref]), "Show them to me"
    has = {person.username: button in signed_in(person).get(page).content.decode() for person in (
        cast.clerk, cast.controller, cast.support, cast.auditor
    )}  # fmt: skip
    assert has == {"clara": True, "conrad": True, "sara": False, "anna": False}


def test_events_hold_masks_and_the_fingerprint_of_what_they_stand_for(cast: Cast):
    planted = plant(cast)
    told = list(AuditEvent.objects.filter(subject=planted.case.subject).order_by("id"))
    everything = json.dumps([[event.summary, event.because, event.data, bytes(event.body).decode()] for event in told])
    assert [value for value in VALUES if value in everything] == []
    corrected = next(event for event in told if event.action == "case.corrected")
    account = next(change for change in corrected.data["changes"] if change["term"] == "BT-84")
    was, fingerprint = account["was"].split(" #")
    assert (was, len(fingerprint)) == ("NL••••4567", 16)
    [test] = [step for step in corrected.data["operations"] if step["op"] == "test" and step["value"] == account["was"]]
    assert test["value"].endswith(fingerprint)  # the same value is known for the same


@pytest.mark.parametrize("formatter", [JSONFormatter(), PlainFormatter()])
def test_a_log_line_holds_no_account_number(formatter: logging.Formatter):
    error = ValueError(f"cannot pay to {CAME_WITH}")
    info = (type(error), error, None)
    line = formatter.format(logging.LogRecord("x", logging.ERROR, "x.py", 1, "Paying to %s failed", (IS_NOW,), info))
    assert [value for value in (CAME_WITH, IS_NOW) if value in line] == []
    assert "DE••••3000" in line


def test_a_right_that_was_taken_away_ends_it_at_once(cast: Cast, signed_in: SignIn):
    planted = plant(cast)
    factories.have_shown(planted.case, cast.controller)
    browser, page = signed_in(cast.controller), reverse("exceptions:case", args=[planted.case.ref])
    assert given_away(browser.get(page))
    remove_perm(Verb.REVEAL.value, cast.controller.groups.get(), cast.einvoicing)
    assert given_away(browser.get(page)) == []
