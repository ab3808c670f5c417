import json
from datetime import UTC, datetime, timedelta

from integrations.webhooks import sign
from tests.simulator_process import WEBHOOK_SECRET, RunningSimulator

BODY = json.dumps({"event": "resolved", "number": "INV-1001"}).encode()


def signed(body: bytes = BODY, *, message_id: str = "msg-1", age: timedelta = timedelta(0)) -> dict[str, str]:
    headers = sign(WEBHOOK_SECRET, message_id=message_id, timestamp=datetime.now(UTC) - age, body=body)
    return {name.replace("-", "_"): text for name, text in headers.items()}


def test_signed_webhook_is_kept(simulator: RunningSimulator) -> None:
    answer = simulator.post("/source/webhook", BODY, **signed())

    assert (answer.status_code, answer.json()) == (200, {"received": "msg-1", "duplicate": False})
    assert [(event["id"], event["content"]) for event in simulator.events] == [("msg-1", json.loads(BODY))]


def test_repeated_webhook_is_kept_once(simulator: RunningSimulator) -> None:
    simulator.post("/source/webhook", BODY, **signed())
    answer = simulator.post("/source/webhook", BODY, **signed())

    assert (answer.status_code, answer.json()["duplicate"]) == (200, True)
    assert len(simulator.events) == 1


def test_same_id_with_other_content_is_refused(simulator: RunningSimulator) -> None:
    simulator.post("/source/webhook", BODY, **signed())
    answer = simulator.post("/source/webhook", b"{}", **signed(b"{}"))

    assert (answer.status_code, answer.json()["code"]) == (409, "ID_REUSED")
    assert len(simulator.events) == 1


def test_changed_body_is_refused(simulator: RunningSimulator) -> None:
    answer = simulator.post("/source/webhook", BODY + b" ", **signed())

    assert (answer.status_code, simulator.events) == (401, [])


def test_old_webhook_is_refused(simulator: RunningSimulator) -> None:
    answer = simulator.post("/source/webhook", BODY, **signed(age=timedelta(minutes=6)))

    assert (answer.status_code, simulator.events) == (401, [])


def test_malformed_signature_is_refused(simulator: RunningSimulator) -> None:
    answer = simulator.post("/source/webhook", BODY, **signed() | {"webhook_signature": "v1"})

    assert (answer.status_code, simulator.events) == (401, [])


def test_events_outlive_a_kill(simulator: RunningSimulator) -> None:
    simulator.post("/source/webhook", BODY, **signed())

    simulator.restart()

    assert [event["id"] for event in simulator.events] == ["msg-1"]


def test_page_shows_what_the_source_was_told_and_escapes_it(simulator: RunningSimulator) -> None:
    told = {"document_number": "JE-1 <b>", "outcome": "released", "reference": "1000000123/2026"}
    body = json.dumps({"type": "exception.resolved", "data": told}).encode()
    simulator.post("/source/webhook", body, **signed(body))

    page = simulator.get("/source/")

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    for words in ("JE-1 &lt;b&gt;", "released", "1000000123/2026"):
        assert f"<td>{words}</td>" in page.text


def test_page_tells_a_repeat_of_a_transaction_from_the_first_and_says_how_each_ended(
    simulator: RunningSimulator,
) -> None:
    for place, (identifier, state) in enumerate([("deal-1", "delivered"), ("deal-1-again", "duplicate")]):
        told = {"id": identifier, "state": state, "outcome": "", "problem": "", "document_number": "MNL-1"}
        body = json.dumps({"type": f"transaction.{state}", "data": told}).encode()
        simulator.post("/source/webhook", body, **signed(body, message_id=f"msg-{place}"))

    page = simulator.get("/source/").text

    assert page.count("<td>MNL-1</td>") == 2
    for words in ("deal-1", "deal-1-again", "delivered", "duplicate"):
        assert f"<td>{words}</td>" in page
