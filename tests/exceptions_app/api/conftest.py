"""The API as a program uses it: with a token, without a session."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jsonschema
import pytest
from django.test import Client
from django.utils.timezone import now
from drf_spectacular.generators import SchemaGenerator

from exceptions_app.models import ExceptionCase
from tests.cast import Cast
from tests.exceptions_app.actions.mending import take_in
from workbench.models import User
from workbench.tokens import create_api_token


@dataclass(frozen=True, slots=True)
class Api:
    """Requests of one account; `headers` come with each of them."""

    headers: dict[str, str]

    def get(self, path: str, parameters: dict[str, str] | None = None, **headers: str) -> Any:
        return Client().get(_address(path), parameters or {}, headers={**self.headers, **_named(headers)})

    def put(self, path: str, body: Any, **headers: str) -> Any:
        sent = {**self.headers, **_named(headers)}
        return Client().put(_address(path), json.dumps(body).encode(), content_type="application/json", headers=sent)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """`body` is sent as JSON, or as it is when it is bytes."""
        data = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        sent = {**self.headers, **_named(headers)}
        content_type = sent.pop("content-type", "application/json")
        return Client(raise_request_exception=False).post(_address(path), data, content_type=content_type, headers=sent)


def _address(path: str) -> str:
    return path if path.startswith(("/", "http")) else f"/api/v1/{path}"


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def api(db: None) -> Callable[[User], Api]:
    def as_account(user: User) -> Api:
        _, token = create_api_token(user, name=f"test {user.api_tokens.count()}", at=now())
        return Api({"authorization": f"Bearer {token}"})

    return as_account


@pytest.fixture
def refused_invoice(cast: Cast) -> ExceptionCase:
    """An invoice without its issue date, refused by the official validator and read by the real intake."""
    return take_in(cast)


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    plain: dict[str, Any] = json.loads(json.dumps(document, default=str))
    return plain


@pytest.fixture
def conforms(schema: dict[str, Any]) -> Callable[[Any, str], None]:
    """Compare a document with what the API's description says of it."""

    def check(document: Any, component: str) -> None:
        shape = {"$ref": f"#/components/schemas/{component}", "components": schema["components"]}
        found = sorted(jsonschema.Draft202012Validator(shape).iter_errors(document), key=str)
        assert [f"{error.json_path}: {error.message}" for error in found] == []

    return check
