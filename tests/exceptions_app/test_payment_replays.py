"""Payments of a partly rejected file through the hands of the cast and the engine."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from exceptions_app import intake
from exceptions_app.actions.correct import correct
from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.states import State
from integrations import inbox
from integrations.connectors.iso20022 import connector
from integrations.models import InboxMessage
from tests.arrivals import approve_open, configure, propose, receive
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import submission, work_until_done
from tests.integrations.connectors.iso20022.payment_files import IBANS, payment_file, wires
from tests.simulator_process import RunningSimulator
from workbench.models import User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bank")]

OPEN_IBAN = "GB29NWBK60161331926819"


@pytest.fixture
def bank(cast: Cast, connected: None, simulator: RunningSimulator) -> None:
    """The cast's connection leads to the bank."""
    configure(cast.connection, connector="iso20022", target_url=simulator.bank_url)


def change_bank(simulator: RunningSimulator, **change: object) -> None:
    answer = simulator.post("/control/bank", json.dumps(change).encode(), Content_Type="application/json")
    assert answer.status_code == 200, answer.text


def take_in(cast: Cast, simulator: RunningSimulator) -> list[ExceptionCase]:
    """The exceptions that come of a file of four payments, of which the bank rejects two."""
    change_bank(simulator, accounts={IBANS[1]: "closed", IBANS[3]: "blocked"})
    payload = payment_file(*wires(4))
    answer = simulator.post("/bank/payments", payload, Content_Type="application/xml", Idempotency_Key="the source's")
    message = inbox.HandedIn(
        "message-1",
        payload,
        payload_media_type="application/xml",
        refusal=answer.content,
        refusal_media_type="application/xml",
        refusal_status=answer.status_code,
    )
    receive(cast.connection, message)
    intake.read_messages(limit=1, at=MORNING)
    return list(ExceptionCase.objects.order_by("document_number"))


def give_account(case: ExceptionCase, *, by: User) -> PayloadVersion:
    content = bytes(PayloadVersion.objects.get(case=case, number=1).content)
    path = next(field.path for field in connector.read(content).fields if field.term == "CdtrAcct/Id/IBAN")
    steps = connector.operations_for(content, {path: OPEN_IBAN})
    return correct(case.pk, by=by, at=MORNING, because="Confirmed by telephone.", base_version=1, operations=steps)


def test_each_rejected_payment_is_one_exception_and_the_accepted_are_none(cast: Cast, simulator: RunningSimulator):
    cases = take_in(cast, simulator)

    assert [(case.document_number, case.object_type, case.category) for case in cases] == [
        ("INV-1", "payment", "master_data"),
        ("INV-3", "payment", "master_data"),
    ]
    assert [(case.amount, case.currency, case.counterparty) for case in cases] == [
        (Decimal(100), "EUR", "Supplier 1"),
        (Decimal(300), "EUR", "Supplier 3"),
    ]
    assert InboxMessage.objects.get().status == "processed"


def test_corrected_payment_is_approved_and_booked_once(cast: Cast, simulator: RunningSimulator):
    case, other = take_in(cast, simulator)
    version = give_account(case, by=cast.clerk)
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()

    case.refresh_from_db()
    other.refresh_from_db()
    effect = simulator.effects[-1]
    assert (case.state, case.outcome, other.state) == (State.RESOLVED, "replayed", State.NEW)
    assert case.reference == submission(case).reference == effect["reference"]
    assert (effect["end_to_end_id"], effect["amount"], effect["creditor_account"]) == ("INV-1", "100.00", OPEN_IBAN)
    assert effect["sha256"] == version.sha256
    assert len(simulator.effects) == 3


def test_time_out_after_booking_is_asked_about_and_booked_once(cast: Cast, simulator: RunningSimulator):
    case, _ = take_in(cast, simulator)
    give_account(case, by=cast.clerk)
    propose(case, by=cast.clerk)
    simulator.fault("timeout_after", path="/bank/payments", times=1, seconds=0)
    approve_open(case, by=cast.controller)
    work_until_done()

    case.refresh_from_db()
    assert (case.state, case.outcome, len(simulator.effects)) == (State.RESOLVED, "replayed", 3)
    assert [attempt.phase for attempt in submission(case).attempts.order_by("pk")] == ["send", "probe"]


def test_payment_that_the_bank_rejects_again_is_worked_on(cast: Cast, simulator: RunningSimulator):
    case, _ = take_in(cast, simulator)
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()

    case.refresh_from_db()
    assert (case.state, case.category, len(simulator.effects)) == (State.IN_PROGRESS, "master_data", 2)


def test_page_says_in_plain_words_what_is_wrong(
    cast: Cast, simulator: RunningSimulator, signed_in: Callable[[User], Client]
):
    case, _ = take_in(cast, simulator)

    page = signed_in(cast.clerk).get(reverse("exceptions:case", args=[case.ref])).content.decode()

    assert "The account is closed." in page
    assert "account (IBAN)" in page
    assert "Supplier 1" in page
