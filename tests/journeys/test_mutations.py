"""Each named change to a valid invoice, through the API: one exception, and only its reversal is accepted.

The documents are our own, and the standard's published ones where they are at hand.
"""

from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now
from lxml import etree

from exceptions_app import intake, replays
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.grants import grant_connection
from exceptions_app.machines import SETUP, machine
from integrations.connectors.en16931 import connector
from integrations.demo.report import official_report
from tests.cast import SET_UP_AT, Cast, person
from tests.integrations.connectors.en16931 import real_inputs
from tests.journeys import base_invoices
from tests.simulator_process import RunningSimulator
from workbench.models import User

API = "/api/v1"


@pytest.fixture
def source(cast: Cast, simulator: RunningSimulator) -> User:
    """The account that hands messages in; the connection leads to the simulated tax authority."""
    connection = cast.connection
    connection.target_url, connection.target_token = simulator.authority_url, simulator.token
    connection.write_back_url, connection.write_back_secret = simulator.webhook_url, simulator.webhook_secret
    save_configuration(connection, by=machine(SETUP), at=SET_UP_AT)
    account = person("billing", "Billing Platform")
    grant_connection("ingest_messages", account, connection, by=machine(SETUP), at=SET_UP_AT)
    return account


@pytest.mark.alike
@pytest.mark.django_db
@pytest.mark.parametrize(("name", "change", "rules"), base_invoices.mutations())
def test_mutation_is_one_exception_that_only_its_reversal_resolves(
    cast: Cast, source: User, simulator: RunningSimulator, name: str, change: str, rules: list[str]
):
    _only_the_reversal_resolves(cast, source, simulator, base_invoices.base_invoices()[name], change, rules)


@pytest.mark.alike
@pytest.mark.django_db
@pytest.mark.parametrize(("name", "change", "rules"), real_inputs.mutations())
def test_mutation_of_a_published_invoice_is_resolved_by_its_reversal(
    cast: Cast, source: User, simulator: RunningSimulator, name: str, change: str, rules: list[str]
):
    _only_the_reversal_resolves(cast, source, simulator, real_inputs.read(name), change, rules)


def _only_the_reversal_resolves(
    cast: Cast, source: User, simulator: RunningSimulator, original: bytes, change: str, rules: list[str]
) -> None:
    clerk, controller = Account(cast.clerk), Account(cast.controller)
    broken = real_inputs.mutated(original, change)
    ref = _hand_in(Account(source), broken)

    case = clerk.get(f"/exceptions/{ref}")
    errors = case["errors"]
    assert case["category"] == "compliance"
    assert {(error["code"], error["term"]) for error in errors} == {(rule, real_inputs.TERMS[rule]) for rule in rules}
    record = connector.read(broken)
    counterparty = next(iter(record.buyer.known_by))  # by whatever names it, when the name is missing
    assert (case["document_number"], case["counterparty"]) == (record.number, counterparty)

    guess = {"BT-22": "Please pay soon."} if _has(case, "BT-22") else {"BT-1": f"{record.number}-A"}
    another = clerk.post(f"/exceptions/{ref}/correct", 201, base_version=1, because="A guess.", fields=guess)
    assert another["check"]["passed"] is False
    refused = clerk.post(f"/exceptions/{ref}/propose", 422, because="Try.")
    assert refused["errors"]

    reversal = connector.operations_between(clerk.content(ref, 2), original)
    corrected = clerk.post(f"/exceptions/{ref}/correct", 201, base_version=2, because="Back.", operations=reversal)
    assert corrected["check"]["passed"] is True
    clerk.post(f"/exceptions/{ref}/propose", 200, because="As published.")
    seen = controller.get(f"/exceptions/{ref}")
    frozen, accounts = seen["proposal"]["frozen_sha256"], _accounts(original) if seen["to_retype"] else []
    assert bool(accounts) == ("IBAN" in change)
    clerk.post(f"/exceptions/{ref}/approve", 403, frozen_sha256=frozen, retyped=accounts)
    controller.post(f"/exceptions/{ref}/approve", 200, frozen_sha256=frozen, retyped=accounts)
    replays.carry_out_due()

    closed = clerk.get(f"/exceptions/{ref}")
    (effect,) = [effect for effect in simulator.effects if effect["business_key"] == connector.business_key(original)]
    assert (closed["state"], closed["outcome"]) == ("resolved", "replayed")
    assert closed["reference"] == effect["clearance"]


def _accounts(invoice: bytes) -> list[str]:
    """The account and the bank where the payee is paid, as whoever knows the payee types them again."""
    found = etree.fromstring(invoice).iterfind(".//{*}PayeeFinancialAccount//{*}ID")
    return [str(identifier.text) for identifier in found]


def _hand_in(source: "Account", payload: bytes) -> str:
    receipt = source.post(
        "/messages",
        202,
        connection="tax-authority",
        id="m-1",
        payload={"media_type": "application/xml", "text": payload.decode()},
        refusal={"media_type": "application/xml", "status": 422, "text": official_report(payload).decode()},
    )
    intake.read_messages(limit=10, at=now())
    (ref,) = source.get(f"/messages/{receipt['message'].rsplit('/', 1)[1]}")["exceptions"]
    return str(ref)


def _has(case: dict[str, Any], term: str) -> bool:
    return len([field for field in case["record"]["fields"] if field["term"] == term]) == 1


class Account:
    """One account at the API, signed in once."""

    def __init__(self, user: User) -> None:
        self._client = Client()
        self._client.force_login(user)

    def get(self, path: str) -> Any:
        answer = self._client.get(f"{API}{path}")
        assert answer.status_code == 200, answer.content
        return answer.json()

    def content(self, ref: str, number: int) -> bytes:
        self.post(f"/exceptions/{ref}/reveal", 200, purpose="correct", because="To look at what was written.")
        answer = self._client.get(f"{API}/exceptions/{ref}/versions/{number}/content")
        assert answer.status_code == 200
        return bytes(answer.content)

    def post(self, path: str, expected: int, **body: Any) -> Any:
        answer = self._client.post(f"{API}{path}", body, content_type="application/json")
        assert answer.status_code == expected, answer.content
        return answer.json()
