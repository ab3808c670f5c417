"""Who asks, connections, sessions and tokens."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from guardian.shortcuts import assign_perm

from integrations.models import Connection
from tests import factories
from tests.cast import Cast, person
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from workbench.models import User

As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]


def test_me_says_what_is_granted(api: As, cast: Cast, conforms: Conforms) -> None:
    body = api(cast.controller).get("me").json()
    conforms(body, "Me")
    assert (body["username"], body["roles"]) == ("conrad", ["controller"])
    assert body["queues"] == [
        {"slug": "e-invoicing", "name": "E-invoicing", "verbs": ["approve", "comment", "reveal", "see"]},
        {"slug": "policy-holds", "name": "Policy holds", "verbs": ["approve", "comment", "reveal", "see"]},
    ]
    assert [entity["code"] for entity in body["entities"]] == ["DE01", "NL01"]
    assert api(cast.outsider).get("me").json()["queues"] == []


def test_connections_are_those_that_concern_the_account(api: As, cast: Cast, conforms: Conforms) -> None:
    Connection.objects.update(
        target_token="secret-1", write_back_secret="secret-2", target_url="https://target.example"
    )
    billing = person("billing", "Billing run")
    assign_perm("ingest_messages", billing, cast.connection)
    response = api(billing).get("connections")
    conforms(response.json(), "ConnectionPage")
    assert [(found["slug"], found["verbs"]) for found in response.json()["results"]] == [
        ("tax-authority", ["ingest_messages"])
    ]
    assert "secret" not in response.content.decode()
    assert api(cast.clerk).get("connections").json()["results"][0]["verbs"] == []
    assert api(cast.outsider).get("connections").json()["results"] == []


def test_session_needs_a_csrf_token(cast: Cast) -> None:
    case = factories.make_case(cast)
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.clerk)
    assert client.get("/api/v1/me").json()["username"] == "clara"
    refused = client.post(f"/api/v1/exceptions/{case.ref}/claim", "{}", content_type="application/json")
    assert kind_of(refused) == (403, "not-permitted")
    assert [error["header"] for error in refused.json()["errors"]] == ["X-CSRFToken"]
    client.get("/api/docs/try/?script=")
    token = client.cookies["csrftoken"].value
    accepted = client.post(
        f"/api/v1/exceptions/{case.ref}/claim", "{}", content_type="application/json", headers={"X-CSRFToken": token}
    )
    assert (accepted.status_code, accepted.json()["assignee"]["username"]) == (200, "clara")


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"])
def test_form_of_another_site_does_nothing(cast: Cast, content_type: str) -> None:
    case = factories.make_case(cast)
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.clerk)
    response = client.post(f"/api/v1/exceptions/{case.ref}/claim", b"a=b", content_type=content_type)
    assert kind_of(response) == (403, "not-permitted")


def test_token_needs_no_csrf_token(api: As, cast: Cast) -> None:
    case = factories.make_case(cast)
    client = Client(enforce_csrf_checks=True)
    response = client.post(
        f"/api/v1/exceptions/{case.ref}/claim", "{}", content_type="application/json", headers=api(cast.clerk).headers
    )
    assert response.status_code == 200


def test_token_goes_before_a_session(api: As, cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.clerk)
    assert client.get("/api/v1/me", headers=api(cast.auditor).headers).json()["username"] == "anna"


@pytest.mark.parametrize("path", ["me", "connections"])
def test_what_is_not_a_parameter_is_refused(api: As, cast: Cast, path: str) -> None:
    assert kind_of(api(cast.clerk).get(path, {"user": "anna"})) == (400, "invalid-parameter")
