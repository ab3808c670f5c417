"""Webhooks of sources: signed, with a token, as CloudEvents, in the source's own shape; and what is refused."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils.timezone import now
from guardian.shortcuts import assign_perm
from pytest_django.fixtures import Settings

from audit.models import AuditEvent
from exceptions_app import intake
from exceptions_app.actions.connections import rotate_webhook_secret
from exceptions_app.models import ExceptionCase
from exceptions_app.policies import NotPermitted
from integrations.models import Connection, InboxContent, InboxMessage
from integrations.webhooks import sign
from tests.arrivals import configure, refused_invoice, report_on
from tests.cast import MORNING, Cast, person
from tests.concurrency import at_the_same_time
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from workbench.models import User

As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"o" * 32).decode()
INVOICE = refused_invoice()
MESSAGE = {
    "payload": {"media_type": "application/xml", "text": INVOICE.decode()},
    "refusal": {"media_type": "application/xml", "status": 422, "text": "<report/>"},
    "context": {"batch": "run-1"},
}


@dataclass(frozen=True, slots=True)
class Source:
    """A system that signs what it sends; what is said here for one request stands in for the ordinary."""

    secret: str = SECRET
    slug: str = "tax-authority"
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def send(self, body: Any, *, id: str = "event-1", at: datetime | None = None, **sent: Any) -> Any:  # noqa: A002
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = _signed(self.secret, id, at or datetime.now(UTC), data)
        headers |= {name.replace("_", "-"): value for name, value in sent.pop("headers", {}).items()}
        content_type = sent.pop("content_type", "application/json")
        address = f"/hooks/{self.slug}/"
        return self.client.post(address, sent.pop("instead", data), content_type=content_type, headers=headers, **sent)


def _signed(secret: str, identifier: str, at: datetime, body: bytes) -> dict[str, str]:
    return sign(secret, message_id=identifier, timestamp=at, body=body)


@pytest.fixture(autouse=True)
def nobody_failed_yet() -> None:
    cache.clear()


@pytest.fixture
def source(cast: Cast) -> Source:
    configure(cast.connection, webhook_secret=SECRET)
    return Source()


def test_signed_webhook_is_kept_as_a_message(source: Source, conforms: Conforms) -> None:
    response = source.send(MESSAGE)
    conforms(response.json(), "ReceiptShape")
    kept, content = InboxMessage.objects.get(), InboxContent.objects.get()
    assert (response.status_code, response.json()) == (202, {
        "id": "event-1", "connection": "tax-authority", "status": "accepted",
        "message": f"http://testserver/api/v1/messages/{kept.pk}", "problem": None,
    })  # fmt: skip
    assert (kept.external_id, kept.via, kept.received_by) == ("event-1", "hook", "webhook:tax-authority")
    assert (bytes(content.payload), content.refusal_status, content.context) == (INVOICE, 422, {"batch": "run-1"})
    event = AuditEvent.objects.get(action="message.received")
    assert (event.actor, event.actor_kind, event.correlation_id) == (
        "webhook:tax-authority", "machine", response["X-Request-ID"],
    )  # fmt: skip


def test_webhook_becomes_an_exception(source: Source) -> None:
    refusal = {"media_type": "application/xml", "status": 422, "text": report_on(INVOICE).decode()}
    source.send(MESSAGE | {"refusal": refusal})
    intake.read_messages(limit=10, at=MORNING)
    assert ExceptionCase.objects.get().document_number == "INV-1001"


def test_attempt_again_is_a_repeat_whenever_it_is_signed(source: Source) -> None:
    first = source.send(MESSAGE)
    second = source.send(MESSAGE, at=datetime.now(UTC) + timedelta(minutes=2))
    assert (second.status_code, second.json()) == (202, first.json() | {"status": "repeat"})
    assert InboxMessage.objects.get().repeats == 1


@pytest.mark.django_db(transaction=True)
def test_hundred_attempts_at_once_are_kept_once(source: Source) -> None:
    answers = [sent.json() for sent in at_the_same_time([partial(Source().send, MESSAGE) for _ in range(100)])]
    assert sorted(answer["status"] for answer in answers) == ["accepted"] + ["repeat"] * 99
    assert (len({answer["message"] for answer in answers}), InboxMessage.objects.get().repeats) == (1, 99)


def test_same_identifier_with_other_content_is_a_conflict_and_kept(source: Source) -> None:
    source.send(MESSAGE)
    response = source.send(MESSAGE | {"payload": {"media_type": "application/xml", "text": "<other/>"}})
    assert kind_of(response) == (409, "identifier-reused")
    assert list(InboxMessage.objects.order_by("id").values_list("status", "conflict")) == [
        ("pending", False), ("failed", True),
    ]  # fmt: skip


MINUTES = {"old": timedelta(minutes=-5, seconds=-5), "ahead": timedelta(minutes=5, seconds=5)}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no identifier": ({"headers": {"webhook_id": ""}}, "webhook-id"),
    "identifier with a full stop": ({"id": "a.1"}, "webhook-id"),
    "other identifier": ({"headers": {"webhook_id": "event-2"}}, "webhook-signature"),
    "no time": ({"headers": {"webhook_timestamp": ""}}, "webhook-timestamp"),
    "time that is none": ({"headers": {"webhook_timestamp": "1e9"}}, "webhook-timestamp"),
    "replayed": ({"at": datetime.now(UTC) + MINUTES["old"]}, "webhook-timestamp"),
    "ahead": ({"at": datetime.now(UTC) + timedelta(hours=1)}, "webhook-timestamp"),
    "no signature": ({"headers": {"webhook_signature": ""}}, "webhook-signature"),
    "signature without a version": ({"headers": {"webhook_signature": "abc"}}, "webhook-signature"),
    "other version": ({"headers": {"webhook_signature": "v1a,abc"}}, "webhook-signature"),
    "no base64": ({"headers": {"webhook_signature": "v1,äö"}}, "webhook-signature"),
    "changed body": ({"instead": b'{"payload": {}}'}, "webhook-signature"),
}


@pytest.mark.parametrize(("sent", "header"), REFUSED.values(), ids=REFUSED.keys())
def test_webhook_that_is_not_signed_as_agreed(source: Source, sent: dict[str, Any], header: str) -> None:
    response = source.send(MESSAGE, **sent)
    assert kind_of(response) == (401, "bad-signature")
    assert [error["header"] for error in response.json()["errors"]] == [header]
    assert response["WWW-Authenticate"] == "Bearer"
    assert InboxMessage.objects.count() == 0


def test_wrong_secret_no_secret_and_no_connection_are_the_same(cast: Cast) -> None:
    answers = [Source().send(MESSAGE), Source(slug="elsewhere").send(MESSAGE)]
    configure(cast.connection, webhook_secret=SECRET)
    answers.append(Source(secret=OTHER_SECRET).send(MESSAGE))
    bodies = [answer.json() | {"trace_id": "", "instance": ""} for answer in answers]
    assert [answer.status_code for answer in answers] == [401] * 3
    assert bodies == [bodies[0]] * 3


def test_one_signature_of_several_is_enough(source: Source) -> None:
    at, body = datetime.now(UTC), json.dumps(MESSAGE).encode()
    both = " ".join(_signed(secret, "event-1", at, body)["webhook-signature"] for secret in (OTHER_SECRET, SECRET))
    response = source.send(MESSAGE, at=at, headers={"webhook_signature": f"v1a,x {both}"})
    assert response.status_code == 202


def test_old_secret_is_taken_until_its_time_is_over(source: Source, cast: Cast) -> None:
    until = now() + timedelta(hours=1)
    new = rotate_webhook_secret(cast.connection.pk, by=cast.administrator, at=now(), because="Yearly.", old_until=until)
    assert [Source(secret).send(MESSAGE).status_code for secret in (SECRET, new)] == [202, 202]
    connection = Connection.objects.get()
    assert connection.webhook_secrets(at=until) == [new]
    rotate_webhook_secret(connection.pk, by=cast.administrator, at=now(), because="It leaked.")
    assert [Source(secret).send(MESSAGE).status_code for secret in (SECRET, new)] == [401, 401]
    events = AuditEvent.objects.filter(action="connection.webhook_secret_rotated")
    assert [event.because for event in events.order_by("id")] == ["Yearly.", "It leaked."]
    told = b"".join(bytes(event.body) for event in AuditEvent.objects.all())
    assert [secret.encode() in told for secret in (SECRET, new)] == [False, False]


def test_secret_is_rotated_by_those_who_may_configure(source: Source, cast: Cast) -> None:
    with pytest.raises(NotPermitted):
        rotate_webhook_secret(cast.connection.pk, by=cast.controller, at=now(), because="For fun.")
    assert Connection.objects.get().webhook_secret == SECRET


def test_failures_are_limited_and_what_fits_is_taken_all_the_same(source: Source, caplog: Any) -> None:
    stranger = Source(secret=OTHER_SECRET)
    answers = [stranger.send(MESSAGE).status_code for _ in range(32)]
    assert answers == [401] * 30 + [429] * 2
    assert 1 <= int(stranger.send(MESSAGE)["Retry-After"]) <= 300
    assert len([record for record in caplog.records if "was refused" in record.message]) == 30
    assert not any("whsec" in record.getMessage() or "v1," in record.getMessage() for record in caplog.records)
    assert source.send(MESSAGE).status_code == 202


def test_account_with_a_token_needs_no_signature(cast: Cast, api: As) -> None:
    account = person("billing", "Billing run")
    assign_perm("ingest_messages", account, cast.connection)
    headers = {**api(account).headers, "webhook-id": "event-9"}
    client = Client()
    response = client.post("/hooks/tax-authority/", json.dumps(MESSAGE), "application/json", headers=headers)
    assert (response.status_code, InboxMessage.objects.get().received_by) == (202, "billing")
    for account in (cast.clerk, cast.administrator):
        hidden = client.post("/hooks/tax-authority/", "{}", "application/json", headers=api(account).headers)
        assert kind_of(hidden) == (404, "unknown-connection")
    unknown = client.post(
        "/hooks/tax-authority/", "{}", "application/json", headers={"authorization": "Bearer wb_none"}
    )
    assert kind_of(unknown) == (401, "unauthenticated")


def test_session_counts_for_nothing(source: Source, cast: Cast) -> None:
    assign_perm("ingest_messages", cast.clerk, cast.connection)
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.clerk, backend="django.contrib.auth.backends.ModelBackend")
    assert kind_of(client.post("/hooks/tax-authority/", "{}", "application/json")) == (401, "bad-signature")
    assert Source(client=client).send(MESSAGE).status_code == 202


EVENT = {
    "specversion": "1.0", "id": "7", "source": "/billing/nl", "type": "nl.invoice.refused", "subject": "supplier-7",
    "time": "2026-11-02T09:00:00Z",
}  # fmt: skip
STRUCTURED = "application/cloudevents+json"


def test_structured_event_is_told_apart_by_source_and_id(source: Source) -> None:
    response = source.send(EVENT | {"data": MESSAGE}, content_type=f"{STRUCTURED}; charset=utf-8")
    again = source.send(EVENT | {"data": MESSAGE}, id="event-2", content_type=STRUCTURED)
    other = source.send(EVENT | {"source": "/billing/de", "data": MESSAGE}, id="event-3", content_type=STRUCTURED)
    assert [answer.json()["status"] for answer in (response, again, other)] == ["accepted", "repeat", "accepted"]
    kept, _ = InboxMessage.objects.order_by("id")
    assert (kept.external_id, kept.ordering_key) == ("/billing/nl 7", "supplier-7")
    assert kept.content.context == {"batch": "run-1", "cloudevent": EVENT}


def test_event_in_headers_is_the_same_as_one_in_a_document(source: Source) -> None:
    headers = {f"ce-{name}": value for name, value in EVENT.items()} | {"ce-partitionkey": "K%C3%B6ln"}
    response = source.send(MESSAGE, headers=headers)
    kept = InboxMessage.objects.get()
    assert (response.status_code, kept.external_id, kept.ordering_key) == (202, "/billing/nl 7", "Köln")
    assert kept.content.context["cloudevent"]["type"] == "nl.invoice.refused"


def test_batch_of_events_has_an_outcome_each(source: Source, conforms: Conforms) -> None:
    events = [
        EVENT | {"data": MESSAGE},
        EVENT | {"id": "", "data": MESSAGE},
        EVENT | {"id": "8", "data": {"payload": {"media_type": "application/xml"}}},
        EVENT | {"id": "9", "datacontenttype": "application/xml", "data_base64": "PGEvPg=="},
        EVENT | {"data": MESSAGE},
        EVENT | {"id": "10", "data": MESSAGE | {"refusal": None}},
    ]
    response = source.send(events, content_type="application/cloudevents-batch+json")
    body = response.json()
    conforms(body, "ManyReceipts")
    assert [found["status"] for found in body["messages"]] == [
        "accepted", "refused", "refused", "refused", "repeat", "accepted",
    ]  # fmt: skip
    problems = [found["problem"] for found in body["messages"] if found["problem"]]
    assert [problem["status"] for problem in problems] == [422, 422, 415]
    assert [error["pointer"] for problem in problems for error in problem["errors"]] == ["/1/id", "/2/data/payload"]


BAD_EVENTS = {
    "version": ({"specversion": "0.3"}, "/specversion"),
    "no source": ({"source": None}, "/source"),
    "blank type": ({"type": " "}, "/type"),
    "source with a blank": ({"source": "a b"}, "/source"),
    "time without offset": ({"time": "2026-11-02T09:00:00"}, "/time"),
    "nested attribute": ({"extra": {"a": 1}}, "/extra"),
    "name of an attribute": ({"Extra": "a"}, "/Extra"),
    "data twice": ({"data_base64": "e30="}, "/data"),
}


@pytest.mark.parametrize(("changes", "pointer"), BAD_EVENTS.values(), ids=BAD_EVENTS.keys())
def test_event_that_cannot_be_used(source: Source, changes: dict[str, Any], pointer: str) -> None:
    response = source.send(EVENT | {"data": MESSAGE} | changes, content_type=STRUCTURED)
    assert kind_of(response) == (422, "invalid-content")
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


RULE = {
    "id": "/event/id", "payload": "/document/xml", "payload_media_type": "application/xml",
    "refusal": "/answer/body", "refusal_status": "/answer/status", "ordering_key": "/supplier",
}  # fmt: skip
VENDOR = {
    "event": {"id": 4711},
    "document": {"xml": INVOICE.decode()},
    "answer": {"status": "422", "body": {"errors":  [1.50]}},
    "supplier": "S-7",
}  # fmt: skip


def test_own_shape_of_a_vendor_is_read_by_the_rule_of_its_connection(source: Source, cast: Cast) -> None:
    configure(cast.connection, webhook_envelope=RULE)
    told = {"X-Vendor-Attempt": "2", "X-Vendor-Signature": "s3cret", "X-Api-Key": "s3cret", "Cookie": "a=s3cret"}
    assert source.send(VENDOR, headers=told).status_code == 202
    kept, content = InboxMessage.objects.get(), InboxContent.objects.get()
    assert (kept.external_id, kept.ordering_key, kept.purpose) == ("4711", "S-7", "refused")
    assert (bytes(content.payload), content.payload_media_type) == (INVOICE, "application/xml")
    assert (bytes(content.refusal), content.refusal_status) == (b'{"errors": [1.5]}', 422)
    assert content.refusal_headers["X-Vendor-Attempt"] == "2"
    assert "s3cret" not in json.dumps(content.refusal_headers)


@pytest.mark.parametrize("content_type", ["application/xml", "application/json"])
def test_without_a_place_for_the_document_the_whole_is_the_document(
    source: Source, cast: Cast, content_type: str
) -> None:
    configure(cast.connection, webhook_envelope={"purpose": "deliver"})
    body = INVOICE if content_type == "application/xml" else b' {"total":  1.50}\n'
    assert source.send(body, content_type=content_type).status_code == 202
    content = InboxContent.objects.get()
    assert (bytes(content.payload), content.payload_media_type.startswith(content_type)) == (body, True)
    assert (content.message.external_id, content.message.purpose) == ("event-1", "deliver")


def test_rule_that_finds_nothing_names_the_place(source: Source, cast: Cast) -> None:
    configure(cast.connection, webhook_envelope=RULE)
    response = source.send({"event": {"id": 1}})
    assert kind_of(response) == (422, "invalid-content")
    assert response.json()["errors"][0]["pointer"] == "/document/xml"
    assert kind_of(source.send(INVOICE, content_type="application/xml")) == (415, "unsupported-media-type")


UNUSABLE = {
    "no JSON": (b"{", "application/json", (400, "malformed-request")),
    "key twice": (b'{"payload": {}, "payload": {}}', "application/json", (400, "malformed-request")),
    "a list": (b"[]", "application/json", (422, "invalid-content")),
    "no payload": (b"{}", "application/json", (422, "invalid-content")),
    "connection in the body": (
        json.dumps(MESSAGE | {"connection": "bank"}).encode(), "application/json", (422, "invalid-content"),
    ),
    "XML": (INVOICE, "application/xml", (415, "unsupported-media-type")),
    "other charset": (b"{}", "application/json; charset=latin-1", (415, "unsupported-media-type")),
    "events as Avro": (b"{}", "application/cloudevents+avro", (415, "unsupported-media-type")),
    "batch that is none": (b"{}", "application/cloudevents-batch+json", (422, "invalid-content")),
}  # fmt: skip


@pytest.mark.parametrize(("body", "content_type", "answer"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_body_that_cannot_be_used(source: Source, body: bytes, content_type: str, answer: tuple[int, str]) -> None:
    assert kind_of(source.send(body, content_type=content_type)) == answer
    assert InboxMessage.objects.count() == 0


def test_body_beyond_a_limit(source: Source, cast: Cast, settings: Settings) -> None:
    configure(cast.connection, max_bytes=10)
    assert kind_of(source.send(MESSAGE)) == (413, "too-large")
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2000
    assert kind_of(source.send({"payload": "x" * 3000})) == (413, "too-large")


def test_compressed_body_and_other_methods_are_refused(source: Source) -> None:
    assert kind_of(source.send(MESSAGE, headers={"Content-Encoding": "gzip"})) == (415, "unsupported-media-type")
    assert kind_of(Client().get("/hooks/tax-authority/")) == (405, "method-not-allowed")
    assert kind_of(Client().get("/hooks/")) == (404, "not-found")


def test_address_works_without_its_slash(source: Source) -> None:
    body = json.dumps(MESSAGE).encode()
    headers = sign(SECRET, message_id="a", timestamp=datetime.now(UTC), body=body)
    assert Client().post("/hooks/tax-authority", body, "application/json", headers=headers).status_code == 202
