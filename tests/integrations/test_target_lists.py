"""A target's own list: read to its end page by page, or not at all."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from integrations import target_lists
from integrations.connectors.base import CannotList, Endpoint, Listing
from integrations.connectors.erp import connector as erp
from integrations.connectors.iso20022 import connector as iso20022
from integrations.connectors.registry import CONNECTORS
from tests.integrations.connectors.erp.postings import journal
from tests.integrations.connectors.iso20022.payment_files import payment_file, wires
from tests.scripted_server import answering, scripted
from tests.simulator_process import RunningSimulator

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def loopback(settings: Settings) -> None:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True


@pytest.mark.parametrize("name", CONNECTORS)
def test_connector_that_promises_a_list_can_read_one(name: str):
    found = CONNECTORS[name]
    client = found.client(Endpoint("http://127.0.0.1:9/x"))
    assert isinstance(client, Listing) is found.capabilities.lists_what_it_has


def test_list_of_the_erp_is_read_page_by_page(simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(target_lists, "PAGE", 2)
    for number in range(5):
        content = journal(reference=f"JE-{number}")
        answer = simulator.post(
            "/erp/postings", content, Content_Type="application/json", Idempotency_Key=f"key-{number}"
        )
        assert answer.status_code == 201, answer.text
    client = erp.client(Endpoint(simulator.erp_url, simulator.token))
    assert isinstance(client, Listing)
    found = list(client.booked_between(SINCE, UNTIL))
    assert [entry.business_key for entry in found] == [f"NL01|JE-{number}" for number in range(5)]
    effects = simulator.effects
    assert [entry.reference for entry in found] == [f"{effect['document']}/2026" for effect in effects]
    assert [client.is_same(entry, journal(reference="JE-3")) for entry in found] == [False, False, False, True, False]
    middle = datetime.fromisoformat(effects[2]["at"])
    assert [entry.business_key for entry in client.booked_between(middle, UNTIL)] == [
        "NL01|JE-2", "NL01|JE-3", "NL01|JE-4",
    ]  # fmt: skip
    assert [entry.business_key for entry in client.booked_between(SINCE, middle)] == ["NL01|JE-0", "NL01|JE-1"]
    assert [entry.reference for entry in client.booked_under(journal(reference="JE-3"))] == [found[3].reference]
    assert client.booked_under(journal(reference="JE-9")) == []


def listed(body: object, status: str = "200 OK") -> Iterator[object]:
    with scripted(answering(status, json.dumps(body).encode(), "Content-Type: application/json")) as server:
        yield from target_lists.entries(
            server.url, "postings", since=SINCE, until=SINCE + timedelta(days=1), headers={}, timeout=5
        )


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        ({"postings": []}, "200 OK", "whether it goes on"),
        ({"next": ""}, "200 OK", "no entries"),
        ({"postings": [1], "next": ""}, "200 OK", "no entries"),
        ({"detail": "Closed."}, "503 Closed", "Closed."),
        ([], "200 OK", "no entries"),
        ({"postings": [], "next": "3"}, "200 OK", "next page is the same again"),
    ],
)
def test_half_a_list_is_none(body: object, status: str, why: str):
    with pytest.raises(CannotList, match=why):
        list(listed(body, status))


def test_payment_is_listed_under_the_name_that_it_has_with_all(simulator: RunningSimulator):
    client = iso20022.client(Endpoint(simulator.bank_url, simulator.token))
    assert isinstance(client, Listing)
    content = payment_file(*wires(1))
    simulator.post("/bank/payments", content, Content_Type="application/xml", Idempotency_Key="key")
    [entry] = client.booked_between(SINCE, UNTIL)
    assert entry.business_key == iso20022.business_key(content)
    assert client.is_same(entry, content)
    assert [found.reference for found in client.booked_under(content)] == [entry.reference]
