import base64
import hmac
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from integrations.connectors.base import Answer, AnswerKind, Endpoint, Presence
from integrations.webhooks import (
    SignatureRefused,
    WebhookClient,
    WebhookSecretInvalid,
    is_secret,
    new_secret,
    sign,
    verify,
)
from tests.scripted_server import answering, scripted
from tests.simulator_process import RunningSimulator

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


def verified(headers: dict[str, str], body: bytes = BODY, *secrets: str) -> str:
    return verify(secrets or [SECRET], headers=headers, body=body, at=datetime.now(UTC))


def test_what_the_library_signs_we_take() -> None:
    at = datetime.now(UTC)
    headers = {
        "webhook-id": "msg-1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg-1", at, BODY.decode()),
    }
    assert verified(headers) == "msg-1"


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "webhook-id": st.sampled_from(["", "msg-2", "msg-1 "]) | st.text(max_size=20),
            "webhook-timestamp": st.sampled_from(["", "0", "+1", "١", "99999999999999"]) | st.text(max_size=20),
            "webhook-signature": st.sampled_from(["v1,", "v1", "v2,abc", "v1,abc v1,abc", ","]) | st.text(max_size=40),
        },
    ),
    st.sampled_from([BODY, BODY + b" "]),
)
def test_we_take_nothing_that_the_library_refuses(changes: dict[str, str], body: bytes) -> None:
    headers = signed() | changes
    try:
        Webhook(SECRET).verify(body, headers, json_parse=False)
        library_takes_it = True
    except Exception:  # noqa: BLE001 - of a malformed header the library raises whatever comes
        library_takes_it = False
    try:
        assert verified(headers, body) == headers["webhook-id"]
        we_take_it = True
    except SignatureRefused:
        we_take_it = False
    assert library_takes_it or not we_take_it
    if not changes:
        assert (library_takes_it, we_take_it) == (body == BODY, body == BODY)


def test_bytes_that_are_no_text_are_verified_too() -> None:
    at = str(int(datetime.now(UTC).timestamp()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"a.{at}.".encode() + b"\xff\x00", "sha256")).decode()
    headers = {"webhook-id": "a", "webhook-timestamp": at, "webhook-signature": f"v1,{signature}"}
    assert verified(headers, b"\xff\x00") == "a"


@pytest.mark.parametrize(("minutes", "taken"), [(-5.1, False), (-4.9, True), (4.9, True), (5.1, False)])
def test_clock_may_differ_by_five_minutes(minutes: float, *, taken: bool) -> None:
    at = datetime.now(UTC)
    headers = sign(SECRET, message_id="a", timestamp=at + timedelta(minutes=minutes), body=BODY)
    if taken:
        assert verify([SECRET], headers=headers, body=BODY, at=at) == "a"
    else:
        with pytest.raises(SignatureRefused):
            verify([SECRET], headers=headers, body=BODY, at=at)


def test_new_secret_is_one_and_no_two_are_the_same() -> None:
    first, second = new_secret(), new_secret()
    assert (is_secret(first), is_secret("secret"), first == second) == (True, False, False)
    assert verified(signed(secret=first), BODY, second, first) == "msg-1"
