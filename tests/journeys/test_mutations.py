"""Each named change to a published invoice, through the API: one exception, and only its reversal is accepted."""

from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now

from exceptions_app import intake, replays
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.grants import grant_connection
from exceptions_app.machines import SETUP, machine
from integrations.connectors.en16931 import connector
from integrations.demo.report import official_report
from tests.cast import SET_UP_AT, Cast, person
from tests.integrations.connectors.en16931 import real_inputs
from tests.simulator_process import RunningSimulator
from workbench.models import User

MUTATIONS = real_inputs.mutations() or [pytest.param("", "", [], marks=pytest.mark.skip(reason=real_inputs.MISSING))]
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


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "change", "rules"), MUTATIONS)
def test_mutation_is_one_exception_that_only_its_reversal_resolves(
    cast: Cast, source: User, simulator: RunningSimulator, name: str, change: str, rules: list[str]
):
    original = real_inputs.read(name)
    broken = real_inputs.mutated(original, change)
    ref = _hand_in(source, broken)

    case = _get(cast.clerk, f"/exceptions/{ref}")
    errors = case["errors"]
    assert case["category"] == "compliance"
    assert {error["code"] for error in errors} == set(rules)
    assert {(error["code"], error["term"]) for error in errors} == {(rule, real_inputs.TERMS[rule]) for rule in rules}
    record = connector.read(original)
    assert (case["document_number"], case["counterparty"]) == (record.number, record.buyer.name) or "buyer" in change

    another = _post(
        cast.clerk,
        f"/exceptions/{ref}/correct",
        {"base_version": 1, "because": "A guess.", "fields": {"BT-22": "Please pay soon."}}
        if _has(case, "BT-22")
        else {"base_version": 1, "because": "A guess.", "fields": {"BT-1": f"{record.number}-A"}},
        201,
    )
    assert another["check"]["passed"] is False
    refused = _post(cast.clerk, f"/exceptions/{ref}/propose", {"because": "Try."}, 422)
    assert refused["errors"]

    reversal = connector.operations_between(_content(cast.clerk, ref, 2), original)
    corrected = _post(
        cast.clerk, f"/exceptions/{ref}/correct", {"base_version": 2, "because": "Back.", "operations": reversal}, 201
    )
    assert corrected["check"]["passed"] is True
    _post(cast.clerk, f"/exceptions/{ref}/propose", {"because": "As published."}, 200)
    frozen = _get(cast.controller, f"/exceptions/{ref}")["proposal"]["frozen_sha256"]
    _post(cast.clerk, f"/exceptions/{ref}/approve", {"frozen_sha256": frozen}, 403)
    _post(cast.controller, f"/exceptions/{ref}/approve", {"frozen_sha256": frozen}, 200)
    replays.carry_out_due()

    closed = _get(cast.clerk, f"/exceptions/{ref}")
    (effect,) = [effect for effect in simulator.effects if effect["business_key"] == connector.business_key(original)]
    assert (closed["state"], closed["outcome"]) == ("resolved", "replayed")
    assert closed["reference"] == effect["clearance"]


def _hand_in(source: User, payload: bytes) -> str:
    body = {
        "connection": "tax-authority",
        "id": "m-1",
        "payload": {"media_type": "application/xml", "text": payload.decode()},
        "refusal": {"media_type": "application/xml", "status": 422, "text": official_report(payload).decode()},
    }
    receipt = _post(source, "/messages", body, 202)
    intake.read_messages(limit=10, at=now())
    (ref,) = _get(source, f"/messages/{receipt['message'].rsplit('/', 1)[1]}")["exceptions"]
    return str(ref)


def _has(case: dict[str, Any], term: str) -> bool:
    return len([field for field in case["record"]["fields"] if field["term"] == term]) == 1


def _client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def _get(user: User, path: str) -> Any:
    answer = _client(user).get(f"{API}{path}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def _content(user: User, ref: str, number: int) -> bytes:
    answer = _client(user).get(f"{API}/exceptions/{ref}/versions/{number}/content")
    assert answer.status_code == 200
    return bytes(answer.content)


def _post(user: User, path: str, body: dict[str, Any], expected: int) -> Any:
    answer = _client(user).post(f"{API}{path}", body, content_type="application/json")
    assert answer.status_code == expected, answer.content
    return answer.json()
