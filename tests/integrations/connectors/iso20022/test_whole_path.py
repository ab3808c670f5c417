"""From a file that the bank takes in part to the corrected payment that it books once."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from integrations.connectors.base import Answer, AnswerKind, Endpoint, Presence, TargetClient
from integrations.connectors.iso20022.envelope import bundle
from integrations.connectors.registry import get_connector
from integrations.refusals import Category, RefusedTransaction
from tests.integrations.connectors.iso20022.payment_files import (
    DEBTOR_IBAN,
    IBANS,
    VERSIONS,
    Wire,
    incoming,
    message_id,
    payment_file,
    wires,
)
from tests.scripted_server import answering, scripted
from tests.simulator_process import RunningSimulator

BANK = get_connector("iso20022")
KEY = "a" * 64
OPEN_IBAN = "GB29NWBK60161331926819"


@pytest.fixture(autouse=True)
def allow_loopback(settings: Settings) -> None:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True


def client_of(simulator: RunningSimulator) -> TargetClient:
    return BANK.client(Endpoint(url=simulator.bank_url, token=simulator.token, timeout=20.0))


def submit(client: TargetClient, content: bytes, *, key: str = KEY) -> Answer:
    return client.submit(
        key=key, object_type="payment", business_key="as the case has it", content=content, media_type="application/xml"
    )


def probe(client: TargetClient, content: bytes) -> Presence:
    return client.probe(object_type="payment", business_key="as the case has it", content=content).presence


def control(simulator: RunningSimulator, **change: Any) -> None:
    answer = simulator.post("/control/bank", json.dumps(change).encode(), Content_Type="application/json")
    assert answer.status_code == 200, answer.text


def send_file(simulator: RunningSimulator, content: bytes) -> bytes:
    answer = simulator.post("/bank/payments", content, Content_Type="application/xml", Idempotency_Key="source")
    assert answer.status_code == 200, answer.text
    return answer.content


def refused(simulator: RunningSimulator, content: bytes) -> list[RefusedTransaction]:
    return BANK.parse(incoming(content, send_file(simulator, content)))


def corrected(payload: bytes, changes: dict[str, str]) -> bytes:
    """With the new text for each field, which is named by its term."""
    paths = {field.term: field.path for field in BANK.read(payload).fields}
    operations = BANK.operations_for(payload, {paths[term]: text for term, text in changes.items()})
    return BANK.correct(payload, operations)


def paid(simulator: RunningSimulator) -> list[tuple[str, str, str]]:
    return [(effect["end_to_end_id"], effect["amount"], effect["creditor_account"]) for effect in simulator.effects]


@pytest.mark.parametrize("version", VERSIONS)
def test_rejected_payment_is_corrected_sent_and_booked_once(simulator: RunningSimulator, version: str) -> None:
    control(simulator, accounts={IBANS[2]: "closed"})
    content = payment_file(*wires(4), version=version)

    [case] = refused(simulator, content)
    mended = corrected(case.payload, {"CdtrAcct/Id/IBAN": OPEN_IBAN})
    client = client_of(simulator)
    before = probe(client, mended)
    first, again = submit(client, mended), submit(client, mended)

    assert (case.business_key, case.refusal.category) == (f"{DEBTOR_IBAN}|INV-2", Category.MASTER_DATA)
    assert case.refusal.batch.totals.in_words(unit="payments") == (
        "1 of 4 payments rejected; 3 accepted, 800.00 EUR; totals agree"
    )
    assert BANK.check(mended).errors == ()
    assert (before, first.kind, again.kind) == (Presence.ABSENT, AnswerKind.CONFIRMED, AnswerKind.ALREADY_EXISTS)
    assert probe(client, mended) is Presence.SAME
    assert [row for row in paid(simulator) if row[0] == "INV-2"] == [("INV-2", "200.00", OPEN_IBAN)]
    assert first.reference == simulator.effects[-1]["reference"]


def test_payment_that_the_bank_rejects_again_is_refused_with_its_reason(simulator: RunningSimulator) -> None:
    control(simulator, accounts={IBANS[1]: "blocked"})
    [case] = refused(simulator, payment_file(*wires(2)))

    answer = submit(client_of(simulator), case.payload)

    assert answer.kind is AnswerKind.REFUSED
    assert answer.refusal is not None
    assert (answer.refusal.sub, [error.code for error in answer.refusal.errors]) == ("bank_details", ["AC06"])


def test_unchanged_payment_goes_through_once_the_reason_is_gone(simulator: RunningSimulator) -> None:
    control(simulator, limit="150.00")
    [case] = refused(simulator, payment_file(*wires(2)))
    client = client_of(simulator)
    refused_again = submit(client, case.payload)
    control(simulator, limit=None)

    answer = submit(client, case.payload)

    assert case.refusal.category is Category.PAYMENT_FAILURE
    assert (refused_again.kind, answer.kind) == (AnswerKind.REFUSED, AnswerKind.CONFIRMED)
    assert len(paid(simulator)) == 2


def test_time_out_after_the_booking_is_seen_in_the_look_up(simulator: RunningSimulator) -> None:
    control(simulator, accounts={IBANS[1]: "closed"})
    [case] = refused(simulator, payment_file(*wires(1)))
    mended = corrected(case.payload, {"CdtrAcct/Id/IBAN": OPEN_IBAN})
    simulator.fault("timeout_after", path="/bank/payments", times=1, seconds=60)
    client = BANK.client(Endpoint(url=simulator.bank_url, token=simulator.token, timeout=2.0))

    answer = submit(client, mended)

    assert answer.kind is AnswerKind.UNKNOWN
    assert probe(client_of(simulator), mended) is Presence.SAME
    assert len(paid(simulator)) == 1


def test_other_payment_under_the_same_identifier_is_a_conflict(simulator: RunningSimulator) -> None:
    send_file(simulator, payment_file(Wire("INV-1", cents=10_00)))
    [case] = refused(simulator, payment_file(Wire("INV-1", cents=99_00), Wire("INV-2")))
    client = client_of(simulator)

    assert (case.refusal.category, case.refusal.definitive) == (Category.DUPLICATE, False)
    assert submit(client, case.payload).kind is AnswerKind.ALREADY_EXISTS
    assert probe(client, case.payload) is Presence.DIFFERENT


def test_approved_payments_travel_together_and_are_booked_once(simulator: RunningSimulator) -> None:
    control(simulator, accounts={IBANS[1]: "closed", IBANS[2]: "closed", IBANS[3]: "closed"})
    cases = refused(simulator, payment_file(*wires(5)))
    mended = [corrected(case.payload, {"CdtrAcct/Id/IBAN": OPEN_IBAN}) for case in cases]
    client = client_of(simulator)

    together = bundle(mended)
    answer, again = submit(client, together), submit(client, bundle(mended[::-1]))

    assert BANK.check(together).errors == ()
    assert (answer.kind, again.kind) == (AnswerKind.CONFIRMED, AnswerKind.ALREADY_EXISTS)
    assert probe(client, together) is Presence.SAME
    assert sorted(paid(simulator)[2:]) == [
        ("INV-1", "100.00", OPEN_IBAN),
        ("INV-2", "200.00", OPEN_IBAN),
        ("INV-3", "300.00", OPEN_IBAN),
    ]


def test_bundle_that_is_taken_in_part_is_for_a_person(simulator: RunningSimulator) -> None:
    control(simulator, accounts={IBANS[1]: "closed", IBANS[2]: "closed"})
    cases = refused(simulator, payment_file(*wires(2)))
    mended = [corrected(cases[0].payload, {"CdtrAcct/Id/IBAN": OPEN_IBAN}), cases[1].payload]

    answer = submit(client_of(simulator), bundle(mended))

    assert answer.kind is AnswerKind.UNKNOWN
    assert "1 of 2 payments rejected; 1 accepted, 100.00 EUR; totals agree" in answer.detail


def test_payment_that_the_bank_only_received_is_not_confirmed(simulator: RunningSimulator) -> None:
    control(simulator, pending=True)

    answer = submit(client_of(simulator), payment_file(Wire("INV-1")))

    assert answer.kind is AnswerKind.PENDING
    assert answer.detail == (
        "The bank has not decided on everything: none of 1 payments rejected; 1 pending, 125.00 EUR; totals agree."
    )


def test_comma_in_an_amount_refuses_the_file_and_leads_to_the_payment(simulator: RunningSimulator) -> None:
    content = payment_file(Wire("INV-1", cents=4847_37), Wire("INV-2")).replace(b">4847.37<", b">4847,37<")

    cases = refused(simulator, content)

    guilty, other = cases
    assert [case.refusal.category for case in cases] == [Category.SCHEMA, Category.SCHEMA]
    assert (guilty.refusal.sub, guilty.refusal.errors[0].proposed_value) == ("format", "4847.37")
    assert guilty.refusal.errors[0].field == "Amount"
    assert other.refusal.sub == "file_refused"
    assert BANK.check(other.payload).errors == ()


def statuses(kinds: Iterable[Answer]) -> list[AnswerKind]:
    return [answer.kind for answer in kinds]


def test_wrong_sign_in_and_closed_bank_are_no_refusals(simulator: RunningSimulator) -> None:
    content = payment_file(Wire("INV-1"))
    stranger = BANK.client(Endpoint(url=simulator.bank_url, token="wrong", timeout=20.0))
    simulator.fault("too_many_requests", path="/bank/payments", times=1)
    throttled = submit(client_of(simulator), content)
    simulator.fault("down", path="/bank/payments", times=1)
    closed = submit(client_of(simulator), content)

    assert statuses([submit(stranger, content), throttled, closed]) == [
        AnswerKind.MISCONFIGURED,
        AnswerKind.NOT_SENT,
        AnswerKind.NOT_SENT,
    ]
    assert simulator.effects == []


def test_report_about_another_file_confirms_nothing() -> None:
    content = payment_file(Wire("INV-1"))
    foreign = (
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><GrpHdr><MsgId>X</MsgId>'
        b"</GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>OTHER</OrgnlMsgId><GrpSts>ACCP</GrpSts></OrgnlGrpInfAndSts>"
        b"</CstmrPmtStsRpt></Document>"
    )
    with scripted(answering("200 OK", foreign, "Content-Type: application/xml")) as server:
        answer = submit(BANK.client(Endpoint(url=server.url, timeout=20.0)), content)

    assert answer.kind is AnswerKind.UNKNOWN
    assert message_id(content) in answer.detail
