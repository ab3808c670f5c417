"""The same at the same time: one message, one effect."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from exceptions_app.actions.grants import grant_connection
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Comment
from integrations.models import InboxMessage
from tests import factories
from tests.cast import MORNING, Cast
from tests.exceptions_app.api.conftest import Api
from workbench.models import User

pytestmark = pytest.mark.django_db(transaction=True)

As = Callable[[User], Api]
THREADS = 12
TIMES = 100


def at_once(send: Callable[[int], Any], *, times: int = TIMES) -> list[Any]:
    def send_and_close(number: int) -> Any:
        try:
            return send(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        return list(pool.map(send_and_close, range(times)))


def message(identifier: str, text: str = "<a/>") -> dict[str, Any]:
    payload = {"media_type": "application/xml", "text": text}
    return {"connection": "tax-authority", "id": identifier, "payload": payload}


@pytest.fixture
def source(api: As, cast: Cast) -> Api:
    grant_connection("ingest_messages", cast.clerk, cast.connection, by=machine(SETUP), at=MORNING)
    return api(cast.clerk)


def test_the_same_message_a_hundred_times(source: Api) -> None:
    answers = at_once(lambda _: source.post("messages", message("m-1")))
    assert Counter(answer.json()["status"] for answer in answers) == {"accepted": 1, "repeat": TIMES - 1}
    assert {answer.status_code for answer in answers} == {202}
    assert InboxMessage.objects.get().repeats == TIMES - 1


def test_overlapping_batches_in_opposite_order(source: Api) -> None:
    names = [f"m-{number}" for number in range(20)]

    def send(number: int) -> Any:
        order = names if number % 2 else names[::-1]
        return source.post("messages", {"messages": [message(name) for name in order]})

    answers = at_once(send, times=16)
    assert {answer.status_code for answer in answers} == {202}
    assert sum(answer.json()["accepted"] for answer in answers) == len(names)
    assert InboxMessage.objects.count() == len(names)


def test_two_contents_under_one_identifier_are_both_kept(source: Api) -> None:
    answers = at_once(lambda number: source.post("messages", message("m-1", f"<a>{number % 2}</a>")), times=16)
    assert {answer.status_code for answer in answers} == {202, 409}
    assert sorted(InboxMessage.objects.values_list("status", flat=True)) == ["failed", "pending"]


def test_one_key_a_hundred_times(source: Api, cast: Cast) -> None:
    address = f"exceptions/{factories.make_case(cast).ref}/comment"
    answers = at_once(lambda _: source.post(address, {"text": "Once."}, idempotency_key="k-1"))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json()["type"] for answer in answers if answer.status_code == 409} <= {
        "/api/problems/#request-in-flight"
    }
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert Comment.objects.count() == 1
