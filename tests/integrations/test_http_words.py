"""What comes over the wire and is kept: whatever speaks at the other end, it can be stored and shown."""

import pytest
from pytest_django.fixtures import Settings

from integrations.http import Exchange, Outcome, exchange
from tests.scripted_server import Script, answering, scripted

TLS_ALERT = b"\x15\x03\x03\x00\x02\x02\x46"


@pytest.fixture(autouse=True)
def allow_loopback(settings: Settings) -> None:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True


def answer_of(script: Script) -> Exchange:
    with scripted(script) as server:
        return exchange("POST", server.url, headers={}, body=b"content", timeout=10)


@pytest.mark.parametrize("answer", [TLS_ALERT, b"\x00" * 40, b"SSH-2.0-x\x00\r\n", b"HTTP/1.1 2\x000 OK\r\n\r\n"])
def test_answer_of_another_protocol_is_unknown_in_words_that_can_be_kept(answer: bytes) -> None:
    result = answer_of(lambda connection: connection.sendall(answer))

    assert (result.outcome, result.status) == (Outcome.UNKNOWN, None)
    assert result.detail.startswith("The answer is not HTTP: ")
    assert result.detail.isprintable()


def test_connection_closed_without_an_answer_is_unknown_in_whole_words() -> None:
    result = answer_of(lambda connection: connection.close())

    assert result.outcome is Outcome.UNKNOWN
    assert result.detail == "The connection was closed before an answer came."


def test_words_about_a_failure_are_short() -> None:
    result = answer_of(lambda connection: connection.sendall(b"a" * 20_000 + b"\r\n\r\n"))

    assert result.detail == f"The answer is not HTTP: {'a' * 300}"


def test_headers_are_cleaned_and_short() -> None:
    headers = ["X-Name: a\x00\tb", f"{'x' * 500}: {'y' * 5000}"]
    result = answer_of(answering("200 OK", b"", *headers))

    assert result.outcome is Outcome.ANSWERED
    kept = {name: text for name, text in result.evidence.items() if name.startswith("x")}
    assert kept == {"x-name": "a  b", "x" * 100: "y" * 4000}
