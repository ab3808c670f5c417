import pytest
import requests

from tests.invoices import valid_invoice
from tests.simulator_process import RunningSimulator
from workbench.rehearsal.lanes import LANES, Lane

KEY = "a" * 64


def test_refuse_refuses_a_valid_document_as_often_as_told(simulator: RunningSimulator) -> None:
    simulator.fault("refuse", times=1)

    first = simulator.submit(valid_invoice(), key=KEY)
    second = simulator.submit(valid_invoice(), key=KEY)

    assert (first.status_code, second.status_code) == (422, 201)
    assert b'id="SIM-R-01"' in first.content
    assert [(attempt["fault"], attempt["status"]) for attempt in simulator.attempts] == [("refuse", 422), ("none", 201)]


def test_timeout_before_books_nothing_and_cuts_the_connection(simulator: RunningSimulator) -> None:
    simulator.fault("timeout_before", times=1, seconds=0)

    with pytest.raises(requests.ConnectionError):
        simulator.submit(valid_invoice(), key=KEY)

    assert simulator.effects == []
    assert [(attempt["fault"], attempt["status"]) for attempt in simulator.attempts] == [("timeout_before", None)]


def test_timeout_after_books_and_cuts_the_connection(simulator: RunningSimulator) -> None:
    simulator.fault("timeout_after", times=1, seconds=0)

    with pytest.raises(requests.ConnectionError):
        simulator.submit(valid_invoice(), key=KEY)

    assert [effect["key"] for effect in simulator.effects] == [KEY]
    assert simulator.submit(valid_invoice(), key=KEY).status_code == 200


def test_slow_answers_after_all(simulator: RunningSimulator) -> None:
    simulator.fault("slow", times=1, seconds=0.2)

    answer = simulator.submit(valid_invoice(), key=KEY)

    assert answer.status_code == 201
    assert answer.elapsed.total_seconds() >= 0.2


def test_too_many_requests_says_when_to_come_back(simulator: RunningSimulator) -> None:
    simulator.fault("too_many_requests", times=1)

    answer = simulator.submit(valid_invoice(), key=KEY)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert simulator.effects == []


def test_down_lasts_until_it_is_switched_off(simulator: RunningSimulator) -> None:
    simulator.fault("down")
    during = [simulator.submit(valid_invoice(), key=KEY).status_code for _ in range(3)]
    asked = simulator.get("/tax-authority/documents", business_key="x").status_code
    simulator.fault("none")
    after = simulator.submit(valid_invoice(), key=KEY).status_code

    assert (during, asked, after) == ([503, 503, 503], 503, 201)


def test_look_up_does_not_use_up_a_fault_of_submissions(simulator: RunningSimulator) -> None:
    simulator.fault("timeout_after", times=1, seconds=0)

    asked = simulator.get("/tax-authority/documents", business_key="x")

    assert asked.status_code == 200
    with pytest.raises(requests.ConnectionError):
        simulator.submit(valid_invoice(), key=KEY)


def test_fault_of_one_path_leaves_the_other_alone(simulator: RunningSimulator) -> None:
    simulator.fault("down", path="/source/webhook")

    assert simulator.submit(valid_invoice(), key=KEY).status_code == 201
    assert simulator.post("/source/webhook", b"{}").status_code == 503


@pytest.mark.parametrize(
    ("request_body", "field"),
    [
        ({"fault": "explode"}, "fault"),
        ({"fault": "slow", "times": 0}, "times"),
        ({"fault": "slow", "times": "2"}, "times"),
        ({"fault": "slow", "seconds": -1}, "seconds"),
        ({"fault": "down", "path": "/tax-authority"}, "path: nobody answers there."),
        ({"fault": "down", "path": "/erp/partners/*"}, "path: nobody answers there."),
        ({"fault": "down", "path": ["/erp/postings"]}, "path: nobody answers there."),
        ([], "Send an object"),
    ],
)
def test_fault_that_is_not_understood_is_refused(simulator: RunningSimulator, request_body: object, field: str) -> None:
    answer = requests.post(f"{simulator.url}/control/faults", json=request_body, timeout=10)

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(field)


def test_fault_from_another_web_page_is_refused(simulator: RunningSimulator) -> None:
    # A browser sends text/plain across origins without asking first, and a rebound name in the Host header.
    plain = requests.post(f"{simulator.url}/control/faults", data='{"fault": "down"}', timeout=10)
    rebound = requests.get(f"{simulator.url}/control/health", headers={"Host": "attacker.example"}, timeout=10)

    assert (plain.status_code, rebound.status_code) == (415, 421)
    assert simulator.get("/control/health").json() == {"status": "ok", "faults": []}


@pytest.mark.parametrize("lane", LANES.values(), ids=LANES.keys())
def test_fault_of_a_rehearsal_hits_what_is_sent_to_each_kind_of_target(simulator: RunningSimulator, lane: Lane) -> None:
    simulator.fault("down", path=lane.path, method=lane.method)
    address = f"{lane.path}/supplier/S-2002" if lane.method == "PUT" else lane.path

    answer = requests.request(lane.method, simulator.url + address, json={}, timeout=10)

    assert answer.status_code == 503
