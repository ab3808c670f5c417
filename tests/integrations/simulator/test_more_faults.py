"""The faults that leave a sender in doubt, on each system that they mean something to."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from integrations.simulator.faults import FaultNotUnderstood, FaultSwitch
from tests.integrations.connectors.erp.postings import journal
from tests.integrations.connectors.iso20022.payment_files import Wire, payment_file, wires
from tests.invoices import valid_invoice
from tests.simulator_process import RunningSimulator

KEY = "a" * 64
SYSTEMS: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "authority": ("/tax-authority/documents", "application/xml", valid_invoice),
    "erp": ("/erp/postings", "application/json", journal),
    "bank": ("/bank/payments", "application/xml", lambda: payment_file(Wire("INV-1"))),
}


def send(simulator: RunningSimulator, system: str, *, key: str = KEY) -> requests.Response:
    path, media_type, content = SYSTEMS[system]
    return simulator.post(path, content(), Content_Type=media_type, Idempotency_Key=key)


def fault(simulator: RunningSimulator, name: str, system: str, **settings: Any) -> None:
    simulator.fault(name, path=SYSTEMS[system][0], **({"times": 1} | settings))


def wait_for_effects(simulator: RunningSimulator, number: int) -> list[dict[str, Any]]:
    ends_at = time.monotonic() + 30
    while len(simulator.effects) < number and time.monotonic() < ends_at:
        time.sleep(0.05)
    return simulator.effects


@pytest.mark.parametrize("system", SYSTEMS)
def test_book_late_cuts_first_and_books_after(simulator: RunningSimulator, system: str) -> None:
    fault(simulator, "book_late", system, seconds=0.3)

    with pytest.raises(requests.ConnectionError):
        send(simulator, system)

    [effect] = wait_for_effects(simulator, 1)
    assert effect["key"] == KEY


def test_book_late_books_at_once_when_it_is_asked_to(simulator: RunningSimulator) -> None:
    fault(simulator, "book_late", "authority", seconds=600)
    with pytest.raises(requests.ConnectionError):
        send(simulator, "authority")
    assert simulator.effects == []

    for _ in range(2):
        assert simulator.post("/control/late", b"{}", Content_Type="application/json").ok
        assert [effect["key"] for effect in simulator.effects] == [KEY]


def test_book_late_of_a_simulator_that_was_reset_is_never_booked(simulator: RunningSimulator) -> None:
    fault(simulator, "book_late", "authority", seconds=0.3)
    with pytest.raises(requests.ConnectionError):
        send(simulator, "authority")

    simulator.reset()
    time.sleep(0.6)

    assert simulator.effects == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_book_twice_books_two_documents_and_tells_of_one(simulator: RunningSimulator, system: str) -> None:
    fault(simulator, "book_twice", system)

    answer = send(simulator, system)

    first, second = simulator.effects
    name = {"authority": "clearance", "erp": "document", "bank": "reference"}[system]
    assert first[name] != second[name]
    assert (first["business_key"], first["key"]) == (second["business_key"], second["key"])
    assert answer.ok
    assert first[name] in answer.text


def test_book_twice_shows_both_to_who_asks(simulator: RunningSimulator) -> None:
    fault(simulator, "book_twice", "authority")
    send(simulator, "authority")
    simulator.restart()

    asked = simulator.get("/tax-authority/documents", business_key=simulator.effects[0]["business_key"])

    assert [found["clearance"] for found in asked.json()["documents"]] == [
        effect["clearance"] for effect in simulator.effects
    ]
    assert send(simulator, "authority").json()["clearance"] == simulator.effects[0]["clearance"]


@pytest.mark.parametrize(
    ("system", "sign"), [("authority", "DUPLICATE_DOCUMENT"), ("erp", "ZFI/070"), ("bank", "DU01")]
)
def test_already_done_books_and_says_that_it_was_there(simulator: RunningSimulator, system: str, sign: str) -> None:
    fault(simulator, "already_done_4xx", system)

    answer = send(simulator, system)

    assert (answer.status_code, len(simulator.effects)) == (409, 1)
    assert sign in answer.text


@pytest.mark.parametrize(("system", "sign"), [("authority", "SIM-R-01"), ("erp", "ZFI/099"), ("bank", "INTERNAL")])
def test_error_in_200_books_nothing(simulator: RunningSimulator, system: str, sign: str) -> None:
    fault(simulator, "error_in_200", system)

    answer = send(simulator, system)

    assert (answer.status_code, simulator.effects) == (200, [])
    assert sign in answer.text


def test_half_accept_books_the_first_half_of_a_file(simulator: RunningSimulator) -> None:
    fault(simulator, "half_accept", "bank")

    answer = simulator.post(
        "/bank/payments", payment_file(*wires(3)), Content_Type="application/xml", Idempotency_Key=KEY
    )

    assert len(simulator.effects) == 2
    assert "<GrpSts>PART</GrpSts>" in answer.text
    assert answer.text.count("<TxSts>RJCT</TxSts>") == 1


@pytest.mark.parametrize("system", SYSTEMS)
def test_drop_mid_answer_books_and_sends_half(simulator: RunningSimulator, system: str) -> None:
    fault(simulator, "drop_mid_answer", system)

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        send(simulator, system)

    assert len(simulator.effects) == 1


@pytest.mark.parametrize(("name", "status"), [("garbage", 200), ("error_after", 500)])
def test_answer_that_says_nothing_comes_after_booking(simulator: RunningSimulator, name: str, status: int) -> None:
    fault(simulator, name, "erp")

    answer = send(simulator, "erp")

    assert (answer.status_code, len(simulator.effects)) == (status, 1)
    assert simulator.effects[0]["document"] not in answer.text


@pytest.mark.parametrize(
    ("name", "status", "header", "text"),
    [
        ("too_many_requests", 429, "Retry-After", "Slow down"),
        ("throttled_403", 403, "X-RateLimit-Reset", "quota"),
        ("throttled_400", 400, "", "Try again in 1 seconds"),
        ("token_expired", 401, "WWW-Authenticate", "expired"),
    ],
)
@pytest.mark.parametrize("system", SYSTEMS)
def test_turned_away_in_each_dialect_books_nothing(
    simulator: RunningSimulator, system: str, name: str, status: int, header: str, text: str
) -> None:
    fault(simulator, name, system)

    answer = send(simulator, system)

    assert (answer.status_code, simulator.effects) == (status, [])
    assert text in answer.text
    assert not header or header in answer.headers
    assert [(attempt["fault"], attempt["status"]) for attempt in simulator.attempts] == [(name, status)]


def test_reorder_lets_the_next_request_go_first(simulator: RunningSimulator) -> None:
    fault(simulator, "reorder", "erp", seconds=20)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(send, simulator, "erp")
        while simulator.get("/control/health").json()["faults"]:
            time.sleep(0.02)
        simulator.post("/erp/postings", journal(reference="J-2"), Content_Type="application/json", Idempotency_Key="b")
        first.result()

    assert [effect["key"] for effect in simulator.effects] == ["b", KEY]


def test_reorder_waits_no_longer_than_told(simulator: RunningSimulator) -> None:
    fault(simulator, "reorder", "erp", seconds=0.1)

    assert send(simulator, "erp").status_code == 201


def drawn(switch: FaultSwitch, number: int) -> list[str]:
    faults = [switch.take(method="POST", path="/erp/postings", content=f"{n}".encode()) for n in range(number)]
    return [str(fault.name) if fault else "none" for fault in faults]


def with_shares(seed: int) -> FaultSwitch:
    switch = FaultSwitch()
    switch.switch({"fault": "garbage", "path": "/erp/postings", "share": 0.2, "seed": seed})
    switch.switch({"fault": "book_late", "path": "/erp/postings", "share": 0.3, "seed": seed})
    return switch


def test_shares_hit_about_as_many_as_they_say() -> None:
    names = drawn(with_shares(7), 2000)

    assert 0.17 <= names.count("garbage") / 2000 <= 0.23
    assert 0.27 <= names.count("book_late") / 2000 <= 0.33
    assert set(names) == {"garbage", "book_late", "none"}


def test_shares_of_the_same_seed_hit_the_same_requests_in_any_order() -> None:
    switch = with_shares(7)
    backwards = [switch.take(method="POST", path="/erp/postings", content=f"{n}".encode()) for n in reversed(range(99))]

    assert drawn(with_shares(7), 99) == [fault.name if fault else "none" for fault in reversed(backwards)]
    assert drawn(with_shares(8), 99) != drawn(with_shares(7), 99)


def test_repeat_of_a_request_is_drawn_anew() -> None:
    switch = with_shares(7)

    again = {str(switch.take(method="POST", path="/erp/postings", content=b"the same")) for _ in range(50)}

    assert len(again) == 3


def test_share_leaves_other_methods_alone_and_ends_after_its_times() -> None:
    switch = FaultSwitch()
    switch.switch({"fault": "garbage", "path": "/erp/postings", "share": 1, "times": 2})

    asked = switch.take(method="GET", path="/erp/postings")

    assert asked is None
    assert drawn(switch, 3) == ["garbage", "garbage", "none"]
    assert switch.active() == []


def test_fault_for_all_requests_goes_before_the_shares() -> None:
    switch = with_shares(7)
    switch.switch({"fault": "down", "path": "/erp/postings", "times": 2})

    assert drawn(switch, 3)[:2] == ["down", "down"]
    switch.switch({"fault": "none", "path": "/erp/postings"})
    assert switch.active() == []


@pytest.mark.parametrize("share", [0, -0.1, 1.1, "0.1", True])
def test_share_that_is_none_is_refused(share: object) -> None:
    with pytest.raises(FaultNotUnderstood, match="share"):
        FaultSwitch().switch({"fault": "garbage", "share": share})


def test_shares_of_one_path_that_come_to_more_than_all_are_refused() -> None:
    switch = FaultSwitch()
    switch.switch({"fault": "garbage", "share": 0.6})

    with pytest.raises(FaultNotUnderstood, match=r"take 0\.6 already"):
        switch.switch({"fault": "book_late", "share": 0.5})
    switch.switch({"fault": "garbage", "share": 0.9})
    assert [fault["share"] for fault in switch.active()] == [0.9]
