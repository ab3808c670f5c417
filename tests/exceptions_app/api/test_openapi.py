"""The description of the API: valid, complete, and what the documentation page shows."""

import json
import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import URLPattern
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from openapi_spec_validator import OpenAPIV31SpecValidator

from exceptions_app.api import urls
from exceptions_app.api.problem_kinds import KINDS
from exceptions_app.api.schema import Schema, answers_of
from exceptions_app.states import HAS_NO_BUTTON, TRANSITIONS

HOOK = "/hooks/{slug}/"
METHODS = {"get", "post", "put", "patch", "delete"}


def operations(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method} {path}": operation
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def test_schema_is_valid_openapi_3_1(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(schema).iter_errors()) == []


def test_schema_is_generated_without_a_warning() -> None:
    GENERATOR_STATS.reset()
    with GENERATOR_STATS.silence():
        SchemaGenerator().get_schema(request=None, public=True)
    assert [*GENERATOR_STATS._error_cache, *GENERATOR_STATS._warn_cache] == []


def test_every_route_is_described(schema: dict[str, Any]) -> None:
    routes = {
        "/api/v1/" + re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern))
        for pattern in urls.urlpatterns
        if isinstance(pattern, URLPattern)
    }
    assert routes | {HOOK} == set(schema["paths"])


def test_every_operation_says_what_it_does_and_what_can_go_wrong(schema: dict[str, Any]) -> None:
    incomplete = [
        name
        for name, operation in operations(schema).items()
        if not (operation.get("summary") and len(operation.get("description", "")) > 40 and operation.get("tags"))
        or not all(answer["description"] for answer in answers_of(schema, operation).values())
        or not {"400", "401", "405", "406", "429", "500"} <= operation["responses"].keys()
        or not all(
            parameter.get("description") or parameter["schema"].get("enum")
            for parameter in operation.get("parameters", [])
        )
    ]
    assert incomplete == []


def test_every_refusal_is_described_as_a_problem(schema: dict[str, Any]) -> None:
    others = [
        (name, status, media_type)
        for name, operation in operations(schema).items()
        for status, answer in answers_of(schema, operation).items()
        for media_type in answer.get("content", {})
        if (status >= "400") != (media_type == "application/problem+json")
    ]
    assert others == []


def test_refusals_are_written_once(schema: dict[str, Any]) -> None:
    shared = schema["components"]["responses"]
    named = [
        answer["$ref"].rpartition("/")[2]
        for operation in operations(schema).values()
        for status, answer in operation["responses"].items()
        if status >= "400"
    ]
    assert set(named) == shared.keys()
    assert len({json.dumps(answer, sort_keys=True) for answer in shared.values()}) == len(shared) < len(named) / 20


def test_every_operation_that_acts_takes_an_idempotency_key(schema: dict[str, Any]) -> None:
    without = [
        name
        for name, operation in operations(schema).items()
        if name.startswith("post ")
        and not name.endswith("/preview")  # which does nothing
        and name != f"post {HOOK}"  # its webhook-id says the same
        and "Idempotency-Key" not in [parameter["name"] for parameter in operation["parameters"]]
    ]
    assert without == []


def test_every_body_with_required_fields_has_an_example(schema: dict[str, Any]) -> None:
    without = []
    for name, operation in operations(schema).items():
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        component = body.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
        if schema["components"]["schemas"].get(component, {}).get("required") and not body.get("examples"):
            without.append(name)
    assert without == []


def test_every_action_of_a_person_has_an_address() -> None:
    addresses = {
        str(pattern.pattern).rpartition("/")[2] for pattern in urls.urlpatterns if isinstance(pattern, URLPattern)
    }
    people = {action.value for action, row in TRANSITIONS.items() if not row.by_machine and action not in HAS_NO_BUTTON}
    assert people <= addresses


def test_schema_is_served(client: Client) -> None:
    response = client.get("/api/schema/", headers={"Accept": "application/json"})
    assert (response.status_code, response.json()["info"]["title"]) == (200, "Exception Workbench")


def test_schema_is_made_once_for_each_format(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def served(accept: str, query: str = "") -> bytes:
        return client.get(f"/api/schema/{query}", headers={"Accept": accept}).content

    formats = ("application/json", "application/vnd.oai.openapi")
    made = [served(accept) for accept in formats]
    monkeypatch.setattr(Schema, "generator_class", None)  # whoever would make it again fails
    assert [served(accept, "?version=9") for accept in formats] == made
    assert made[0] != made[1]


def test_documentation_page_has_nothing_inline(client: Client) -> None:
    response = client.get("/api/docs/try/")
    page = response.content.decode()
    assert response.status_code == 200
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page) == []
    policy = response["Content-Security-Policy"]
    assert ("unsafe" in policy, "default-src 'self'" in policy, "img-src 'self' data:" in policy) == (False, True, True)


def test_documentation_page_has_its_files(client: Client) -> None:
    page = client.get("/api/docs/try/").content.decode()
    files = re.findall(r'(?:src|href)="/static/([^"]+)"', page)
    assert len(files) == 5
    assert [name for name in files if finders.find(name) is None] == []
    script = client.get("/api/docs/try/?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert b"/api/schema/" in script.content


def test_page_of_problems_has_every_kind(client: Client) -> None:
    page = client.get("/api/problems/").content.decode()
    assert [kind.slug for kind in KINDS if f'id="{kind.slug}"' not in page] == []


def test_kinds_of_problem_are_told_apart() -> None:
    assert len({kind.slug for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_kind_of_problem_says_what_to_do(kind: Any) -> None:
    assert (kind.title.endswith("."), kind.meaning.endswith("."), kind.remedy.endswith(".")) == (False, True, True)
