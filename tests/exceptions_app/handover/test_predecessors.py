"""Scenario H: what arrives before what it needs waits for it, is released by it, or goes to a person."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils.timezone import now

from exceptions_app import replays, tasks
from exceptions_app.actions import handover_hold, handover_release
from exceptions_app.actions.propose import propose_dismissal
from exceptions_app.machines import WORKER
from exceptions_app.models import Transaction
from exceptions_app.states import Outcome
from integrations.models import Connection, Delivery
from tests.arrivals import approve_open, propose
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import work_until_done
from tests.exceptions_app.handover.handing_over import document, hand_in, now_of, read_all, run, submissions
from tests.integrations.connectors.erp.postings import customer_invoice, journal
from tests.simulator_process import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)

UNBALANCED = journal(posting_date="soon")
OTHER_CONTENT = json.dumps(json.loads(customer_invoice()) | {"customer": "C-9999"}).encode()
LATER = datetime(2099, 1, 1, tzinfo=UTC)


def states(*transactions: Transaction) -> list[str]:
    return [now_of(transaction).state for transaction in transactions]


def test_it_waits_for_one_that_was_not_even_handed_over_and_is_released_by_it(
    erp: Connection, simulator: RunningSimulator
):
    [payment] = hand_in(erp, document("payment-1", after=["supplier-1"]))
    read_all()
    waiting = now_of(payment)
    assert (waiting.state, submissions(payment)) == ("waiting", [])
    assert waiting.problem == "“supplier-1” of Tax authority is not delivered yet."

    [supplier] = run(erp, document("supplier-1", journal()))
    work_until_done()
    assert states(supplier, payment) == ["delivered", "delivered"]
    assert [effect["type"] for effect in simulator.effects] == ["journal", "customer_invoice"]


def test_one_that_is_delivered_already_keeps_nobody(erp: Connection):
    run(erp, document("supplier-1", journal()))
    [payment] = run(erp, document("payment-1", after=[{"connection": "tax-authority", "id": "supplier-1"}]))
    assert payment.state == "delivered"


def test_all_of_several_must_be_delivered(erp: Connection):
    [payment] = hand_in(erp, document("payment-1", after=["a", "b"], wait_at_most=2_600_000))
    run(erp, document("a", journal(reference="A")))
    assert states(payment) == ["waiting"]
    run(erp, document("b", journal(reference="B")))
    work_until_done()
    assert states(payment) == ["delivered"]


def test_repeat_of_what_was_delivered_counts_as_delivered(erp: Connection):
    [payment] = hand_in(erp, document("payment-1", after=["again"]))
    run(erp, document("first", journal()), document("again", journal()))
    work_until_done()
    assert states(payment) == ["delivered"]


def test_predecessor_that_is_closed_without_delivery_is_told_to_a_person(cast: Cast, erp: Connection):
    [supplier, payment] = hand_in(erp, document("supplier-1", UNBALANCED), document("payment-1", after=["supplier-1"]))
    read_all()
    assert states(supplier, payment) == ["held", "waiting"]
    case = now_of(supplier).case
    assert case is not None
    propose_dismissal(case.pk, outcome=Outcome.FIXED_AT_SOURCE, by=cast.clerk, at=MORNING, because="Not needed.")
    approve_open(case, by=cast.controller)

    after = now_of(payment)
    assert after.case is not None
    assert (after.state, after.case.category, after.case.sub) == ("held", "sequencing", "predecessor_missing")
    assert after.case.problem == "Its predecessor “supplier-1” was not delivered."


def test_whoever_waits_too_long_goes_to_a_person(erp: Connection):
    [payment] = hand_in(erp, document("payment-1", after=["supplier-1"], wait_at_most=60))
    read_all()
    assert handover_release.release(payment.pk, by=WORKER, at=MORNING + timedelta(seconds=59)) is False
    assert handover_release.release(payment.pk, by=WORKER, at=MORNING + timedelta(seconds=60)) is True
    assert (now_of(payment).state, Delivery.objects.filter(operation="submit").count()) == ("held", 0)


def test_sweep_gives_up_what_waits_too_long(erp: Connection):
    [payment] = hand_in(erp, document("payment-1", after=["supplier-1"]))
    read_all()
    waiting = now_of(payment)
    assert waiting.wait_until is not None
    assert waiting.wait_until - MORNING == timedelta(days=1)
    assert waiting.wait_until < now()
    tasks.sweep()
    assert states(payment) == ["held"]


def test_same_ordering_key_is_delivered_in_the_order_in_which_it_came(erp: Connection, simulator: RunningSimulator):
    documents = [
        document("first", journal(), ordering_key="customer-1"),
        document("second", customer_invoice(), ordering_key="customer-1"),
        document("other", journal(reference="B"), ordering_key="customer-2"),
    ]
    transactions = hand_in(erp, *documents)
    read_all()
    assert states(*transactions) == ["delivering", "waiting", "delivering"]
    work_until_done()
    assert states(*transactions) == ["delivered"] * 3
    order = [effect["business_key"] for effect in simulator.effects]
    assert order.index("NL01|JE-2026-0118") < order.index("NL01|4900001234")


def test_order_is_no_dependency_so_what_is_closed_lets_the_next_go(cast: Cast, erp: Connection):
    first, second = hand_in(erp, document("first", UNBALANCED, ordering_key="k"), document("second", ordering_key="k"))
    read_all()
    assert states(first, second) == ["held", "waiting"]
    case = now_of(first).case
    assert case is not None
    propose_dismissal(case.pk, outcome=Outcome.WRITTEN_OFF, by=cast.clerk, at=MORNING, because="Not needed.")
    approve_open(case, by=cast.controller)
    work_until_done()
    assert states(first, second) == ["closed", "delivered"]


def test_what_came_into_care_while_it_waited_is_not_sent_behind_anybodys_back(
    erp: Connection, simulator: RunningSimulator
):
    [payment] = hand_in(erp, document("payment-1", after=["supplier-1"]))
    read_all()
    [other] = run(erp, document("payment-2", OTHER_CONTENT))
    assert states(payment, other) == ["waiting", "held"]

    run(erp, document("supplier-1", journal()))
    work_until_done()
    after = now_of(payment)
    assert (after.state, after.case, after.problem) == (
        "held", other.case, "This document has an open exception, and was now handed over for delivery.",
    )  # fmt: skip
    assert [effect["type"] for effect in simulator.effects] == ["journal"]


def test_what_cannot_be_released_keeps_nothing_from_being_settled(
    cast: Cast, erp: Connection, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
):
    [payment] = hand_in(erp, document("payment-1", after=["supplier-1"]))
    read_all()
    [other] = run(erp, document("payment-2", OTHER_CONTENT))
    assert other.case is not None
    propose(other.case, by=cast.clerk)
    approve_open(other.case, by=cast.controller)
    Delivery.objects.filter(subject=other.case.subject).update(due_at=LATER)
    # As when its exception is opened in the very moment in which it is released.
    monkeypatch.setattr(handover_hold, "in_care", lambda _: None)

    [supplier] = hand_in(erp, document("supplier-1", journal()))
    read_all()
    replays.carry_out_due()
    assert states(supplier, payment) == ["delivered", "waiting"]
    assert [effect["type"] for effect in simulator.effects] == ["journal"]


def test_only_the_next_of_an_order_is_looked_at_when_one_is_settled(erp: Connection, monkeypatch: pytest.MonkeyPatch):
    line = [document(f"d{number}", journal(reference=f"R{number}"), ordering_key="k") for number in range(6)]
    transactions = hand_in(erp, *line)
    read_all()
    looked_at: list[int] = []
    release = handover_release.release

    def noted(transaction_id: int, **how: object) -> bool:
        looked_at.append(transaction_id)
        return release(transaction_id, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(handover_release, "release", noted)
    work_until_done()
    assert looked_at == [transaction.pk for transaction in transactions[1:]]
    assert states(*transactions) == ["delivered"] * 6
