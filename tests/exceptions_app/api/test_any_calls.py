"""Calls of the API that nobody thought of, as each role: see `any_calls`."""

import os
from collections.abc import Iterator
from math import ceil
from time import process_time
from typing import Any

import pytest
from django.utils.timezone import now
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api.cases import ExceptionItem
from exceptions_app.models import Draft
from tests.cast import Cast
from tests.exceptions_app.access_table import PEOPLE
from tests.exceptions_app.api.any_calls import Calls, Known, one_connection, operations
from tests.exceptions_app.everything import MARK, make_everything, scripted
from tests.exceptions_app.test_access_matrix import neighbour
from workbench.tokens import create_api_token

pytestmark = [pytest.mark.django_db, pytest.mark.one_engine]
CALLS = 5_000
SHARE = float(os.environ.get("NIGHTLY_SHARE", "1"))


@pytest.fixture
def known(cast: Cast) -> Iterator[Known]:
    with scripted(), one_connection():
        world = make_everything(cast)
        case = world.case
        yield Known(
            world,
            {
                "connection": cast.connection.slug, "entity": "NL01", "queue": "e-invoicing", "to": "cem",
                "taker": "cem", "assignee": "me", "exceptions": [case.ref], "version": 1, "base_version": 1,
                "If-Match": "*", "frozen_sha256": case.proposals.get().frozen_sha256, "cause": case.cause.ref,
                "items": [{"ref": case.ref}], "because": "Agreed with the supplier.",
            },
        )  # fmt: skip


@pytest.fixture
def calls(cast: Cast, known: Known, settings: Any) -> Calls:
    settings.API_REQUESTS_PER_MINUTE = 1_000_000
    people = {who: neighbour(cast) if who == "neighbour" else getattr(cast, who, None) for who in PEOPLE}
    return Calls({who: create_api_token(user, name="any", at=now())[1] if user else "" for who, user in people.items()})


def ask_all(calls: Calls, known: Known, schema: dict[str, Any], *, examples: int, each: int, number: int) -> None:
    began = process_time()
    for operation in operations(schema):
        calls.ask(operation, known, examples=examples, each=each, number=number)
    print(f"{calls.number} calls, {process_time() - began:.0f} s of computing: {calls.statuses}")
    told = "\n\n".join(f"{fault}\n{how}" for fault, how in calls.faults.items())
    assert calls.faults == {}, f"{len(calls.faults)} faults in {calls.number} calls:\n{told}"
    for who, statuses in calls.statuses.items():
        assert who == "anonymous" or any(status < 300 for status in statuses), f"{who} reached nothing: {statuses}"


def test_no_call_fails_leaks_or_writes_what_it_may_not(calls: Calls, known: Known, schema: dict[str, Any]):
    ask_all(calls, known, schema, examples=2, each=3, number=1)


def test_what_is_wrong_with_an_answer_is_found(
    calls: Calls, known: Known, schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    def broken(_view: ExceptionItem, request: Request, ref: str) -> Response:
        if request.user == known.world.case.assignee:
            raise RuntimeError(ref)
        Draft.objects.update(saved_at=now())
        return Response({"ref": MARK})

    monkeypatch.setattr(ExceptionItem, "get", broken)
    [reading] = [one for one in operations(schema) if (one.method, one.path) == ("get", "/api/v1/exceptions/{ref}")]
    calls.ask(reading, known, examples=2, each=len(PEOPLE), number=1)
    for words in ("RuntimeError", "told a stranger", "reading left", "200 and left", "Response violates schema"):
        assert any(words in fault for fault in calls.faults), (words, calls.faults)


@pytest.mark.nightly
@pytest.mark.timeout(14_400)
def test_no_call_of_thousands_by_each_role_fails(calls: Calls, known: Known, schema: dict[str, Any]):
    different = len(operations(schema)) * len(PEOPLE)
    ask_all(calls, known, schema, examples=max(ceil(CALLS * SHARE / different), 1), each=len(PEOPLE), number=2)
    assert calls.number >= CALLS * SHARE
