import pytest

from tests.invoices import valid_invoice
from tests.simulator_process import RunningSimulator

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(
        b'<!ENTITY a%d "%s">' % (level, (b"&a%d;" % (level - 1) if level else b"&a;") * 10) for level in range(9)
    )
    + b"]><a>&a8;</a>"
)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "NOT_XML"),
        (b"{}", "NOT_XML"),
        (b"<a>", "NOT_XML"),
        (b"<a>" * 100_000, "NOT_XML"),
        (b"<a/>", "NOT_AN_INVOICE"),
        (b"<!DOCTYPE a><a/>", "DOCTYPE_FORBIDDEN"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "DOCTYPE_FORBIDDEN"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "DOCTYPE_FORBIDDEN"),
        ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><a/>'.encode("utf-16"), "DOCTYPE_FORBIDDEN"),
    ],
)
def test_hostile_document_is_refused(simulator: RunningSimulator, body: bytes, code: str) -> None:
    answer = simulator.submit(body, key="a" * 64)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert simulator.effects == []


def test_entity_bomb_is_refused(simulator: RunningSimulator) -> None:
    answer = simulator.submit(BOMB, key="a" * 64)

    assert answer.status_code == 400
    assert simulator.submit(valid_invoice(), key="b" * 64).status_code == 201


def test_too_large_body_is_refused_unread(simulator: RunningSimulator) -> None:
    answer = simulator.post("/tax-authority/documents", b"", Content_Length=str(10**9))

    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")


def test_amount_that_is_no_number_is_refused(simulator: RunningSimulator) -> None:
    content = valid_invoice().replace(b"<cbc:Percent>21</cbc:Percent>", b"<cbc:Percent>some</cbc:Percent>")

    answer = simulator.submit(content, key="a" * 64)

    assert (answer.status_code, answer.json()["code"]) == (400, "NOT_CHECKABLE")
    assert simulator.effects == []
