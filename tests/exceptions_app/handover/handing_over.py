"""Transactions as a source hands them over, and the ERP that they are for."""

import pytest

from exceptions_app import intake
from exceptions_app.actions.hand_over import HandedOver, hand_over
from exceptions_app.models import Transaction
from integrations.handed_in import HandedIn
from integrations.models import Connection, Delivery, InboxMessage
from integrations.receiving import Arrival
from tests.arrivals import configure
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import work_until_done
from tests.integrations.connectors.erp.postings import customer_invoice
from tests.simulator_process import RunningSimulator


@pytest.fixture
def erp(cast: Cast, connected: None, simulator: RunningSimulator) -> Connection:
    """The cast's connection leads to the ERP."""
    return configure(cast.connection, connector="erp", target_url=simulator.erp_url)


def document(
    external_id: str = "crm-1", payload: bytes = b"", *, ordering_key: str = "", **context: object
) -> HandedIn:
    """A customer invoice that is to be delivered, unless another payload is given."""
    return HandedIn(
        external_id,
        payload or customer_invoice(),
        "application/json",
        purpose=InboxMessage.Purpose.DELIVER,
        context=context,
        ordering_key=ordering_key,
    )


def hand_in(connection: Connection, *documents: HandedIn) -> list[Transaction]:
    outcomes = hand_over([Arrival(connection, one) for one in documents], by="crm", at=MORNING)
    return [one.transaction for one in outcomes if isinstance(one, HandedOver) and one.transaction is not None]


def read_all() -> None:
    intake.read_messages(limit=100, at=MORNING)


def now_of(transaction: Transaction) -> Transaction:
    return Transaction.objects.select_related("case", "duplicate_of", "connection").get(pk=transaction.pk)


def run(connection: Connection, *documents: HandedIn) -> list[Transaction]:
    """Handed over, read and carried out, until nothing is under way."""
    transactions = hand_in(connection, *documents)
    read_all()
    work_until_done()
    return [now_of(transaction) for transaction in transactions]


def submissions(transaction: Transaction) -> list[Delivery]:
    return list(Delivery.objects.filter(subject=transaction.subject, operation="submit"))


def told(simulator: RunningSimulator) -> list[tuple[str, str, str]]:
    """What the source was told about its transactions, without the order of words that overtake each other."""
    events = [event["content"] for event in simulator.events]
    return sorted(
        (event["type"], event["data"]["transaction"], event["data"]["reference"])
        for event in events
        if event["type"].startswith("transaction.")
    )
