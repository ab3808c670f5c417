"""The page that explains the API: everything of the OpenAPI document, readable without a script or an account."""

import re

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from exceptions_app.api.problem_kinds import KINDS
from exceptions_app.api.reference import Type, reference, reference_of

PAGE = "/api/docs/"


def operations():
    return [operation for group in reference().groups.values() for operation in group]


def test_reference_has_every_operation_of_the_document():
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    documented = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if path.startswith(("/api/v1/", "/hooks/")) and method != "parameters"
    }
    assert {(operation.method, operation.path) for operation in operations()} == documented


def test_operation_says_what_it_takes_and_answers():
    [correct] = [operation for operation in operations() if operation.anchor == "correct_exception"]
    assert (correct.method, correct.path) == ("POST", "/api/v1/exceptions/{ref}/correct")
    assert [(found.name, found.where, found.required) for found in correct.parameters] == [
        ("Idempotency-Key", "header", False), ("If-Match", "header", False), ("ref", "path", True)
    ]  # fmt: skip
    assert correct.body == Type("", "CorrectRequest")
    assert [example.title for example in correct.body_examples] == [
        "By business field", "By business field, with what stands there", "By steps", "By the whole document"
    ]  # fmt: skip
    assert '"BT-2": "2026-11-02"' in correct.body_examples[0].text
    assert [(answer.status, answer.type) for answer in correct.answers] == [("201", Type("", "Corrected"))]
    statuses = [kind.status for kind in correct.problems]
    assert statuses == sorted(statuses)
    assert {"correction-not-applicable", "changed-meanwhile", "not-permitted"} & {
        kind.slug for kind in correct.problems
    }


def test_every_kind_of_problem_stands_at_an_operation():
    named = {kind.slug for operation in operations() for kind in operation.problems}
    assert named <= {kind.slug for kind in KINDS}
    assert all(operation.problems for operation in operations())


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, Type("anything")),
        ({"$ref": "#/components/schemas/Me"}, Type("", "Me")),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Me"}}, Type("list of", "Me")),
        ({"type": "array", "items": {"type": "string"}}, Type("list of string")),
        ({"type": ["string", "null"], "format": "date-time"}, Type("string or null (date-time)")),
        ({"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
         Type("integer, at least 1, at most 200, 50 when left out")),
        ({"enum": ["new", "resolved", ""]}, Type("one of new, resolved")),
        ({"oneOf": [{"$ref": "#/components/schemas/Me"}, {"type": "null"}]}, Type("null or ", "Me")),
        ({"oneOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]}, Type("A or B")),
    ],
)  # fmt: skip
def test_type_is_said_in_words(schema, expected):
    document = {"paths": {}, "components": {"schemas": {"One": {"properties": {"it": schema}}}}}
    assert reference_of(document).shapes[0].fields[0].type == expected


def test_page_needs_no_account_and_each_of_its_links_leads_somewhere(client: Client, db: None):
    response = client.get(PAGE)
    page = response.content.decode()
    assert response.status_code == 200
    anchors, targets = set(re.findall(r'\bid="([^"]+)"', page)), set(re.findall(r'href="#([^"]+)"', page))
    assert targets - anchors == set()
    assert {operation.anchor for operation in operations()} <= anchors
    kinds = set(re.findall(r'href="/api/problems/#([^"]+)"', page))
    assert kinds - {kind.slug for kind in KINDS} == set()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page) == []


def test_page_leads_to_trying_out_to_problems_and_to_the_document(client: Client, db: None):
    page = client.get(PAGE).content.decode()
    for address in ("/api/docs/try/", "/api/problems/", "/api/schema/"):
        assert f'href="{address}"' in page
        assert client.get(address).status_code == 200
