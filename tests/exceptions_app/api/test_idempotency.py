"""Idempotency-Key: carried out once, answered as often as asked."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils.timezone import now

from exceptions_app.actions.grants import revoke_role
from exceptions_app.api import idempotency
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ApiRequest, Comment
from tests import factories
from tests.cast import SET_UP_AT, Cast
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from workbench.models import User

As = Callable[[User], Api]
BODY = {"text": "Asked them."}


def test_repeat_receives_the_first_answer_and_does_nothing(api: As, cast: Cast) -> None:
    account, address = api(cast.clerk), f"exceptions/{factories.make_case(cast).ref}/comment"
    first = account.post(address, BODY, idempotency_key="k-1")
    second = account.post(address, b'{ "text" : "Asked them." }', idempotency_key='"k-1"')
    assert (second.status_code, second.content, second["ETag"]) == (first.status_code, first.content, first["ETag"])
    assert (second["Content-Type"], second["Idempotency-Replayed"]) == ("application/json", "true")
    assert "Idempotency-Replayed" not in first
    assert Comment.objects.count() == 1


def test_answer_is_gone_with_the_grant(api: As, cast: Cast) -> None:
    account, address = api(cast.clerk), f"exceptions/{factories.make_case(cast).ref}/comment"
    first = account.post(address, BODY, idempotency_key="k-1")
    assert account.post(address, BODY, idempotency_key="k-1").content == first.content
    revoke_role("clerk", [cast.netherlands], by=machine(SETUP), at=SET_UP_AT)
    repeat = account.post(address, BODY, idempotency_key="k-1")
    assert kind_of(repeat) == (404, "not-found")
    assert "Idempotency-Replayed" not in repeat
    assert Comment.objects.count() == 1


def test_refusal_is_repeated_too(api: As, cast: Cast) -> None:
    case = factories.make_case(cast)
    account, address = api(cast.clerk), f"exceptions/{case.ref}/resume"
    first = account.post(address, idempotency_key="k-1")
    second = account.post(address, idempotency_key="k-1")
    assert kind_of(first) == (409, "not-possible-now")
    assert (second.status_code, second["Content-Type"], second.content) == (
        409, "application/problem+json", first.content,
    )  # fmt: skip


def test_same_key_for_another_request(api: As, cast: Cast) -> None:
    first, other = factories.make_case(cast), factories.make_case(cast)
    account = api(cast.clerk)
    account.post(f"exceptions/{first.ref}/comment", BODY, idempotency_key="k-1")
    for address, body in (
        (f"exceptions/{first.ref}/comment", {"text": "Something else."}),
        (f"exceptions/{other.ref}/comment", BODY),
        (f"exceptions/{first.ref}/claim", {}),
    ):
        response = account.post(address, body, idempotency_key="k-1")
        assert kind_of(response) == (422, "key-reused")
        assert response.json()["errors"][0]["header"] == "Idempotency-Key"
    assert Comment.objects.count() == 1


def test_numbers_that_differ_are_another_body(api: As, cast: Cast) -> None:
    account = api(cast.clerk)
    assert account.post("messages", b'{"id": 1.0}', idempotency_key="k-1").status_code == 422
    assert kind_of(account.post("messages", b'{"id": 1.00}', idempotency_key="k-1")) == (422, "key-reused")
    assert kind_of(account.post("messages", b'{"id": "1.0"}', idempotency_key="k-1")) == (422, "key-reused")


def test_key_belongs_to_its_account(api: As, cast: Cast) -> None:
    address = f"exceptions/{factories.make_case(cast).ref}/comment"
    assert api(cast.clerk).post(address, BODY, idempotency_key="k-1").status_code == 201
    other = api(cast.controller).post(address, BODY, idempotency_key="k-1")
    assert (other.status_code, "Idempotency-Replayed" in other) == (201, False)
    assert Comment.objects.count() == 2


def test_what_a_refused_request_had_begun_is_undone(api: As, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    case = factories.make_case(cast)
    account = api(cast.clerk)

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("after the action")

    monkeypatch.setattr("exceptions_app.api.actions.respond", broken)
    response = account.post(f"exceptions/{case.ref}/comment", BODY, idempotency_key="k-1")
    assert kind_of(response) == (500, "server-error")
    assert (Comment.objects.count(), ApiRequest.objects.count()) == (0, 0)
    monkeypatch.undo()
    assert account.post(f"exceptions/{case.ref}/comment", BODY, idempotency_key="k-1").status_code == 201


@pytest.mark.parametrize("key", ["", '""', "a b", "ä", "x" * 256, "a\tb"])
def test_key_that_cannot_be_used(api: As, cast: Cast, key: str) -> None:
    response = api(cast.clerk).post(f"exceptions/{factories.make_case(cast).ref}/claim", idempotency_key=key)
    assert kind_of(response) == (400, "invalid-parameter")
    assert response.json()["errors"][0]["header"] == "Idempotency-Key"


def test_body_that_cannot_be_read_does_not_use_up_the_key(api: As, cast: Cast) -> None:
    account, address = api(cast.clerk), f"exceptions/{factories.make_case(cast).ref}/comment"
    assert account.post(address, b"{", idempotency_key="k-1").status_code == 400
    assert account.post(address, BODY, idempotency_key="k-1").status_code == 201


def test_key_is_forgotten_after_its_time(api: As, cast: Cast) -> None:
    account, address = api(cast.clerk), f"exceptions/{factories.make_case(cast).ref}/comment"
    for key in ("k-1", "k-2"):
        account.post(address, BODY, idempotency_key=key)
    ApiRequest.objects.update(stored_at=now() - idempotency.KEPT_FOR - timedelta(seconds=1))
    assert account.post(address, BODY, idempotency_key="k-1").status_code == 201
    assert Comment.objects.count() == 3
    assert list(ApiRequest.objects.values_list("key", flat=True)) == ["k-1"]


@pytest.mark.django_db(transaction=True)
def test_request_whose_first_is_still_running(api: As, cast: Cast) -> None:
    account, address = api(cast.clerk), f"exceptions/{factories.make_case(cast).ref}/comment"
    digest = idempotency.lock_number(cast.clerk.pk, "k-1")
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [digest])
        waiting = account.post(address, BODY, idempotency_key="k-1")
        assert (kind_of(waiting), waiting["Retry-After"]) == ((409, "request-in-flight"), "1")
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [digest])
    finally:
        other.close()
    assert account.post(address, BODY, idempotency_key="k-1").status_code == 201
    assert Comment.objects.count() == 1


def test_repeats_of_many_messages_are_answered_from_what_was_kept(api: As, cast: Cast) -> None:
    account: Any = api(cast.clerk)
    first = account.post("messages", {"messages": ["not one"]}, idempotency_key="k-1")
    assert (first.status_code, first.json()["refused"]) == (202, 1)
    assert account.post("messages", {"messages": ["not one"]}, idempotency_key="k-1").content == first.content
