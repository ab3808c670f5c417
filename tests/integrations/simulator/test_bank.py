"""The simulated bank: what it books, what it rejects and why, and that it books nothing twice."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from lxml import etree

from tests.integrations.connectors.iso20022.payment_files import (
    DEBTOR_IBAN,
    IBANS,
    VERSIONS,
    Wire,
    message_id,
    payment_file,
    wires,
)
from tests.simulator_process import RunningSimulator


def send(simulator: RunningSimulator, content: bytes) -> etree._Element:
    answer = simulator.post("/bank/payments", content, Content_Type="application/xml", Idempotency_Key="k")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/xml"), answer.text
    return etree.fromstring(answer.content)


def control(simulator: RunningSimulator, **change: Any) -> int:
    body = json.dumps(change).encode()
    return simulator.post("/control/bank", body, Content_Type="application/json").status_code


def texts(report: etree._Element, name: str) -> list[str]:
    return [str(element.text) for element in report.iter(f"{{*}}{name}")]


def asked(simulator: RunningSimulator, **question: str) -> list[dict[str, Any]]:
    return list(simulator.get("/bank/payments", **question).json()["payments"])


@pytest.mark.parametrize(
    ("version", "answered"), list(zip(VERSIONS, ("pain.002.001.03", "10", "11", "12"), strict=True))
)
def test_good_file_is_booked_payment_by_payment(simulator: RunningSimulator, version: str, answered: str) -> None:
    content = payment_file(*wires(2), version=version)

    report = send(simulator, content)

    assert str(etree.QName(report).namespace).endswith(answered)
    assert texts(report, "OrgnlMsgId") == [message_id(content)]
    assert (texts(report, "GrpSts"), texts(report, "TxSts")) == (["ACSC"], ["ACSC", "ACSC"])
    assert texts(report, "AcctSvcrRef") == [effect["reference"] for effect in simulator.effects]
    assert [(e["system"], e["business_key"], e["amount"]) for e in simulator.effects] == [
        ("bank", f"{DEBTOR_IBAN}|INV-1", "100.00"),
        ("bank", f"{DEBTOR_IBAN}|INV-2", "200.00"),
    ]


def test_accounts_limit_and_cut_off_reject_what_they_are_about(simulator: RunningSimulator) -> None:
    control(simulator, accounts={IBANS[1]: "closed", IBANS[2]: "blocked", IBANS[3]: "unknown"}, limit="450.00")

    report = send(simulator, payment_file(*wires(5), Wire("WRONG", iban="DE00370400440532013000")))

    assert texts(report, "GrpSts") == ["PART"]
    assert texts(report, "TxSts") == ["RJCT", "RJCT", "RJCT", "ACSC", "RJCT", "RJCT"]
    assert texts(report, "Cd") == ["AC04", "AC06", "AC01", "AM04", "AC01"]
    assert [(r, n) for r, n in zip(texts(report, "DtldSts"), texts(report, "DtldNbOfTxs"), strict=True)] == [
        ("RJCT", "5"),
        ("ACSC", "1"),
    ]
    assert [effect["end_to_end_id"] for effect in simulator.effects] == ["INV-4"]


def test_date_before_the_cut_off_is_rejected(simulator: RunningSimulator) -> None:
    control(simulator, first_date="2026-12-01")

    report = send(simulator, payment_file(Wire("INV-1")))

    assert (texts(report, "GrpSts"), texts(report, "Cd")) == (["RJCT"], ["TM01"])


def test_same_file_again_is_refused_as_a_whole(simulator: RunningSimulator) -> None:
    content = payment_file(*wires(2))
    send(simulator, content)

    report = send(simulator, content)

    assert (texts(report, "GrpSts"), texts(report, "Cd"), texts(report, "TxSts")) == (["RJCT"], ["DU01"], [])
    assert len(simulator.effects) == 2


def test_file_that_was_rejected_as_a_whole_may_come_again(simulator: RunningSimulator) -> None:
    content = payment_file(Wire("INV-1", iban=IBANS[1]))
    control(simulator, accounts={IBANS[1]: "closed"})
    send(simulator, content)
    control(simulator, accounts={IBANS[1]: "open"})

    assert texts(send(simulator, content), "GrpSts") == ["ACSC"]


def test_end_to_end_identifier_is_booked_once_also_within_a_file(simulator: RunningSimulator) -> None:
    first = send(simulator, payment_file(Wire("INV-1"), Wire("INV-1"), Wire("NOTPROVIDED"), Wire("NOTPROVIDED")))
    second = send(simulator, payment_file(Wire("INV-1")))

    assert (texts(first, "TxSts"), texts(first, "Cd")) == (["ACSC", "RJCT", "ACSC", "ACSC"], ["AM05"])
    assert texts(second, "Cd") == ["AM05"]
    assert len(simulator.effects) == 3


def test_same_file_at_the_same_time_is_booked_once(simulator: RunningSimulator) -> None:
    content = payment_file(Wire("INV-1"))

    with ThreadPoolExecutor(8) as threads:
        reports = list(threads.map(lambda _: texts(send(simulator, content), "GrpSts"), range(8)))

    assert sorted(reports) == [["ACSC"]] + [["RJCT"]] * 7
    assert len(simulator.effects) == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ((b"<CtrlSum>300.00", b"<CtrlSum>301.00"), "AM10"),
        ((b"<NbOfTxs>2", b"<NbOfTxs>3"), "AM18"),
        ((b">100.00<", b">100,00<"), "FF01"),
    ],
)
def test_file_that_is_wrong_in_itself_is_refused_as_a_whole(
    simulator: RunningSimulator, wrong: tuple[bytes, bytes], code: str
) -> None:
    report = send(simulator, payment_file(*wires(2)).replace(*wrong))

    assert (texts(report, "GrpSts"), texts(report, "Cd")) == (["RJCT"], [code])
    assert simulator.effects == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"no xml", "NOT_XML"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "DOCTYPE_FORBIDDEN"),
        (b"<Document/>", "NOT_A_PAYMENT_FILE"),
    ],
)
def test_what_is_no_payment_file_is_no_message(simulator: RunningSimulator, body: bytes, code: str) -> None:
    answer = simulator.post("/bank/payments", body, Content_Type="application/xml", Idempotency_Key="k")

    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_payment_can_be_asked_for_by_its_identifier_and_by_its_file(simulator: RunningSimulator) -> None:
    content = payment_file(*wires(2))
    before = asked(simulator, debtor=DEBTOR_IBAN, end_to_end_id="INV-2")
    send(simulator, content)

    [found] = asked(simulator, debtor=DEBTOR_IBAN, end_to_end_id="INV-2")

    assert before == []
    assert found == {
        "reference": simulator.effects[1]["reference"],
        "end_to_end_id": "INV-2",
        "amount": "200.00",
        "currency": "EUR",
        "creditor_account": IBANS[2],
        "execution_date": "2026-11-30",
        "message_id": message_id(content),
    }
    assert len(asked(simulator, debtor=DEBTOR_IBAN, message_id=message_id(content))) == 2
    assert asked(simulator, debtor=IBANS[0], end_to_end_id="INV-2") == []
    assert simulator.get("/bank/payments", debtor=DEBTOR_IBAN).status_code == 400


def test_restart_forgets_neither_bookings_nor_accounts(simulator: RunningSimulator) -> None:
    control(simulator, accounts={IBANS[2]: "closed"}, limit="1000.00")
    content = payment_file(Wire("INV-1"))
    send(simulator, content)

    simulator.restart()

    assert texts(send(simulator, content), "Cd") == ["DU01"]
    assert simulator.get("/control/bank").json() == {
        "accounts": {IBANS[2]: "closed"},
        "limit": "1000.00",
        "first_date": None,
        "pending": False,
    }


@pytest.mark.parametrize(
    "change", [{"accounts": {"X": "gone"}}, {"limit": 5}, {"first_date": "soon"}, {"pending": "yes"}, {"other": 1}]
)
def test_change_that_is_not_understood_changes_nothing(simulator: RunningSimulator, change: dict[str, Any]) -> None:
    assert control(simulator, **change) == 400
    assert simulator.get("/control/bank").json()["accounts"] == {}


def test_told_to_refuse_it_refuses_what_is_right(simulator: RunningSimulator) -> None:
    simulator.fault("refuse", path="/bank/payments", times=1)

    assert texts(send(simulator, payment_file(Wire("INV-1"))), "Cd") == ["MS03"]
    assert [attempt["fault"] for attempt in simulator.attempts if attempt["system"] == "bank"] == ["refuse"]


def test_stranger_is_not_served(simulator: RunningSimulator) -> None:
    answer = simulator.post("/bank/payments", payment_file(Wire("A")), Authorization="Bearer wrong")

    assert answer.status_code == 401
    assert simulator.effects == []
