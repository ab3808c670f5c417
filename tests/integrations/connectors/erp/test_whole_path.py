"""From the ERP's refusal to its confirmation, with the connector and a running ERP alone."""

import json

import requests

from integrations.connectors.base import Answer, AnswerKind, Endpoint, IncomingMessage, Presence, TargetClient
from integrations.connectors.erp import connector
from integrations.refusals import Category, RefusedTransaction
from tests.integrations.connectors.erp.postings import customer_invoice, journal
from tests.simulator_process import RunningSimulator

SOURCE_KEY = "source-" + "1" * 20
KEY = "a" * 64
PATIENCE = 20.0  # seconds
WITHOUT_COST_CENTER = journal(
    lines=[{"account": "630000", "debit": "1250.00"}, {"account": "190000", "credit": "1250.00"}]
)


def refused_at_the_source(simulator: RunningSimulator, payload: bytes) -> RefusedTransaction:
    """The source posts by itself, and hands in what the ERP answered."""
    sent = simulator.post("/erp/postings", payload, Content_Type="application/json", Idempotency_Key=SOURCE_KEY)
    message = IncomingMessage(
        payload=payload,
        payload_media_type="application/json",
        refusal=sent.content,
        refusal_media_type=sent.headers["Content-Type"],
        refusal_status=sent.status_code,
    )
    [found] = connector.parse(message)
    return found


def client_of(simulator: RunningSimulator) -> TargetClient:
    return connector.client(Endpoint(url=simulator.erp_url, token=simulator.token, timeout=PATIENCE))


def submit(simulator: RunningSimulator, found: RefusedTransaction, content: bytes) -> Answer:
    return client_of(simulator).submit(
        key=KEY, object_type=found.object_type, business_key=found.business_key, content=content,
        media_type=found.media_type, despite_warnings=True,
    )  # fmt: skip


def test_missing_cost_center_is_filled_in_and_booked_once(simulator: RunningSimulator):
    found = refused_at_the_source(simulator, WITHOUT_COST_CENTER)
    [error] = found.refusal.errors
    assert (error.code, error.field_path, error.field) == ("KI/235", "/lines/0/cost_center", "Cost centre")

    steps = connector.operations_for(found.payload, {error.field_path: "CC-1000"})
    corrected = connector.correct(found.payload, steps)
    answers = [submit(simulator, found, corrected) for _ in range(3)]

    assert connector.check(corrected).passed
    assert {answer.kind for answer in answers} == {AnswerKind.CONFIRMED}
    assert len({answer.reference for answer in answers}) == 1
    [effect] = simulator.effects
    assert effect["posting"] == json.loads(corrected)
    assert effect["posting"]["lines"][0]["cost_center"] == "CC-1000"
    observation = client_of(simulator).probe(
        object_type=found.object_type, business_key=found.business_key, content=corrected
    )
    assert (observation.presence, observation.reference) == (Presence.SAME, answers[0].reference)


def test_unknown_cost_center_is_booked_once_the_master_data_are_there(simulator: RunningSimulator):
    payload = json.loads(journal())
    payload["lines"][0]["cost_center"] = "CC-7777"
    found = refused_at_the_source(simulator, json.dumps(payload).encode())
    assert (found.refusal.category, found.refusal.sub) == (Category.MASTER_DATA, "unknown_cost_center")

    simulator.change_erp(add={"cost_centers": {"CC-7777": {}}})

    assert submit(simulator, found, found.payload).kind is AnswerKind.CONFIRMED


def test_closed_period_refuses_until_it_is_opened(simulator: RunningSimulator):
    simulator.change_erp(close_periods=["2026-11"])
    found = refused_at_the_source(simulator, journal())
    assert (found.refusal.category, found.refusal.errors[0].field) == (Category.PERIOD_CLOSED, "Posting date")

    while_closed = submit(simulator, found, found.payload)
    simulator.change_erp(open_periods=["2026-11"])
    opened = submit(simulator, found, found.payload)

    assert while_closed.refusal is not None
    assert (while_closed.kind, while_closed.refusal.category) == (AnswerKind.REFUSED, Category.PERIOD_CLOSED)
    assert opened.kind is AnswerKind.CONFIRMED
    assert len(simulator.effects) == 1


def test_invoice_with_several_faults_is_corrected_at_every_place(simulator: RunningSimulator):
    rows = json.loads(customer_invoice())["lines"]
    rows[0] |= {"product_family": "SUBSCRIPTIONS", "tax_code": "V22", "account": ""}
    found = refused_at_the_source(simulator, customer_invoice(lines=rows, customer="C-0001", total=1211.00))
    paths = {error.code: error.field_path for error in found.refusal.errors}
    assert paths == {
        "F5/102": "/customer",
        "FF/101": "/lines/0/tax_code",
        "ZFI/050": "/lines/0/product_family",
        "ZFI/060": "/total",
    }
    assert not connector.check(found.payload).passed

    typed = {"F5/102": "C-1001", "FF/101": "V21", "ZFI/050": "SUBSCRIPTION", "ZFI/060": "1210.00"}
    changes = {paths[code]: text for code, text in typed.items()}
    corrected = connector.correct(found.payload, connector.operations_for(found.payload, changes))

    assert connector.check(corrected).passed
    assert submit(simulator, found, corrected).kind is AnswerKind.CONFIRMED
    assert b'"total": 1210.00' in corrected


def test_held_for_warnings_is_released_as_it_is(simulator: RunningSimulator):
    rows = json.loads(journal())["lines"]
    rows[0]["cost_center"] = "CC-8000"
    found = refused_at_the_source(simulator, journal(lines=rows))

    assert (found.refusal.kind, found.refusal.sub) == ("held", "warning")
    assert submit(simulator, found, found.payload).kind is AnswerKind.CONFIRMED


def test_ignored_keys_book_twice_and_the_look_up_tells(simulator: RunningSimulator):
    simulator.change_erp(honour_keys=False)
    simulator.fault("timeout_after", path="/erp/postings", times=1, seconds=0)
    client = client_of(simulator)
    lost = client.submit(
        key=KEY, object_type="journal", business_key="NL01|JE-2026-0118", content=journal(),
        media_type="application/json",
    )  # fmt: skip

    asked = client.probe(object_type="journal", business_key="NL01|JE-2026-0118", content=journal())

    assert (lost.kind, asked.presence) == (AnswerKind.UNKNOWN, Presence.SAME)
    assert len(simulator.effects) == 1  # whoever asks first need not send again


def test_control_calls_need_no_token_but_only_json(simulator: RunningSimulator):
    plain = requests.post(f"{simulator.url}/control/erp", data='{"honour_keys": false}', timeout=10)

    assert plain.status_code == 415
