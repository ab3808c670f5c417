"""Refusals: each a problem after RFC 9457 that names the place and what to do."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.throttling import BaseThrottle

from exceptions_app.api import base
from exceptions_app.api.cases import ExceptionList
from tests import factories
from tests.cast import Cast
from tests.exceptions_app.api.conftest import Api
from workbench.models import User

As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]


def kind_of(response: Any) -> tuple[int, str]:
    """The status and the kind; also that it is a whole problem."""
    body = response.json()
    assert response["Content-Type"] == "application/problem+json"
    assert body["status"] == response.status_code
    assert body["trace_id"] == response["X-Request-ID"]
    assert all(error["detail"] and error["remedy"] for error in body["errors"])
    return response.status_code, body["type"].removeprefix("/api/problems/#")


def test_without_credentials(client: Client, db: None, conforms: Conforms) -> None:
    response = client.get("/api/v1/exceptions")
    assert (kind_of(response), response["WWW-Authenticate"]) == ((401, "unauthenticated"), "Bearer")
    conforms(response.json(), "ProblemDocument")


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer wb_unknown", "Bearer a b", "Bearer \xff\xfe", "Bearer " + "a" * 5000]
)
def test_with_a_token_that_is_none(client: Client, db: None, header: str) -> None:
    response = client.get("/api/v1/me", headers={"Authorization": header})
    assert kind_of(response) == (401, "unauthenticated")


def test_account_that_was_closed(api: As, cast: Cast) -> None:
    account = api(cast.clerk)
    cast.clerk.is_active = False
    cast.clerk.save()
    assert kind_of(account.get("me")) == (401, "unauthenticated")


def test_request_id_of_the_caller_is_the_trace_id(api: As, cast: Cast) -> None:
    response = api(cast.clerk).get("exceptions/EX-1", x_request_id="3f1c-trace")
    assert (kind_of(response), response.json()["trace_id"]) == ((404, "not-found"), "3f1c-trace")


def test_method_that_an_address_does_not_answer(api: As, cast: Cast) -> None:
    response = api(cast.clerk).post("exceptions")
    assert (kind_of(response), response["Allow"]) == ((405, "method-not-allowed"), "GET, HEAD, OPTIONS")


def test_representation_that_there_is_not(api: As, cast: Cast) -> None:
    assert kind_of(api(cast.clerk).get("me", accept="application/xml")) == (406, "not-acceptable")


@pytest.mark.parametrize("content_type", ["text/xml", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_content_type_that_is_not_json(api: As, cast: Cast, content_type: str) -> None:
    response = api(cast.clerk).post("messages", b"a=b", content_type=content_type)
    assert kind_of(response) == (415, "unsupported-media-type")


def test_charset_that_is_not_utf_8(api: As, cast: Cast) -> None:
    response = api(cast.clerk).post("messages", b"{}", content_type="application/json; charset=latin-1")
    assert kind_of(response) == (415, "unsupported-media-type")


class _OneAnHour(BaseThrottle):
    def allow_request(self, request: Any, view: Any) -> bool:
        return False

    def wait(self) -> float:
        return 3599.2


def test_too_many_requests(api: As, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExceptionList, "throttle_classes", [_OneAnHour])
    response = api(cast.clerk).get("exceptions")
    assert (kind_of(response), response["Retry-After"]) == ((429, "too-many-requests"), "3601")


def test_chunked_body_without_a_length(api: As, cast: Cast) -> None:
    client = Client()
    response = client.generic(
        "POST", "/api/v1/messages", b"", content_type="application/json",
        headers={**api(cast.clerk).headers, "Transfer-Encoding": "chunked"},
    )  # fmt: skip
    assert kind_of(response) == (411, "length-required")


@pytest.mark.parametrize(
    "path", ["/api/v1/", "/api/v1/nothing", "/api/v2/exceptions", "/api/v1/exceptions/", "/api/nothing"]
)
def test_address_that_there_is_not(client: Client, db: None, path: str) -> None:
    assert kind_of(client.get(path)) == (404, "not-found")


def test_fault_of_ours(api: As, cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("secret detail of the inside")

    monkeypatch.setattr(base.ApiView, "initial", broken)
    response = api(cast.clerk).post("exceptions/EX-1/claim")
    assert kind_of(response) == (500, "server-error")
    assert "secret" not in response.content.decode()
    assert "RuntimeError: secret detail of the inside" in caplog.text


def test_host_that_is_not_ours(client: Client, db: None) -> None:
    response = client.get("/api/v1/me", headers={"Host": "evil.example"})
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")


def test_pages_keep_their_own_errors(client: Client, db: None) -> None:
    assert client.get("/no-such-page/")["Content-Type"] == "text/html; charset=utf-8"


HOSTILE = {
    "not JSON": (b"{", 400, ""),
    "empty key list": (b"[", 400, ""),
    "nothing but blanks": (b"   ", 400, ""),
    "NaN": (b'{"connection": NaN}', 400, "/connection"),
    "Infinity": (b'{"context": {"a": [1, -Infinity]}}', 400, "/context/a/1"),
    "duplicate key": (b'{"payload": {"text": "a", "text": "b"}}', 400, "/payload/text"),
    "too deep": (b"[" * 101 + b"]" * 101, 400, ""),
    "absurdly deep": (b"[" * 200_000, 400, ""),
    "deep objects": (b'{"a":' * 5000 + b"1" + b"}" * 5000, 400, ""),
    "raw NUL": (b'{"id": "a\x00b"}', 400, ""),
    "escaped NUL": (b'{"id": "a\\u0000b"}', 400, "/id"),
    "NUL in a key": (b'{"a\\u0000": 1}', 400, ""),
    "half a surrogate pair": (b'{"payload": {"text": "\\ud800"}}', 400, "/payload/text"),
    "UTF-16": ('{"id": "1"}'.encode("utf-16"), 400, ""),
    "Latin-1": ('{"id": "Köln"}'.encode("latin-1"), 400, ""),
    "overlong UTF-8": (b'{"id": "\xc0\xaf"}', 400, ""),
    "huge number": (b'{"id": 1' + b"0" * 5000 + b"}", 400, "/id"),
    "huge exponent": (b'{"id": 1e999999999}', 400, "/id"),
    "comment": (b'{"id": 1} // more', 400, ""),
    "two values": (b"{}{}", 400, ""),
    "XML": (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', 400, ""),
    "a text": (b'"abc"', 422, ""),
    "a list": (b"[]", 422, ""),
    "null": (b"null", 422, ""),
    "a number": (b"1", 422, ""),
}


@pytest.mark.alike
@pytest.mark.parametrize("path", ["messages", "exceptions/{ref}/comment"])
@pytest.mark.parametrize(("body", "status", "pointer"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_body_is_refused_with_the_place(
    api: As, cast: Cast, path: str, body: bytes, status: int, pointer: str
) -> None:
    case = factories.make_case(cast)
    response = api(cast.clerk).post(path.format(ref=case.ref), body)
    kind = {400: "malformed-request", 422: "invalid-content"}[status]
    assert kind_of(response) == (status, kind)
    assert response.json()["errors"][0]["pointer"] == pointer
    case.refresh_from_db()
    assert case.revision == 1


def test_body_beyond_the_limit(api: As, cast: Cast, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = settings.MESSAGES_MAX_BYTES = 1000
    for address in ("messages", f"exceptions/{factories.make_case(cast).ref}/comment"):
        response = api(cast.clerk).post(address, b'{"text": "' + b"a" * 1000 + b'"}')
        assert kind_of(response) == (413, "too-large")
