import json
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from integrations.connectors.base import Answer, AnswerKind, Endpoint, Observation, Presence, TargetClient
from integrations.connectors.erp import connector
from integrations.refusals import Category, Severity, TransactionKind
from tests.integrations.connectors.erp.postings import customer_invoice, detail, gateway_error, journal
from tests.scripted_server import Script, answering, scripted
from tests.simulator_process import RunningSimulator

KEY = "a" * 64
OTHER_KEY = "b" * 64
PATIENCE = 20.0  # seconds
JSON = "Content-Type: application/json"


def client_at(url: str, *, token: str = "", timeout: float = PATIENCE) -> TargetClient:
    return connector.client(Endpoint(url=url, token=token, timeout=timeout))


def client_of(simulator: RunningSimulator, *, timeout: float = PATIENCE) -> TargetClient:
    return client_at(simulator.erp_url, token=simulator.token, timeout=timeout)


def submit(client: TargetClient, content: bytes, *, key: str = KEY, despite_warnings: bool = True) -> Answer:
    return client.submit(
        key=key, object_type="journal", business_key="as the case has it", content=content,
        media_type="application/json", despite_warnings=despite_warnings,
    )  # fmt: skip


def probe(client: TargetClient, content: bytes) -> Observation:
    return client.probe(object_type="journal", business_key="as the case has it", content=content)


def fault(simulator: RunningSimulator, name: str, **settings: Any) -> None:
    simulator.fault(name, path="/erp/postings", times=1, **settings)


@pytest.mark.parametrize("content", [journal(), customer_invoice()])
def test_right_posting_is_confirmed_with_its_document_and_year(simulator: RunningSimulator, content: bytes):
    answer = submit(client_of(simulator), content)

    [effect] = simulator.effects
    assert (answer.kind, answer.reference) == (AnswerKind.CONFIRMED, f"{effect['document']}/2026")
    assert (answer.http_status, effect["key"]) == (201, KEY)


def test_repeat_under_the_same_key_is_confirmed_and_booked_once(simulator: RunningSimulator):
    first, second = (submit(client_of(simulator), journal()) for _ in range(2))

    assert (second.kind, second.reference) == (AnswerKind.CONFIRMED, first.reference)
    assert len(simulator.effects) == 1


def test_repeat_to_an_erp_that_ignores_keys_shows_in_the_look_up(simulator: RunningSimulator):
    simulator.change_erp(honour_keys=False)
    first, second = (submit(client_of(simulator), journal()) for _ in range(2))

    observation = probe(client_of(simulator), journal())

    assert first.reference != second.reference
    assert (observation.presence, observation.reference) == (Presence.SAME, first.reference)
    assert observation.detail == (f"The ERP has 2 postings with this reference: {first.reference}, {second.reference}.")


def test_wrong_posting_is_refused_with_every_message(simulator: RunningSimulator):
    lines = [{"account": "630000", "debit": "10.00"}, {"account": "190000", "cost_center": "CC-8000", "credit": "9"}]

    answer = submit(client_of(simulator), journal(lines=lines))

    assert answer.kind is AnswerKind.REFUSED
    assert answer.refusal is not None
    assert [(error.code, error.field_path, error.severity) for error in answer.refusal.errors] == [
        ("KI/235", "/lines/0/cost_center", Severity.ERROR),
        ("ZFI/081", "/lines/1/cost_center", Severity.WARNING),
        ("F5/702", "/lines", Severity.ERROR),
    ]


def test_warnings_do_not_stop_what_people_have_approved(simulator: RunningSimulator):
    lines = [{"account": "630000", "cost_center": "CC-8000", "debit": 1}, {"account": "190000", "credit": 1}]

    assert submit(client_of(simulator), journal(lines=lines)).kind is AnswerKind.CONFIRMED


def test_reference_that_is_posted_already_is_looked_up(simulator: RunningSimulator):
    simulator.change_erp(deduplicate_references=True)
    first = submit(client_of(simulator), journal())

    second = submit(client_of(simulator), journal(), key=OTHER_KEY)
    same, other = probe(client_of(simulator), journal()), probe(client_of(simulator), journal(text="Another"))

    assert second.kind is AnswerKind.ALREADY_EXISTS
    assert (same.presence, same.reference) == (Presence.SAME, first.reference)
    assert (other.presence, other.reference) == (Presence.DIFFERENT, first.reference)


@pytest.mark.parametrize(
    ("changes", "presence"),
    [
        ({}, Presence.SAME),
        ({"lines": [
            {"account": "630000", "cost_center": "CC-1000", "debit": 1250, "credit": 0, "text": "Office rent"},
            {"account": "190000", "debit": None, "credit": 1250.0, "text": "Accrued liabilities", "profit_center": ""},
        ]}, Presence.SAME),
        ({"lines": [
            {"account": "630000", "cost_center": "CC-1000", "debit": 1250.01, "text": "Office rent"},
            {"account": "190000", "credit": 1250.0, "text": "Accrued liabilities"},
        ]}, Presence.DIFFERENT),
        ({"lines": []}, Presence.DIFFERENT),
        ({"posting_date": "2026-12-01"}, Presence.DIFFERENT),
        ({"text": None}, Presence.DIFFERENT),
        ({"source_batch": "7"}, Presence.SAME),
    ],
)  # fmt: skip
def test_look_up_compares_by_value(simulator: RunningSimulator, changes: dict[str, Any], presence: Presence):
    submit(client_of(simulator), journal())

    assert probe(client_of(simulator), journal(**changes)).presence is presence


def test_look_up_of_nothing(simulator: RunningSimulator):
    assert probe(client_of(simulator), journal()).presence is Presence.ABSENT
    assert probe(client_of(simulator), journal(reference=None)).presence is Presence.UNANSWERED
    assert probe(client_of(simulator), b"{}").presence is Presence.UNANSWERED


def test_key_used_for_other_content_stops_the_connection(simulator: RunningSimulator):
    submit(client_of(simulator), journal())

    assert submit(client_of(simulator), journal(reference="JE-1")).kind is AnswerKind.MISCONFIGURED


def test_wrong_token_or_address_stops_the_connection(simulator: RunningSimulator):
    unsigned = submit(client_at(simulator.erp_url, token="wrong"), journal())
    lost = submit(client_at(simulator.url, token=simulator.token), journal())

    assert (unsigned.kind, unsigned.http_status) == (AnswerKind.MISCONFIGURED, 401)
    assert (lost.kind, lost.http_status) == (AnswerKind.MISCONFIGURED, 404)


def test_loopback_that_is_not_allowed_stops_the_connection(simulator: RunningSimulator, settings: Settings):
    settings.INTEGRATIONS_ALLOW_LOOPBACK = False

    assert submit(client_of(simulator), journal()).kind is AnswerKind.MISCONFIGURED
    assert simulator.attempts == []


@pytest.mark.parametrize(("name", "status"), [("too_many_requests", 429), ("down", 503)])
def test_declared_overload_is_not_sent(simulator: RunningSimulator, name: str, status: int):
    fault(simulator, name)

    answer = submit(client_of(simulator), journal())

    assert (answer.kind, answer.http_status, answer.retry_after) == (AnswerKind.NOT_SENT, status, 1.0)
    assert simulator.effects == []


@pytest.mark.parametrize(("name", "presence"), [("timeout_before", Presence.ABSENT), ("timeout_after", Presence.SAME)])
def test_cut_is_unknown_and_then_looked_up(simulator: RunningSimulator, name: str, presence: Presence):
    fault(simulator, name, seconds=0)

    assert submit(client_of(simulator), journal()).kind is AnswerKind.UNKNOWN
    assert probe(client_of(simulator), journal()).presence is presence


def test_silence_is_unknown(simulator: RunningSimulator):
    fault(simulator, "timeout_before", seconds=600)

    assert submit(client_of(simulator, timeout=0.3), journal()).kind is AnswerKind.UNKNOWN


def receipt(**changes: object) -> bytes:
    return json.dumps({"document": "5100000123", "fiscal_year": 2026, "posted_at": "2026-11-30"} | changes).encode()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(answering("201 Created", b"", JSON), id="nothing"),
        pytest.param(answering("201 Created", b"<html>", "Content-Type: text/html"), id="a page"),
        pytest.param(answering("201 Created", b'{"document":', JSON), id="half an object"),
        pytest.param(answering("201 Created", b"[" * 100_000, JSON), id="deep nesting"),
        pytest.param(answering("201 Created", receipt(document=""), JSON), id="no document"),
        pytest.param(answering("201 Created", receipt(document="5\u0000"), JSON), id="document with NUL"),
        pytest.param(answering("201 Created", receipt(fiscal_year="2026"), JSON), id="year as text"),
        pytest.param(answering("201 Created", receipt(fiscal_year=None), JSON), id="no year"),
        pytest.param(answering("202 Accepted", receipt(), JSON), id="accepted but not booked"),
        pytest.param(answering("400 Bad Request", b"Bad Request", "Content-Type: text/plain"), id="a proxy's 400"),
        pytest.param(answering("400 Bad Request", b'{"error": "bad"}', JSON), id="another 400"),
        pytest.param(answering("422 No", gateway_error(detail("F5/201")), "Content-Type: text/html"), id="no JSON"),
        pytest.param(answering("429 Too Many Requests", b"<html>", "Content-Type: text/html"), id="a proxy's 429"),
        pytest.param(answering("503 Unavailable", b"{}", JSON), id="a proxy's 503"),
        pytest.param(answering("500 Error", gateway_error(detail("F5/201")), JSON), id="500 with a reason"),
        pytest.param(answering("408 Request Timeout"), id="408"),
        pytest.param(answering("502 Bad Gateway"), id="502"),
        pytest.param(answering("504 Gateway Timeout"), id="504"),
    ],
)
def test_answer_that_the_erp_does_not_document_is_unknown(script: Script):
    with scripted(script) as server:
        answer = submit(client_at(server.url), journal())

    assert answer.kind is AnswerKind.UNKNOWN
    assert len(server.requests) == 1


def test_refusal_for_warnings_alone_is_held():
    warning = gateway_error(detail("ZFI/081", place="lines/0", severity="warning"))
    with scripted(answering("400 Bad Request", warning, JSON)) as server:
        answer = submit(client_at(server.url), journal())

    assert answer.kind is AnswerKind.REFUSED
    assert answer.refusal is not None
    assert (answer.refusal.kind, answer.refusal.category) == (TransactionKind.HELD, Category.POLICY_HOLD)


def test_lock_is_refused_for_another_try():
    with scripted(answering("423 Locked", gateway_error(detail("MC/601")), JSON)) as server:
        answer = submit(client_at(server.url), journal())

    assert answer.refusal is not None
    assert (answer.kind, answer.refusal.auto_retry) == (AnswerKind.REFUSED, True)


@pytest.mark.parametrize("status", ["302 Found", "403 Forbidden", "404 Not Found", "405 No", "410 Gone"])
def test_status_that_blames_the_connection_stops_it(status: str):
    with scripted(answering(status, b"", "Location: http://127.0.0.1:1/")) as server:
        answer = submit(client_at(server.url), journal())

    assert answer.kind is AnswerKind.MISCONFIGURED
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("200 OK", b""),
        ("200 OK", b"{}"),
        ("200 OK", b'{"postings": {}}'),
        ("200 OK", b'{"postings": ["a"]}'),
        ("200 OK", b'{"postings": [{"document": "5100000123", "fiscal_year": 2026}]}'),
        ("200 OK", b'{"postings": [{"document": "", "fiscal_year": 2026, "posting": {}}]}'),
    ],
)
def test_look_up_that_is_not_understood_is_unanswered(status: str, body: bytes):
    with scripted(answering(status, body, JSON)) as server:
        assert probe(client_at(server.url), journal()).presence is Presence.UNANSWERED


@pytest.mark.parametrize(("despite_warnings", "handling"), [(True, b"lenient"), (False, b"strict")])
def test_key_token_and_content_go_out_as_they_are(despite_warnings: bool, handling: bytes):
    with scripted(answering("500 Internal Server Error")) as server:
        submit(client_at(server.url + "/", token="abc"), journal(), despite_warnings=despite_warnings)

    [request] = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == journal()
    assert {
        b"POST /path/postings HTTP/1.1", b"Idempotency-Key: " + KEY.encode(), b"Authorization: Bearer abc",
        b"Content-Type: application/json", b"Prefer: handling=" + handling,
    } <= set(head.split(b"\r\n"))  # fmt: skip


def test_look_up_asks_for_company_kind_and_reference():
    with scripted(answering("200 OK", b'{"postings": []}', JSON)) as server:
        probe(client_at(server.url), customer_invoice(number="A&B 1"))

    assert server.requests[0].startswith(
        b"GET /path/postings?company=NL01&type=customer_invoice&reference=A%26B+1 HTTP/1.1\r\n"
    )


def test_not_found_is_not_absent_and_blames_the_connection():
    with scripted(answering("404 Not Found", b'{"postings": []}', JSON)) as server:
        observation = probe(client_at(server.url), journal())

    assert (observation.presence, observation.detail) == (Presence.MISCONFIGURED, "HTTP 404.")
