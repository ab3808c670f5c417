"""A database that is away and a disk that is full are told as such, by the API and by the pages."""

import errno
import os
from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection
from django.test import Client

from exceptions_app.api import actions, base
from exceptions_app.models import ApiRequest, Comment
from exceptions_app.outages import Outage, outage_of
from tests import factories
from tests.cast import Cast
from tests.exceptions_app.api.conftest import Api, api
from tests.exceptions_app.api.test_problems import kind_of
from workbench import health
from workbench.models import User

__all__ = ["api"]
As = Callable[[User], Api]
pytestmark = pytest.mark.django_db(transaction=True)


def raise_state(state: str) -> None:
    """The database refuses a statement with that SQLSTATE."""
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'told to' USING ERRCODE = '{state}'; END $$")


@pytest.mark.parametrize(
    ("state", "outage"),
    [
        ("57P01", Outage.DATABASE),  # admin shutdown
        ("57P03", Outage.DATABASE),  # cannot connect now
        ("53300", Outage.DATABASE),  # too many connections
        ("40P01", Outage.DATABASE),  # deadlock detected
        ("53100", Outage.DISK),
        ("54001", None),  # statement too complex
        ("23505", None),  # unique violation
        ("42P01", None),  # undefined table
    ],
)
def test_outage_by_what_the_database_says(state: str, outage: Outage | None):
    with pytest.raises(DatabaseError) as raised:
        raise_state(state)
    assert outage_of(raised.value) is outage


@pytest.mark.parametrize(
    ("number", "outage"), [(errno.ENOSPC, Outage.DISK), (errno.EDQUOT, Outage.DISK), (errno.EACCES, None)]
)
def test_outage_by_what_the_operating_system_says(number: int, outage: Outage | None):
    assert outage_of(OSError(number, os.strerror(number))) is outage


@pytest.mark.parametrize(
    ("state", "answer", "seconds"),
    [("57P01", (503, "unavailable"), "5"), ("53100", (507, "storage-full"), "30")],
)
def test_api_says_what_is_missing_and_when_to_come_back(
    api: As, cast: Cast, monkeypatch: pytest.MonkeyPatch, state: str, answer: tuple[int, str], seconds: str
):
    account = api(cast.clerk)
    monkeypatch.setattr(base.ApiView, "initial", lambda *_args, **_named: raise_state(state))
    response = account.get("me")
    assert (kind_of(response), response["Retry-After"]) == (answer, seconds)


def test_outage_is_no_answer_that_is_kept_for_a_key(api: As, cast: Cast, monkeypatch: pytest.MonkeyPatch):
    address, body = f"exceptions/{factories.make_case(cast).ref}/comment", {"text": "Asked the customer."}
    account = api(cast.clerk)
    monkeypatch.setattr(actions, "respond", lambda *_args, **_named: raise_state("57P01"))
    response = account.post(address, body, idempotency_key="k-1")
    assert kind_of(response) == (503, "unavailable")
    assert (Comment.objects.count(), ApiRequest.objects.count()) == (0, 0)
    monkeypatch.undo()
    assert account.post(address, body, idempotency_key="k-1").status_code == 201


@pytest.mark.parametrize(
    ("state", "status", "seconds", "words"),
    [("57P01", 503, "5", "does not answer"), ("53100", 507, "30", "disk of the workbench is full")],
)
def test_page_says_what_is_missing(
    client: Client, monkeypatch: pytest.MonkeyPatch, state: str, status: int, seconds: str, words: str
):
    monkeypatch.setattr(health, "_database", lambda: raise_state(state))
    client.raise_request_exception = False
    response = client.get("/readyz")
    assert (response.status_code, response["Retry-After"]) == (status, seconds)
    assert words in response.content.decode()
    assert response["X-Request-ID"] in response.content.decode()
