"""A resolver has no time-out of its own that we could set; what it uses up counts all the same."""

import socket
import time
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from integrations.http import Outcome, exchange
from tests.scripted_server import answering, scripted


def test_name_that_resolves_after_the_deadline_is_sent_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True
    resolve = socket.getaddrinfo

    def slowly(*asked: Any, **how: Any) -> Any:
        time.sleep(0.1)
        return resolve(*asked, **how)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    with scripted(answering("200 OK")) as server:
        result = exchange("POST", server.url, headers={}, body=b"content", timeout=10, deadline=0.05)

        assert (result.outcome, server.requests) == (Outcome.NOT_SENT, [])
    assert result.detail == "No connection: the deadline passed"
