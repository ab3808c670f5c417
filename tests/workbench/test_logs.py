"""A line of the log about what was refused says whose request it was, from where, and which one."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now

from tests.cast import Cast, cast
from workbench.logs import JSONFormatter, RequestIDFilter
from workbench.tokens import create_api_token

__all__ = ["cast"]


@pytest.fixture
def stream() -> Iterator[StringIO]:
    """What a collector would get."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JSONFormatter())
    handler.addFilter(RequestIDFilter())
    logger = logging.getLogger("django")
    logger.addHandler(handler)
    yield written
    logger.removeHandler(handler)


def lines(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.django_db
def test_refusal_says_whose_request_it_was_and_from_where(cast: Cast, stream: StringIO):
    clerk, nobody = Client(REMOTE_ADDR="192.0.2.7"), Client(REMOTE_ADDR="2001:db8::1")
    clerk.force_login(cast.clerk)
    _, token = create_api_token(cast.controller, name="gateway", at=now())
    asked = {"X-Request-ID": "trace-0001"}
    assert clerk.get("/admin/", headers=asked, follow=True).status_code == 403
    assert clerk.get("/nowhere/\nforged/?secret=1", headers=asked).status_code == 404
    bearer = {"authorization": f"Bearer {token}"} | asked
    assert nobody.get("/api/v1/exceptions/EX-99999", headers=bearer).status_code == 404
    assert nobody.get("/api/v1/me", headers=asked).status_code == 401
    told = lines(stream)
    assert [(line.get("account"), line["address"], line["request_id"]) for line in told] == [
        ("clara", "192.0.2.7", told[0]["request_id"]),
        ("clara", "192.0.2.7", "trace-0001"),
        (cast.controller.username, "2001:db8::1", "trace-0001"),
        (None, "2001:db8::1", "trace-0001"),
    ]
    assert [line["level"] for line in told] == ["WARNING"] * 4
    assert "secret" not in stream.getvalue()


def test_line_cannot_be_forged_and_is_dated_in_utc(stream: StringIO):
    logging.getLogger("django.request").warning("a name: %s", 'x\n{"level": "INFO"}')
    [line] = lines(stream)
    assert line["message"] == 'a name: x\n{"level": "INFO"}'
    assert line["at"].endswith("+00:00")
    assert ("account" in line, line["request_id"]) == (False, "-")
