"""Journals, customer invoices and payments beside each other: routed, listed and filtered by what they are."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from exceptions_app import intake
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.correct import correct
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ExceptionCase, Route
from integrations import inbox
from integrations.connectors.erp import connector
from tests.arrivals import configure, receive
from tests.cast import MORNING, Cast
from tests.integrations.connectors.erp.postings import customer_invoice, detail, gateway_error, journal
from workbench.models import User

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
LINES: list[dict[str, Any]] = json.loads(journal())["lines"]
REFUSED = gateway_error(
    detail("KI/235", "Account 630000 requires an assignment to a CO object", "lines/0/cost_center"),
    detail("ZFI/020", "Cost center CC-1 does not exist", "lines/1/cost_center"),
    detail("F5/702", "Balance in transaction currency: 10.00", "lines"),
    detail("ZFI/081", "Cost center CC-8000 is to be closed", "lines/1/cost_center", severity="warning"),
)
UNBALANCED = journal(lines=[{**LINES[0], "cost_center": None, "debit": "1260.00"}, {**LINES[1], "cost_center": "CC-1"}])


@pytest.fixture
def ledger(cast: Cast) -> None:
    """The cast's connection is an ERP; its customer invoices go to another queue."""
    configure(cast.connection, connector="erp")
    route = Route(
        position=0, connection=cast.connection, object_type="customer_invoice", queue=cast.holds,
        entity=cast.netherlands,
    )  # fmt: skip
    save_configuration(route, by=machine(SETUP), at=MORNING)


def take_in(cast: Cast, payload: bytes, *, name: str = "message-1") -> ExceptionCase:
    message = inbox.HandedIn(
        name, payload, payload_media_type="application/json", refusal=REFUSED, refusal_media_type="application/json",
        refusal_status=400,
    )  # fmt: skip
    receive(cast.connection, message)
    intake.read_messages(limit=1, at=MORNING)
    return ExceptionCase.objects.latest("pk")


def page_of(case: ExceptionCase, client: Client) -> str:
    html = client.get(reverse("exceptions:case", args=[case.ref])).content.decode()
    return " ".join(html.split())


def test_route_may_ask_for_a_kind_of_transaction(cast: Cast, ledger: None):
    posting, invoice = take_in(cast, journal()), take_in(cast, customer_invoice(), name="message-2")

    assert [posting.queue, invoice.queue] == [cast.einvoicing, cast.holds]


def test_route_for_a_kind_that_nobody_knows_is_refused():
    with pytest.raises(ValidationError, match="journal, payment"):
        Route(object_type="jornal").clean()


def test_queue_names_each_kind_and_shows_one_alone(cast: Cast, ledger: None, signed_in: SignIn):
    take_in(cast, journal())
    take_in(cast, customer_invoice(), name="message-2")
    client = signed_in(cast.clerk)
    everything = client.get(reverse("exceptions:queue")).content.decode()
    journals = client.get(reverse("exceptions:queue"), {"object_type": "journal"}).content.decode()
    listed = client.get("/api/v1/exceptions", {"object_type": "journal"}).json()["results"]

    assert ("JE-2026-0118" in everything, "4900001234" in everything) == (True, True)
    assert ("JE-2026-0118" in journals, "4900001234" in journals) == (True, False)
    assert "Kind of transaction: Journal entry" in journals
    assert [found["object_type"] for found in listed] == ["journal"]


def test_page_says_what_to_do_whose_code_it_was_and_keeps_warnings_apart(cast: Cast, ledger: None, signed_in: SignIn):
    page = page_of(take_in(cast, UNBALANCED), signed_in(cast.clerk))
    errors, _, warnings = page.partition("Warnings")

    assert "Enter the cost centre that bears it." in errors
    assert "Message <code>KI/235</code>" in errors
    assert "As the ERP said it" in errors
    assert "The credits are 10.00" not in errors
    assert "debits 1,260.00 EUR, credits 1,250.00 EUR" in errors
    assert "The cost centre is to be closed soon." in warnings
    assert "The cost centre is to be closed soon." not in errors.partition('id="case-problems"')[2]


def test_what_only_the_erp_can_judge_is_not_called_solved(cast: Cast, ledger: None, signed_in: SignIn):
    case = take_in(cast, UNBALANCED)
    steps = connector.operations_for(UNBALANCED, {"/lines/0/cost_center": "CC-1000", "/lines/0/debit": "1250.00"})
    correct(case.pk, by=cast.clerk, at=MORNING, because="Agreed.", base_version=1, operations=steps)
    page = page_of(case, signed_in(cast.clerk))
    problems = page.partition('id="case-problems"')[2].partition('id="case-lines"')[0]
    unseen, _, solved = problems.partition("Cannot be checked here")[2].partition("Solved by the correction")

    assert "What can be checked here is right in version 2." in page
    assert "Debits and credits do not come to the same sum." in solved
    assert ("The account needs a cost centre." in unseen, "The account needs a cost centre." in solved) == (True, False)
    assert "Changed since it came in" in unseen
    assert page.count("Solved by the correction") == 1
    assert "objected to at 2 places is unchanged" in page
