import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pytest
import requests

from tests.integrations.connectors.erp.postings import customer_invoice, journal
from tests.simulator_process import RunningSimulator

KEY = "a" * 64
OTHER_KEY = "b" * 64


def post(simulator: RunningSimulator, content: bytes, *, key: str = KEY, **headers: str) -> requests.Response:
    return simulator.post("/erp/postings", content, Content_Type="application/json", Idempotency_Key=key, **headers)


def codes(answer: requests.Response) -> list[tuple[str, str, str]]:
    details = answer.json()["error"]["innererror"]["errordetails"]
    return [(found["code"], found["propertyref"], found["severity"]) for found in details]


def lines(*given: dict[str, Any]) -> list[dict[str, Any]]:
    return list(given)


def test_journal_is_booked_once(simulator: RunningSimulator):
    answer = post(simulator, journal())

    [effect] = simulator.effects
    assert answer.status_code == 201
    assert answer.json() == {"document": effect["document"], "fiscal_year": 2026, "posted_at": effect["at"]}
    assert effect | {"at": "", "document": ""} == {
        "at": "",
        "document": "",
        "system": "erp",
        "effect": "posted",
        "key": KEY,
        "business_key": "NL01|JE-2026-0118",
        "sha256": sha256(journal()).hexdigest(),
        "type": "journal",
        "company": "NL01",
        "number": "JE-2026-0118",
        "fiscal_year": 2026,
        "posting": json.loads(journal()),
    }


def test_customer_invoice_is_booked_with_its_digits(simulator: RunningSimulator):
    assert post(simulator, customer_invoice()).status_code == 201

    [effect] = simulator.effects
    assert effect["document"].startswith("18")
    assert effect["posting"]["lines"][1]["unit_price"] == "133.33"


def test_document_number_depends_on_seed_and_content_alone(simulator: RunningSimulator):
    first = post(simulator, journal()).json()["document"]
    simulator.reset()
    post(simulator, journal(reference="JE-1"), key=OTHER_KEY)

    assert post(simulator, journal(), key="c" * 64).json()["document"] == first


def test_several_errors_and_warnings_come_in_one_answer(simulator: RunningSimulator):
    simulator.change_erp(close_periods=["2026-11"])
    broken = journal(
        lines=lines(
            {"account": "630000", "debit": "10.00"},
            {"account": "999999", "cost_center": "CC-8000", "credit": "5.00"},
            {"account": "190000", "cost_center": "CC-9000", "credit": "1.00"},
        )
    )

    answer = post(simulator, broken)

    assert answer.status_code == 400
    assert codes(answer) == [
        ("F5/201", "posting_date", "error"),
        ("KI/235", "lines/0/cost_center", "error"),
        ("ZFI/030", "lines/1/account", "error"),
        ("ZFI/081", "lines/1/cost_center", "warning"),
        ("ZFI/021", "lines/2/cost_center", "error"),
        ("F5/702", "lines", "error"),
    ]
    assert answer.json()["error"]["code"] == "F5/201"
    assert simulator.effects == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"customer": "C-0"}, "F5/102"),
        ({"customer": "C-9000"}, "ZFI/041"),
        ({"company": "XX01"}, "ZFI/010"),
        ({"currency": "euro"}, "FF/112"),
        ({"number": None}, "ZFI/002"),
        ({"posting_date": "30.11.2026"}, "ZFI/003"),
        ({"total": 1210.01}, "ZFI/060"),
        ({"total": "much"}, "ZFI/003"),
        ({"lines": []}, "FINS_FI_POSTING_IF/008"),
    ],
)
def test_customer_invoice_is_refused_for_what_is_wrong(simulator: RunningSimulator, changes: dict[str, Any], code: str):
    answer = post(simulator, customer_invoice(**changes))

    assert answer.status_code == 400
    assert code in [found[0] for found in codes(answer)]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [("tax_code", "V99", "FF/101"), ("product_family", "DRONES", "ZFI/050"), ("account", "899000", "ZFI/031")],
)
def test_line_of_an_invoice_is_refused_at_its_place(simulator: RunningSimulator, field: str, value: str, code: str):
    rows = json.loads(customer_invoice())["lines"]
    rows[1][field] = value
    if field == "product_family":
        rows[1].pop("account", None)  # a line that names its account needs none to be found

    assert codes(post(simulator, customer_invoice(lines=rows))) == [(code, f"lines/1/{field}", "error")]


def test_warnings_alone_stop_a_strict_sender_and_not_a_lenient_one(simulator: RunningSimulator):
    warned = journal(
        lines=lines({"account": "190000", "debit": "300000"}, {"account": "191000", "credit": "300000.00"})
    )

    strict = post(simulator, warned)
    lenient = post(simulator, warned, Prefer="respond-async, handling=lenient")

    assert (strict.status_code, codes(strict)) == (400, [("ZFI/080", "lines", "warning")])
    assert lenient.status_code == 201
    assert [message["code"] for message in lenient.json()["messages"]] == ["ZFI/080"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"type": "order"}', b'{"type": ["journal"]}', b'{"type": "journal", "a": NaN}']
)
def test_what_is_no_posting_is_refused(simulator: RunningSimulator, body: bytes):
    answer = post(simulator, body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ZFI/001")


def test_same_key_books_once_and_refuses_other_content(simulator: RunningSimulator):
    first, again = post(simulator, journal()), post(simulator, journal())
    other = post(simulator, journal(reference="JE-1"))

    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    assert (other.status_code, other.json()["error"]["code"]) == (422, "KEY_REUSED")
    assert len(simulator.effects) == 1


def test_same_key_at_the_same_time_books_once(simulator: RunningSimulator):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: post(simulator, journal()).json()["document"], range(8)))

    assert len(set(answers)) == 1
    assert len(simulator.effects) == 1


def test_ignored_keys_book_again_under_another_number(simulator: RunningSimulator):
    simulator.change_erp(honour_keys=False)

    first, second = post(simulator, journal()), post(simulator, journal())

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["document"] != second.json()["document"]
    assert len(simulator.effects) == 2


def test_reference_is_refused_twice_only_when_told_so(simulator: RunningSimulator):
    post(simulator, journal())
    allowed = post(simulator, journal(), key=OTHER_KEY)
    simulator.change_erp(deduplicate_references=True)
    refused = post(simulator, journal(), key="c" * 64)

    assert (allowed.status_code, refused.status_code) == (201, 409)
    assert codes(refused) == [("ZFI/070", "reference", "error")]
    assert len(simulator.effects) == 2


def test_period_closes_and_opens(simulator: RunningSimulator):
    simulator.change_erp(close_periods=["2026-11"])
    closed = post(simulator, journal())
    simulator.change_erp(open_periods=["2026-11"])
    opened = post(simulator, journal())

    assert (codes(closed), opened.status_code) == ([("F5/201", "posting_date", "error")], 201)


def test_master_data_is_added_and_removed(simulator: RunningSimulator):
    posting = journal(
        lines=lines({"account": "630000", "cost_center": "CC-7", "debit": 1}, {"account": "190000", "credit": 1})
    )

    missing = post(simulator, posting)
    simulator.change_erp(add={"cost_centers": {"CC-7": {}}}, remove={"accounts": ["190000"]})
    other = post(simulator, posting)
    simulator.change_erp(add={"accounts": {"190000": {"locked": True}}})
    locked = post(simulator, posting)

    assert codes(missing) == [("ZFI/020", "lines/0/cost_center", "error")]
    assert codes(other) == [("ZFI/030", "lines/1/account", "error")]
    assert codes(locked) == [("MC/601", "lines/1/account", "error")]


def test_set_up_outlives_a_kill_and_ends_with_a_reset(simulator: RunningSimulator):
    before = simulator.change_erp(close_periods=["2026-10"], add={"customers": {"C-7": {}}}, honour_keys=False)

    simulator.restart()
    after = simulator.get("/control/erp").json()
    simulator.reset()

    assert after == before
    assert simulator.get("/control/erp").json()["closed_periods"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"open": ["2026-11"]}, "open"),
        ({"close_periods": "2026-11"}, "close_periods"),
        ({"close_periods": ["November"]}, "close_periods"),
        ({"honour_keys": "no"}, "honour_keys"),
        ({"add": {"suppliers": {}}}, "add"),
        ({"add": {"accounts": ["1"]}}, "add/accounts"),
        ({"add": {"accounts": {"1": {"blocked": "yes"}}}}, "add/accounts/1"),
        ({"remove": {"accounts": {}}}, "remove/accounts"),
    ],
)
def test_change_that_is_not_understood_changes_nothing(simulator: RunningSimulator, change: dict[str, Any], field: str):
    before = simulator.get("/control/erp").json()
    answer = requests.post(f"{simulator.url}/control/erp", json={"close_periods": ["2026-01"], **change}, timeout=10)

    assert (answer.status_code, answer.json()["detail"].partition(":")[0]) == (400, field)
    assert simulator.get("/control/erp").json() == before


def test_posting_can_be_asked_for(simulator: RunningSimulator):
    question = {"company": "NL01", "type": "journal", "reference": "JE-2026-0118"}
    before = simulator.get("/erp/postings", **question).json()
    receipt = post(simulator, journal()).json()

    assert before == {"postings": []}
    assert simulator.get("/erp/postings", **question).json() == {
        "postings": [receipt | {"posting": json.loads(journal())}]
    }
    assert simulator.get("/erp/postings", company="NL01").status_code == 400


def test_systems_do_not_mix_their_effects(simulator: RunningSimulator):
    post(simulator, journal())

    asked = simulator.get("/tax-authority/documents", business_key="NL01|JE-2026-0118")

    assert asked.json() == {"documents": []}


@pytest.mark.parametrize(
    ("fault", "status", "code"), [("too_many_requests", 429, "TOO_MANY_REQUESTS"), ("down", 503, "DOWN")]
)
def test_faults_speak_as_the_erp_does(simulator: RunningSimulator, fault: str, status: int, code: str):
    simulator.fault(fault, path="/erp/postings", times=1)

    answer = post(simulator, journal())

    assert (answer.status_code, answer.json()["error"]["code"], answer.headers["Retry-After"]) == (status, code, "1")
    assert [(attempt["system"], attempt["status"]) for attempt in simulator.attempts] == [("erp", status)]


def test_refuse_refuses_a_posting_that_is_right(simulator: RunningSimulator):
    simulator.fault("refuse", path="/erp/postings", times=1)

    assert codes(post(simulator, journal())) == [("ZFI/099", "", "error")]
    assert post(simulator, journal()).status_code == 201


@pytest.mark.parametrize(("fault", "booked"), [("timeout_before", 0), ("timeout_after", 1)])
def test_time_out_cuts_before_or_after_booking(simulator: RunningSimulator, fault: str, booked: int):
    simulator.fault(fault, path="/erp/postings", times=1, seconds=0)

    with pytest.raises(requests.ConnectionError):
        post(simulator, journal())

    assert len(simulator.effects) == booked


def test_missing_key_and_wrong_token_are_refused(simulator: RunningSimulator):
    unkeyed = simulator.post("/erp/postings", journal())
    unsigned = post(simulator, journal(), Authorization="Bearer another")

    assert (unkeyed.status_code, unkeyed.json()["error"]["code"]) == (400, "KEY_MISSING")
    assert (unsigned.status_code, unsigned.json()["error"]["code"]) == (401, "TOKEN_REFUSED")
