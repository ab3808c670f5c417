import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pytest_django.fixtures import Settings
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from integrations.connectors.base import Answer, AnswerKind, Endpoint, Presence
from integrations.webhooks import WebhookClient, WebhookSecretInvalid, sign
from tests.scripted_server import answering, scripted
from tests.simulator_process import RunningSimulator, simulator, simulator_process

__all__ = ["simulator", "simulator_process"]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"event": "resolved", "buyer": "Kowalczyk, Poznań"}'.encode()


def signed(*, secret: str = SECRET) -> dict[str, str]:
    return sign(secret, message_id="msg-1", timestamp=datetime.now(UTC), body=BODY)


def test_signature_is_the_one_of_the_specification() -> None:
    # The example of the Standard Webhooks specification.
    headers = sign(
        SECRET,
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=datetime.fromtimestamp(1614265330, UTC),
        body=b'{"test": 2432232314}',
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_time_zone_of_the_sender_does_not_matter() -> None:
    at = datetime(2026, 11, 2, 12, tzinfo=UTC)
    elsewhere = at.astimezone(timezone(timedelta(hours=5)))

    assert sign(SECRET, message_id="a", timestamp=elsewhere, body=BODY) == sign(
        SECRET, message_id="a", timestamp=at, body=BODY
    )


def test_receiver_with_the_secret_can_verify_what_is_signed() -> None:
    assert Webhook(SECRET).verify(BODY, signed()) == json.loads(BODY)


@pytest.mark.parametrize("changes", [{"webhook-id": "msg-2"}, {"webhook-timestamp": "1"}])
def test_receiver_notices_a_changed_header(changes: dict[str, str]) -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, signed() | changes)


@pytest.mark.parametrize("secret", ["", "secret", "whsec_", "whsec_c2hvcnQ=", SECRET.removeprefix("whsec_")])
def test_unusable_secret_is_an_error_of_ours(secret: str) -> None:
    with pytest.raises(WebhookSecretInvalid):
        signed(secret=secret)


@pytest.fixture
def allow_loopback(settings: Settings) -> None:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True


def tell(url: str, *, secret: str = SECRET, key: str = "a" * 64) -> Answer:
    client = WebhookClient(Endpoint(url=url, token=secret, timeout=20))
    return client.submit(key=key, object_type="invoice", business_key="", content=BODY, media_type="application/json")


@pytest.mark.usefixtures("allow_loopback")
def test_source_is_told(simulator: RunningSimulator) -> None:
    answer = tell(simulator.webhook_url, secret=simulator.webhook_secret)

    assert (answer.kind, answer.reference) == (AnswerKind.CONFIRMED, "a" * 64)
    assert [(event["id"], event["content"]) for event in simulator.events] == [("a" * 64, json.loads(BODY))]


@pytest.mark.usefixtures("allow_loopback")
def test_source_that_was_told_twice_keeps_it_once(simulator: RunningSimulator) -> None:
    simulator.fault("timeout_after", path="/source/webhook", times=1, seconds=0)

    first = tell(simulator.webhook_url, secret=simulator.webhook_secret)
    second = tell(simulator.webhook_url, secret=simulator.webhook_secret)

    assert (first.kind, second.kind) == (AnswerKind.UNKNOWN, AnswerKind.CONFIRMED)
    assert len(simulator.events) == 1


@pytest.mark.usefixtures("allow_loopback")
def test_wrong_secret_stops_the_connection(simulator: RunningSimulator) -> None:
    assert tell(simulator.webhook_url).kind is AnswerKind.MISCONFIGURED
    assert simulator.events == []


@pytest.mark.usefixtures("allow_loopback")
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("204 No Content", AnswerKind.CONFIRMED),
        ("301 Moved Permanently", AnswerKind.MISCONFIGURED),
        ("400 Bad Request", AnswerKind.REFUSED),
        ("401 Unauthorized", AnswerKind.MISCONFIGURED),
        ("404 Not Found", AnswerKind.MISCONFIGURED),
        ("408 Request Timeout", AnswerKind.UNKNOWN),
        ("409 Conflict", AnswerKind.UNKNOWN),
        ("410 Gone", AnswerKind.MISCONFIGURED),
        ("422 Unprocessable Content", AnswerKind.REFUSED),
        ("429 Too Many Requests", AnswerKind.NOT_SENT),
        ("500 Internal Server Error", AnswerKind.UNKNOWN),
        ("503 Service Unavailable", AnswerKind.UNKNOWN),
    ],
)
def test_status_of_the_receiver_decides(status: str, kind: AnswerKind) -> None:
    with scripted(answering(status)) as server:
        answer = tell(server.url)

    assert (answer.kind, answer.http_status) == (kind, int(status[:3]))


@pytest.mark.usefixtures("allow_loopback")
def test_refusing_receiver_is_quoted() -> None:
    with scripted(
        answering("422 Unprocessable Content", b'{"detail": "No such order."}', "Content-Type: application/json")
    ) as server:
        answer = tell(server.url)

    assert answer.refusal is not None
    assert [error.text for error in answer.refusal.errors] == ["No such order."]


def test_unusable_secret_stops_the_connection_and_sends_nothing() -> None:
    assert tell("http://127.0.0.1:1/", secret="secret").kind is AnswerKind.MISCONFIGURED


def test_receiver_cannot_be_asked() -> None:
    client = WebhookClient(Endpoint(url="http://127.0.0.1:1/", token=SECRET))

    assert client.probe(object_type="", business_key="", content=b"").presence is Presence.UNANSWERED
