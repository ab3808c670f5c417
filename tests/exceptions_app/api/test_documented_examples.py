"""The examples of docs/api.md, sent as they stand."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from exceptions_app.models import ExceptionCase, PayloadVersion
from tests.cast import Cast
from tests.exceptions_app.actions.mending import take_in
from tests.exceptions_app.api.conftest import Api
from workbench.models import User

As = Callable[[User], Api]
API = (Path(__file__).parents[3] / "docs" / "api.md").read_text()


def requests_to(address: str) -> list[dict[str, Any]]:
    """The bodies of the examples that are sent to an address, in the order of the page."""
    found = re.findall(rf"^```\nPOST {address}\n(.*?)^```$", API, re.MULTILINE | re.DOTALL)
    return [json.loads(body) for body in found]


def questions_at(address: str) -> list[str]:
    return re.findall(rf"^GET ({address}[^\n]*)$", API, re.MULTILINE)


@pytest.fixture
def as_in_the_examples(cast: Cast) -> list[ExceptionCase]:
    """Two refused invoices with the references of the page."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), 1041)", [ExceptionCase._meta.db_table])
    cases = [take_in(cast, f"INV-100{number}", message=f"message-{number}") for number in (1, 2)]
    assert [case.ref for case in cases] == ["EX-1042", "EX-1043"]
    return cases


def test_many_at_once(api: As, cast: Cast, as_in_the_examples: list[ExceptionCase]) -> None:
    hold, correct = requests_to("/api/v1/exceptions/bulk")
    account = api(cast.clerk)
    answers = [account.post("/api/v1/exceptions/bulk", body).json() for body in (hold, correct)]
    assert [(answer["done"], answer["refused"]) for answer in answers] == [(2, 0), (2, 0)]
    assert [outcome["state"] for outcome in answers[0]["outcomes"]] == ["waiting", "waiting"]
    versions = PayloadVersion.objects.filter(number=2)
    assert [(version.case.state, version.check_passed) for version in versions] == [("in_progress", True)] * 2


def test_single_correction(api: As, cast: Cast, as_in_the_examples: list[ExceptionCase]) -> None:
    [body] = requests_to("/api/v1/exceptions/EX-1042/correct")
    response = api(cast.clerk).post("/api/v1/exceptions/EX-1042/correct", body)
    assert (response.status_code, response.json()["check"]["passed"]) == (201, True)


def test_questions(api: As, cast: Cast, as_in_the_examples: list[ExceptionCase]) -> None:
    [asked] = questions_at("/api/v1/exceptions\\?")
    assert [row["ref"] for row in api(cast.clerk).get(asked).json()["results"]] == ["EX-1042", "EX-1043"]
