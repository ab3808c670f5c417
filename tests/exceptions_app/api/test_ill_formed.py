"""Values that cannot be what their field is: refused by the API as by the page, each at its place."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from exceptions_app.form_names import field_name
from exceptions_app.models import ExceptionCase, PayloadVersion
from integrations.connectors.en16931 import connector
from tests.cast import Cast
from tests.exceptions_app.actions.mending import take_in
from tests.exceptions_app.api.conftest import Api
from workbench.models import User

As = Callable[[User], Api]
ISSUE_DATE = "/ubl:Invoice/cbc:IssueDate"
NOT_A_DATE = ("“31.12.2026x” is not a date.", "Write year-month-day, such as 2026-03-31.")
NOT_A_NUMBER = ("“1.428,0O” is not a number.", "Write digits with a point and no separators, such as 1428.00.")


def correct(api: As, cast: Cast, case: ExceptionCase, **way: Any) -> Any:
    body = {"base_version": 1, "because": "Taken from the order.", **way}
    return api(cast.clerk).post(f"exceptions/{case.ref}/correct", body)


def add(path: str, value: str) -> list[dict[str, str]]:
    return [{"op": "test", "path": path, "value": ""}, {"op": "add", "path": path, "value": value}]


@pytest.mark.parametrize(
    ("way", "pointer"),
    [
        ({"fields": {"BT-2": "31.12.2026x"}}, "/fields/BT-2"),
        ({"fields": {ISSUE_DATE: "31.12.2026x"}}, "/fields/~1ubl:Invoice~1cbc:IssueDate"),
        ({"operations": add(ISSUE_DATE, "31.12.2026x")}, "/operations/1"),
        ({"operations": add("/Invoice/IssueDate", "31.12.2026x")}, "/operations"),
    ],
    ids=["term", "path", "steps", "steps with another spelling of the path"],
)
def test_ill_formed_date_is_refused_with_the_name_of_its_field(
    api: As, cast: Cast, refused_invoice: ExceptionCase, way: dict[str, Any], pointer: str
) -> None:
    response = correct(api, cast, refused_invoice, **way)
    document = response.json()
    problem, remedy = NOT_A_DATE
    assert (response.status_code, document["title"]) == (422, "The content cannot be used")
    assert document["errors"] == [
        {
            "pointer": pointer, "detail": problem, "remedy": remedy, "field": "Issue date", "term": "BT-2",
            "path": ISSUE_DATE,
        }
    ]  # fmt: skip
    assert PayloadVersion.objects.count() == 1


def test_every_ill_formed_value_is_named_at_once(api: As, cast: Cast, refused_invoice: ExceptionCase) -> None:
    fields = {"BT-2": "31.12.2026x", "BT-112": "1.428,0O", "BT-10": "PO-77"}
    errors = correct(api, cast, refused_invoice, fields=fields).json()["errors"]
    assert [(error["pointer"], error["detail"], error["remedy"]) for error in errors] == [
        ("/fields/BT-2", *NOT_A_DATE),
        ("/fields/BT-112", *NOT_A_NUMBER),
    ]


@pytest.mark.parametrize(
    ("term", "typed"),
    [("BT-2", "31.12.2026"), ("BT-2", "2026-02-30"), ("BT-112", "1e3"), ("BT-112", "NaN"), ("BT-112", "1 428.00")],
)
def test_page_and_api_refuse_the_same_in_the_same_words(
    api: As, cast: Cast, refused_invoice: ExceptionCase, client: Client, term: str, typed: str
) -> None:
    error = correct(api, cast, refused_invoice, fields={term: typed}).json()["errors"][0]
    client.force_login(cast.clerk)
    content = bytes(PayloadVersion.objects.get().content)
    name = field_name(next(field.path for field in connector.read(content).fields if field.term == term))
    data = {"base_version": "1", "because": "Taken from the order.", name: typed}
    form = client.post(f"/exceptions/{refused_invoice.ref}/correct/", data).context["correction"]
    assert form.errors[name] == [f"{error['detail']} {error['remedy']}"]


def test_value_is_taken_without_the_spaces_around_it(api: As, cast: Cast, refused_invoice: ExceptionCase) -> None:
    response = correct(api, cast, refused_invoice, fields={"BT-2": " 2026-11-02 "})
    assert (response.status_code, response.json()["changes"][0]["will_be"]) == (201, "2026-11-02")


def test_ill_formed_value_that_came_in_does_not_stand_in_the_way_of_another(api: As, cast: Cast) -> None:
    """Whoever mends one of two ill-formed fields has not written the other."""
    case = take_in(cast)
    content = bytes(PayloadVersion.objects.get().content)
    both = connector.correct(content, connector.operations_for(content, {ISSUE_DATE: "tomorrow"}))
    correct(api, cast, case, payload={"text": both.decode()})
    assert PayloadVersion.objects.count() == 2
    path = next(field.path for field in connector.read(both).fields if field.term == "BT-10")
    steps = connector.operations_for(both, {path: "PO-77"})
    assert correct(api, cast, case, base_version=2, operations=steps).status_code == 201
