"""Handing messages in: one, many, again, with other content, by whom, and what cannot be used."""

import base64
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from guardian.shortcuts import assign_perm

from exceptions_app import intake
from exceptions_app.models import ExceptionCase, Route
from integrations.demo.report import official_report
from integrations.models import Connection, InboxContent, InboxMessage
from tests import factories
from tests.arrivals import configure
from tests.cast import MORNING, Cast, person
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from tests.invoices import valid_invoice, without_issue_date
from workbench.models import User

As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]
PAYLOAD = without_issue_date(valid_invoice())


@pytest.fixture
def source(api: As, cast: Cast) -> Api:
    """The system that hands in refused invoices: its account has this one grant."""
    account = person("billing", "Billing run")
    assign_perm("ingest_messages", account, cast.connection)
    return api(account)


def message(identifier: str = "run-1/1", **changes: Any) -> dict[str, Any]:
    return {
        "connection": "tax-authority",
        "id": identifier,
        "payload": {"media_type": "application/xml", "text": PAYLOAD.decode()},
        "refusal": {
            "media_type": "application/xml",
            "status": 422,
            "headers": {"X-Reason": "rules"},
            "base64": base64.b64encode(b"<report/>").decode(),
        },
        "context": {"batch": "run-1", "limit": 12.5},
    } | changes


def test_message_is_kept_as_it_was_sent(source: Api, conforms: Conforms) -> None:
    response = source.post("messages", message())
    conforms(response.json(), "ReceiptShape")
    kept = InboxMessage.objects.get()
    assert response.status_code == 202
    assert response.json() == {
        "id": "run-1/1", "connection": "tax-authority", "status": "accepted",
        "message": f"http://testserver/api/v1/messages/{kept.pk}", "problem": None,
    }  # fmt: skip
    content = InboxContent.objects.get()
    assert (bytes(content.payload), content.payload_media_type) == (PAYLOAD, "application/xml")
    assert (bytes(content.refusal), content.refusal_status) == (b"<report/>", 422)
    assert (content.refusal_headers, content.context) == ({"X-Reason": "rules"}, {"batch": "run-1", "limit": "12.5"})
    assert (kept.via, kept.received_by, kept.status) == ("api", "billing", "pending")
    assert kept.correlation_id == response["X-Request-ID"]


def test_message_becomes_an_exception_that_its_sender_can_name(source: Api, cast: Cast, conforms: Conforms) -> None:
    refusal = {"media_type": "application/xml", "text": official_report(PAYLOAD).decode()}
    receipt = source.post("messages", message(refusal=refusal)).json()
    assert source.get(receipt["message"]).json()["status"] == "pending"
    intake.read_messages(limit=10, at=MORNING)
    found = source.get(receipt["message"]).json()
    conforms(found, "MessageShape")
    assert (found["status"], found["exceptions"], found["problem"]) == (
        "processed", [ExceptionCase.objects.get().ref], None,
    )  # fmt: skip


def test_the_same_again_is_a_repeat(source: Api) -> None:
    first, second = source.post("messages", message()), source.post("messages", message())
    assert (second.status_code, second.json()) == (202, first.json() | {"status": "repeat"})
    assert InboxMessage.objects.get().repeats == 1


def test_other_content_under_the_same_identifier_is_a_conflict_and_both_are_kept(source: Api) -> None:
    source.post("messages", message())
    response = source.post("messages", message(payload={"media_type": "application/xml", "text": "<other/>"}))
    assert kind_of(response) == (409, "identifier-reused")
    assert response.json()["errors"][0]["pointer"] == "/id"
    assert [(kept.status, kept.problem_field) for kept in InboxMessage.objects.order_by("id")] == [
        ("pending", ""), ("failed", "id"),
    ]  # fmt: skip


def test_many_messages_have_an_outcome_each(source: Api, cast: Cast, conforms: Conforms) -> None:
    source.post("messages", message("known"))
    too_large = Connection.objects.get().max_bytes + 1
    response = source.post(
        "messages",
        {
            "messages": [
                message("b"),
                message("known"),
                message("known", payload={"media_type": "application/xml", "text": "<other/>"}),
                message("a", connection="no-such-connection"),
                message("c", payload={"media_type": "application/xml", "text": "", "extra": 1}),
                "not a message",
                message("a"),
                message("d", payload={"media_type": "text/plain", "text": "x" * too_large}),
                message("b"),
            ]
        },
    )
    body = response.json()
    conforms(body, "ManyReceipts")
    assert response.status_code == 202
    assert [(found["id"], found["status"]) for found in body["messages"]] == [
        ("b", "accepted"), ("known", "repeat"), ("known", "conflict"), ("a", "refused"), ("c", "refused"),
        ("", "refused"), ("a", "accepted"), ("d", "refused"), ("b", "repeat"),
    ]  # fmt: skip
    assert {name: body[name] for name in ("accepted", "repeat", "conflict", "refused")} == {
        "accepted": 2, "repeat": 2, "conflict": 1, "refused": 4,
    }  # fmt: skip
    pointers = [found["problem"]["errors"][0]["pointer"] for found in body["messages"] if found["problem"]]
    assert pointers == [
        "/messages/2/id", "/messages/3/connection", "/messages/4/payload/extra", "/messages/5", "/messages/7/payload",
    ]  # fmt: skip
    assert [found["problem"]["status"] for found in body["messages"] if found["problem"]] == [409, 404, 422, 422, 413]
    assert sorted(InboxMessage.objects.values_list("external_id", flat=True)) == ["a", "b", "known", "known"]


def test_more_messages_than_a_request_may_have(source: Api) -> None:
    response = source.post("messages", {"messages": [message(str(n)) | {"context": {}} for n in range(5001)]})
    assert kind_of(response) == (422, "invalid-content")
    assert response.json()["errors"] == [
        {
            "pointer": "/messages",
            "detail": "There are more than 5000 messages in this request.",
            "remedy": "Shorten it, or split it.",
        }
    ]
    assert InboxMessage.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"messages": []}, "/messages"),
        ({"messages": {}}, "/messages"),
        ({"messages": None}, "/messages"),
        ({"messages": [], "id": "1"}, "/id"),
    ],
)
def test_list_that_cannot_be_used(source: Api, body: dict[str, Any], pointer: str) -> None:
    response = source.post("messages", body)
    assert kind_of(response) == (422, "invalid-content")
    assert pointer in [error["pointer"] for error in response.json()["errors"]]


XML = "application/xml"
UNUSABLE = {
    "no connection": ({"connection": None}, "/connection"),
    "number for a text": ({"id": 5}, "/id"),
    "truth for a text": ({"id": True}, "/id"),
    "empty identifier": ({"id": ""}, "/id"),
    "blank identifier": ({"id": "  "}, "/id"),
    "long identifier": ({"id": "a" * 201}, "/id"),
    "no payload": ({"payload": None}, "/payload"),
    "payload as text": ({"payload": "<a/>"}, "/payload"),
    "no media type": ({"payload": {"text": "<a/>"}}, "/payload/media_type"),
    "media type that is none": ({"payload": {"media_type": "xml\n", "text": "<a/>"}}, "/payload/media_type"),
    "text and base64": ({"payload": {"media_type": XML, "text": "<a/>", "base64": "PGEvPg=="}}, "/payload"),
    "neither": ({"payload": {"media_type": XML}}, "/payload"),
    "bad base64": ({"payload": {"media_type": XML, "base64": "PGEvPg="}}, "/payload/base64"),
    "URL base64": ({"payload": {"media_type": XML, "base64": "-_-_"}}, "/payload/base64"),
    "base64 beyond ASCII": ({"payload": {"media_type": XML, "base64": "PGEvPgäö"}}, "/payload/base64"),
    "empty payload": ({"payload": {"media_type": XML, "text": ""}}, "/payload"),
    "text of another encoding": (
        {"payload": {"media_type": XML, "text": '<?xml version="1.0" encoding="ISO-8859-1"?><a>ä</a>'}},
        "/payload/text",
    ),
    "misspelt field": ({"payload": {"media_type": XML, "text": "<a/>", "txt": ""}}, "/payload/txt"),
    "unknown field": ({"refusal ": {}}, "/refusal "),
    "status as text": ({"refusal": {"status": "422"}}, "/refusal/status"),
    "status with a fraction": ({"refusal": {"status": 422.5}}, "/refusal/status"),
    "status out of range": ({"refusal": {"status": 999}}, "/refusal/status"),
    "refusal without its type": ({"refusal": {"text": "<a/>"}}, "/refusal/media_type"),
    "headers as a list": ({"refusal": {"status": 422, "headers": []}}, "/refusal/headers"),
    "header as a number": ({"refusal": {"status": 422, "headers": {"a/b": 1}}}, "/refusal/headers/a~1b"),
    "too many headers": ({"refusal": {"status": 422, "headers": {str(n): "" for n in range(201)}}}, "/refusal/headers"),
    "context as a list": ({"context": []}, "/context"),
}


@pytest.mark.parametrize(("changes", "pointer"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_message_that_cannot_be_used_names_the_field(source: Api, changes: dict[str, Any], pointer: str) -> None:
    response = source.post("messages", message(**changes))
    assert kind_of(response) == (422, "invalid-content")
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert InboxMessage.objects.count() == 0


def test_payload_beyond_the_limit_of_its_connection(source: Api, cast: Cast) -> None:
    Connection.objects.update(max_bytes=10)
    response = source.post("messages", message())
    assert kind_of(response) == (413, "too-large")
    assert response.json()["errors"][0]["pointer"] == "/payload"
    assert "Tax authority takes at most 10" in response.json()["detail"]


@pytest.mark.parametrize("part", [{"status": 504}, {"status": 504, "media_type": "", "text": ""}, None, {}])
def test_refusal_may_be_without_content(source: Api, part: Any) -> None:
    assert source.post("messages", message(refusal=part)).status_code == 202
    assert bytes(InboxContent.objects.get().refusal) == b""


@pytest.mark.parametrize("text", ["not an invoice", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "<a>" * 3000])
def test_what_is_no_document_is_kept_as_an_intake_failure(
    source: Api, cast: Cast, text: str, conforms: Conforms
) -> None:
    receipt = source.post("messages", message(payload={"media_type": XML, "text": text})).json()
    intake.read_messages(limit=10, at=MORNING)
    found = source.get("messages", {"status": "failed"}).json()
    conforms(found, "MessagePage")
    assert [item["url"] for item in found["results"]] == [receipt["message"]]
    assert found["results"][0]["problem"]["field"] == "payload"
    assert found["results"][0]["problem"]["remedy"]
    assert bytes(InboxContent.objects.get().payload) == text.encode()


def test_unknown_connection_and_one_not_granted_are_the_same(source: Api, api: As, cast: Cast) -> None:
    unknown = source.post("messages", message(connection="elsewhere"))
    assert kind_of(unknown) == (404, "unknown-connection")
    assert unknown.json()["errors"][0]["pointer"] == "/connection"
    for account in (cast.clerk, cast.outsider, cast.administrator):
        hidden = api(account).post("messages", message())
        assert kind_of(hidden) == (404, "unknown-connection")
        assert hidden.json()["detail"] == unknown.json()["detail"].replace("elsewhere", "tax-authority")
    assert InboxMessage.objects.count() == 0


def test_message_of_another_connection_is_the_same_as_none(source: Api, api: As, cast: Cast) -> None:
    receipt = source.post("messages", message()).json()
    outsider = api(cast.outsider)
    assert outsider.get(receipt["message"]).status_code == 404
    assert outsider.get("messages/999999").status_code == 404
    assert outsider.get("messages/99999999999999999999").status_code == 404
    assert outsider.get("messages").json()["results"] == []


def test_clerk_sees_of_messages_what_became_visible_or_could_not_be_read(source: Api, api: As, cast: Cast) -> None:
    """Which legal entity a message is for is known when it was read; before that it is nobody's."""
    refusal = {"media_type": "application/xml", "text": official_report(PAYLOAD).decode()}
    receipt = source.post("messages", message(refusal=refusal)).json()
    clerks = [api(cast.clerk), api(cast.local_clerk)]
    assert [clerk.get(receipt["message"]).status_code for clerk in clerks] == [404, 404]
    configure(cast.route, entity=cast.germany)
    configure(Route(position=2, connection=cast.connection, queue=cast.einvoicing, entity=cast.netherlands))
    intake.read_messages(limit=1, at=MORNING)
    case = ExceptionCase.objects.get()
    assert [clerk.get(receipt["message"]).status_code for clerk in clerks] == [200, 404]
    assert clerks[0].get(receipt["message"]).json()["exceptions"] == [case.ref]
    assert [len(clerk.get("messages").json()["results"]) for clerk in clerks] == [1, 0]
    assert source.get(receipt["message"]).json()["exceptions"] == [case.ref]


@pytest.mark.parametrize(("parameters", "named"), [({"status": "lost"}, "status"), ({"state": "failed"}, "state")])
def test_filter_that_cannot_be_used(source: Api, parameters: dict[str, str], named: str) -> None:
    response = source.get("messages", parameters)
    assert (kind_of(response), response.json()["errors"][0]["parameter"]) == ((400, "invalid-parameter"), named)


def test_messages_are_filtered_by_connection(source: Api) -> None:
    source.post("messages", message())
    assert len(source.get("messages", {"connection": "tax-authority"}).json()["results"]) == 1
    assert source.get("messages", {"connection": "other\x00"}).json()["results"] == []


def test_list_asks_the_database_as_often_for_three_as_for_one(
    source: Api, cast: Cast, django_assert_max_num_queries: Any
) -> None:
    factories.make_message(cast)
    source.get("messages")
    with django_assert_max_num_queries(9) as one:
        source.get("messages")
    factories.make_case(cast)
    factories.make_case(cast)
    with django_assert_max_num_queries(len(one)):
        assert len(source.get("messages").json()["results"]) == 3


def test_numbers_of_the_context_stay_exact(source: Api) -> None:
    raw = (
        b'{"connection":"tax-authority","id":"1","payload":{"media_type":"a/b","text":"x"},"context":{"a":[0.1,1e2,7]}}'
    )
    assert source.post("messages", raw).status_code == 202
    assert InboxContent.objects.get().context == {"a": ["0.1", str(Decimal("1e2")), 7]}


def lines(*items: Any) -> bytes:
    return b"\n".join(item if isinstance(item, bytes) else json.dumps(item).encode() for item in items)


def test_message_on_each_line_has_an_outcome_each(source: Api, conforms: Conforms) -> None:
    body = lines(message("a"), b"", b'{"id": ', message("b", payload=None), b'{"a": 1, "a": 2}', message("a"), b"")
    response = source.post("messages", body, content_type="application/x-ndjson")
    conforms(response.json(), "ManyReceipts")
    found = response.json()["messages"]
    assert [item["status"] for item in found] == ["accepted", "refused", "refused", "refused", "repeat"]
    problems = [item["problem"] for item in found if item["problem"]]
    assert [(problem["status"], problem["errors"][0]["pointer"]) for problem in problems] == [
        (400, "/messages/1"), (422, "/messages/2/payload"), (400, "/messages/3/a"),
    ]  # fmt: skip


def test_lines_without_a_message_are_refused(source: Api) -> None:
    assert kind_of(source.post("messages", b"\n\n", content_type="application/x-ndjson")) == (422, "invalid-content")


def test_three_thousand_messages_at_once(source: Api) -> None:
    """More than there are locks to be had in one transaction."""
    names = [f"m-{number}" for number in range(3000)]
    body = lines(*(message(name, payload={"media_type": XML, "text": f"<a>{name}</a>"}) for name in names))
    first, again = (source.post("messages", body, content_type="application/x-ndjson").json() for _ in range(2))
    assert [first["accepted"], again["repeat"]] == [3000, 3000]
    assert [item["id"] for item in first["messages"]] == names
    assert list(InboxMessage.objects.order_by("id").values_list("external_id", flat=True)) == names


def test_sender_is_told_how_much_room_there_is(source: Api, cast: Cast) -> None:
    configure(cast.connection, per_minute=2, most_pending=50)
    first = source.post("messages", message("a"))
    assert first["RateLimit-Policy"] == '"pending";q=50;qu="messages", "per-minute";q=2;qu="messages";w=60'
    assert re.fullmatch(r'"per-minute";r=1;t=(59|60)', first["RateLimit"])
    many = source.post("messages", {"messages": [message(name) for name in "abc"]})
    assert [item["status"] for item in many.json()["messages"]] == ["repeat", "accepted", "refused"]
    problem = many.json()["messages"][2]["problem"]
    assert (many.status_code, problem["type"], problem["status"]) == (202, "/api/problems/#quota-reached", 429)
    beyond = source.post("messages", message("c"), idempotency_key="k-1")
    assert kind_of(beyond) == (429, "quota-reached")
    assert beyond["RateLimit"] == f'"per-minute";r=0;t={beyond["Retry-After"]}'
    assert 1 <= int(beyond["Retry-After"]) == beyond.json()["retry_after"] <= 60
    assert kind_of(source.post("messages", {"messages": [message("c"), message("d")]})) == (429, "quota-reached")
    assert source.post("messages", message("a")).json()["status"] == "repeat"
    configure(cast.connection, per_minute=None)
    assert source.post("messages", message("c"), idempotency_key="k-1").json()["status"] == "accepted"


def test_everybody_waits_while_too_much_waits_anywhere(source: Api, settings: Any) -> None:
    settings.INTAKE_MOST_PENDING = 1
    source.post("messages", message("a"))
    beyond = source.post("messages", message("b"))
    assert (kind_of(beyond), beyond["Retry-After"]) == ((503, "overloaded"), "1")
