import json
from hashlib import sha256

import pytest
from pytest_django.fixtures import Settings

from integrations.connectors.base import Answer, AnswerKind, Endpoint, Observation, Presence, TargetClient
from integrations.connectors.registry import get_connector
from integrations.refusals import Category
from tests.invoices import valid_invoice, without_issue_date
from tests.scripted_server import Script, answering, scripted
from tests.simulator_process import RunningSimulator

KEY = "a" * 64
OTHER_KEY = "b" * 64
PATIENCE = 20.0  # seconds


@pytest.fixture(autouse=True)
def allow_loopback(settings: Settings) -> None:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True


def client_at(url: str, *, token: str = "", timeout: float = PATIENCE) -> TargetClient:
    return get_connector("en16931").client(Endpoint(url=url, token=token, timeout=timeout))


def client_of(simulator: RunningSimulator, *, timeout: float = PATIENCE) -> TargetClient:
    return client_at(simulator.authority_url, token=simulator.token, timeout=timeout)


def submit(client: TargetClient, content: bytes, *, key: str = KEY) -> Answer:
    return client.submit(
        key=key, object_type="invoice", business_key="as the case has it", content=content, media_type="application/xml"
    )


def probe(client: TargetClient, content: bytes) -> Observation:
    return client.probe(object_type="invoice", business_key="as the case has it", content=content)


def test_accepted_document_is_confirmed_with_its_clearance(simulator: RunningSimulator) -> None:
    answer = submit(client_of(simulator), valid_invoice())

    [effect] = simulator.effects
    assert (answer.kind, answer.reference) == (AnswerKind.CONFIRMED, effect["clearance"])
    assert (answer.http_status, effect["key"]) == (201, KEY)


def test_repeat_under_the_same_key_is_confirmed_and_booked_once(simulator: RunningSimulator) -> None:
    first = submit(client_of(simulator), valid_invoice())
    second = submit(client_of(simulator), valid_invoice())

    assert (second.kind, second.reference) == (AnswerKind.CONFIRMED, first.reference)
    assert len(simulator.effects) == 1


def test_invalid_document_is_refused_with_its_rules(simulator: RunningSimulator) -> None:
    answer = submit(client_of(simulator), without_issue_date(valid_invoice()))

    assert answer.kind is AnswerKind.REFUSED
    assert answer.refusal is not None
    assert answer.refusal.category is Category.COMPLIANCE
    assert [error.code for error in answer.refusal.errors] == ["BR-03"]
    assert [error.term for error in answer.refusal.errors] == ["BT-2"]


def test_what_is_no_document_is_refused(simulator: RunningSimulator) -> None:
    answer = submit(client_of(simulator), b"<nothing/>")

    assert answer.kind is AnswerKind.REFUSED
    assert answer.refusal is not None
    assert (answer.refusal.category, answer.refusal.errors[0].code) == (Category.SCHEMA, "NOT_AN_INVOICE")


def test_document_booked_under_another_key_already_exists(simulator: RunningSimulator) -> None:
    first = submit(client_of(simulator), valid_invoice())
    second = submit(client_of(simulator), valid_invoice(), key=OTHER_KEY)

    assert (second.kind, second.reference) == (AnswerKind.ALREADY_EXISTS, first.reference)


def test_key_used_for_other_content_stops_the_connection(simulator: RunningSimulator) -> None:
    submit(client_of(simulator), valid_invoice())

    assert submit(client_of(simulator), valid_invoice("INV-1002")).kind is AnswerKind.MISCONFIGURED


def test_wrong_token_stops_the_connection(simulator: RunningSimulator) -> None:
    client = client_at(simulator.authority_url, token="wrong")

    answer = submit(client, valid_invoice())

    assert (answer.kind, answer.http_status, answer.not_sent) == (AnswerKind.MISCONFIGURED, 401, True)
    observation = probe(client, valid_invoice())
    assert (observation.presence, observation.detail) == (Presence.MISCONFIGURED, answer.detail)


def test_wrong_address_stops_the_connection(simulator: RunningSimulator) -> None:
    client = client_at(simulator.url, token=simulator.token)

    assert submit(client, valid_invoice()).kind is AnswerKind.MISCONFIGURED


def test_loopback_that_is_not_allowed_stops_the_connection(simulator: RunningSimulator, settings: Settings) -> None:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = False

    answer = submit(client_of(simulator), valid_invoice())

    assert answer.kind is AnswerKind.MISCONFIGURED
    assert "INTEGRATIONS_ALLOW_LOOPBACK" in answer.detail
    assert simulator.attempts == []


@pytest.mark.parametrize(("fault", "status"), [("too_many_requests", 429), ("down", 503)])
def test_declared_overload_is_not_sent(simulator: RunningSimulator, fault: str, status: int) -> None:
    simulator.fault(fault, times=1)

    answer = submit(client_of(simulator), valid_invoice())

    assert (answer.kind, answer.http_status, answer.retry_after) == (AnswerKind.NOT_SENT, status, 1.0)
    assert simulator.effects == []


def test_nobody_listening_is_not_sent(simulator: RunningSimulator) -> None:
    client = client_of(simulator)
    simulator.kill()
    try:
        answer, observation = submit(client, valid_invoice()), probe(client, valid_invoice())
    finally:
        simulator.start()

    assert (answer.kind, observation.presence) == (AnswerKind.NOT_SENT, Presence.UNANSWERED)


def test_cut_before_booking_is_unknown_and_then_absent(simulator: RunningSimulator) -> None:
    simulator.fault("timeout_before", times=1, seconds=0)

    answer = submit(client_of(simulator), valid_invoice())

    assert answer.kind is AnswerKind.UNKNOWN
    assert probe(client_of(simulator), valid_invoice()).presence is Presence.ABSENT


def test_cut_after_booking_is_unknown_and_then_found(simulator: RunningSimulator) -> None:
    simulator.fault("timeout_after", times=1, seconds=0)

    answer = submit(client_of(simulator), valid_invoice())
    observation = probe(client_of(simulator), valid_invoice())

    [effect] = simulator.effects
    assert answer.kind is AnswerKind.UNKNOWN
    assert (observation.presence, observation.reference) == (Presence.SAME, effect["clearance"])


def test_silence_is_unknown(simulator: RunningSimulator) -> None:
    simulator.fault("timeout_before", times=1, seconds=600)

    assert submit(client_of(simulator, timeout=1), valid_invoice()).kind is AnswerKind.UNKNOWN


def test_other_content_under_the_same_number_is_different(simulator: RunningSimulator) -> None:
    first = submit(client_of(simulator), valid_invoice())

    observation = probe(client_of(simulator), valid_invoice(seed=2))

    assert (observation.presence, observation.reference) == (Presence.DIFFERENT, first.reference)


def test_probe_of_a_payload_that_cannot_be_read_is_unanswered(simulator: RunningSimulator) -> None:
    assert probe(client_of(simulator), b"<nothing/>").presence is Presence.UNANSWERED


JSON = "Content-Type: application/json"
XML = "Content-Type: application/xml"
REPORT = b'<svrl:schematron-output xmlns:svrl="http://purl.oclc.org/dsdl/svrl">%s</svrl:schematron-output>'
WARNING = (
    b'<svrl:failed-assert id="UBL-CR-001" flag="warning" location="/*"><svrl:text>a</svrl:text></svrl:failed-assert>'
)


def receipt(**changes: object) -> bytes:
    return json.dumps({"clearance": "CLR-1", "sha256": sha256(valid_invoice()).hexdigest()} | changes).encode()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(answering("201 Created", b"", JSON), id="nothing"),
        pytest.param(answering("201 Created", b"<html>", "Content-Type: text/html"), id="a page"),
        pytest.param(answering("201 Created", b'{"clearance":', JSON), id="half an object"),
        pytest.param(answering("201 Created", b"[" * 100_000, JSON), id="deep nesting"),
        pytest.param(answering("201 Created", receipt(clearance=""), JSON), id="no clearance"),
        pytest.param(answering("201 Created", receipt(clearance="CLR-\u0000"), JSON), id="clearance with NUL"),
        pytest.param(answering("201 Created", receipt(clearance="C" * 101), JSON), id="endless clearance"),
        pytest.param(answering("201 Created", receipt(sha256="0" * 64), JSON), id="other content"),
        pytest.param(answering("202 Accepted", receipt(), JSON), id="accepted but not booked"),
        pytest.param(answering("400 Bad Request", b"Bad Request", "Content-Type: text/plain"), id="a proxy's 400"),
        pytest.param(answering("409 Conflict", b'{"code":"IN_PROGRESS"}', JSON), id="in progress"),
        pytest.param(answering("422 Unprocessable", b"<broken", XML), id="a broken report"),
        pytest.param(answering("422 Unprocessable", REPORT % b"", XML), id="a report without findings"),
        pytest.param(answering("422 Unprocessable", REPORT % WARNING, XML), id="a report with warnings alone"),
        pytest.param(answering("429 Too Many Requests", b"<html>", "Content-Type: text/html"), id="a proxy's 429"),
        pytest.param(answering("503 Unavailable", b"<html>", "Content-Type: text/html"), id="a proxy's 503"),
        pytest.param(answering("408 Request Timeout"), id="408"),
        pytest.param(answering("500 Internal Server Error"), id="500"),
        pytest.param(answering("502 Bad Gateway"), id="502"),
        pytest.param(answering("504 Gateway Timeout"), id="504"),
    ],
)
def test_answer_that_the_authority_does_not_document_is_unknown(script: Script) -> None:
    with scripted(script) as server:
        answer = submit(client_at(server.url), valid_invoice())

    assert answer.kind is AnswerKind.UNKNOWN
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["302 Found", "403 Forbidden", "404 Not Found", "405 No", "410 Gone"])
def test_status_that_blames_the_connection_stops_it(status: str) -> None:
    with scripted(answering(status, b"", "Location: http://127.0.0.1:1/")) as server:
        answer = submit(client_at(server.url), valid_invoice())

    assert answer.kind is AnswerKind.MISCONFIGURED
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"documents": {}}', b'{"documents": ["a"]}', b'{"documents": [{"sha256": "a"}]}'],
)
def test_look_up_that_is_not_understood_is_unanswered(body: bytes) -> None:
    with scripted(answering("200 OK", body, JSON)) as server:
        observation = probe(client_at(server.url), valid_invoice())

    assert observation.presence is Presence.UNANSWERED
    assert observation.detail == "HTTP 200 with a body that means nothing to us."


def test_not_found_is_not_absent() -> None:
    with scripted(answering("404 Not Found", b'{"documents": []}', JSON)) as server:
        observation = probe(client_at(server.url), valid_invoice())

    assert (observation.presence, observation.detail) == (Presence.MISCONFIGURED, "HTTP 404.")


def test_key_token_and_content_go_out_as_they_are() -> None:
    with scripted(answering("500 Internal Server Error")) as server:
        client = client_at(server.url, token="abc")
        submit(client, valid_invoice())

    [request] = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == valid_invoice()
    assert {b"Idempotency-Key: " + KEY.encode(), b"Authorization: Bearer abc", b"Content-Type: application/xml"} <= set(
        head.split(b"\r\n")
    )
