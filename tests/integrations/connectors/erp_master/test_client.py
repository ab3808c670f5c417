"""What only a target that upserts does: another may change the same partner before, meanwhile and after."""

import pytest

from integrations.connectors.base import Answer, AnswerKind, Endpoint, Presence, TargetClient
from integrations.refusals import Category
from tests.integrations.connectors.erp_master.partners import supplier
from tests.integrations.connectors.stands import STANDS
from tests.scripted_server import answering, scripted
from tests.simulator_process import RunningSimulator

STAND = STANDS["erp_master"]
JSON = "Content-Type: application/json"


def put(simulator: RunningSimulator, *, key: int = 1, **changes: object) -> Answer:
    return STAND.submit(simulator, supplier(**changes), key=key)


def test_same_content_under_another_key_changes_nothing(simulator: RunningSimulator) -> None:
    first, second = put(simulator, key=1), put(simulator, key=2)

    assert (first.reference, second.reference) == ("S-2001/1", "S-2001/1")
    assert [attempt.get("unchanged", False) for attempt in simulator.attempts] == [False, True]
    assert len(simulator.effects) == 1


def test_other_content_is_a_change_and_an_effect_of_its_own(simulator: RunningSimulator) -> None:
    first, second = put(simulator), put(simulator, key=2, city="Delft")

    assert (first.reference, second.reference) == ("S-2001/1", "S-2001/2")
    assert [effect["effect"] for effect in simulator.effects] == ["created", "changed"]


def test_ours_is_found_although_another_change_came_after_it(simulator: RunningSimulator) -> None:
    put(simulator)
    put(simulator, key=2, city="Delft")

    found = STAND.probe(simulator, supplier())

    assert (found.presence, found.reference) == (Presence.SAME, "S-2001/1")
    assert found.detail == "It was changed again since, to S-2001/2."


def test_other_content_there_means_that_ours_never_came(simulator: RunningSimulator) -> None:
    put(simulator, city="Delft")

    found = STAND.probe(simulator, supplier())

    assert found.presence is Presence.ABSENT
    assert found.detail.startswith("The ERP has it as S-2001/1, with other content")


def test_version_on_which_it_is_based_says_nothing_of_the_partner(simulator: RunningSimulator) -> None:
    put(simulator)

    assert STAND.probe(simulator, supplier(version="7")).presence is Presence.SAME
    assert put(simulator, key=2, version="7").kind is AnswerKind.CONFIRMED


def test_change_based_on_an_older_version_overwrites_nothing(simulator: RunningSimulator) -> None:
    put(simulator)
    put(simulator, key=2, version="1", city="Delft")

    late = put(simulator, key=3, version="1", city="Breda")

    assert late.kind is AnswerKind.REFUSED
    assert late.refusal is not None
    assert (late.refusal.category, late.refusal.errors[0].field_path) == (Category.SEQUENCING, "/version")
    assert [effect["partner"]["city"] for effect in simulator.effects] == ["Rotterdam", "Delft"]


def test_other_bank_account_needs_somebody_who_saw_the_warning(simulator: RunningSimulator) -> None:
    put(simulator)
    content = supplier(iban="NL20INGB0001234567")
    unseen = STAND.client(simulator).submit(
        key="b" * 64, object_type="supplier", business_key="S-2001", content=content, media_type="application/json"
    )

    assert unseen.kind is AnswerKind.REFUSED
    assert unseen.refusal is not None
    assert unseen.refusal.errors[0].code == "ZMD/080"
    assert STAND.submit(simulator, content, key=2).kind is AnswerKind.CONFIRMED


def test_number_that_is_no_path_is_refused_and_touches_nobody_else(simulator: RunningSimulator) -> None:
    assert put(simulator, id="S-2001/../S-2002").kind is AnswerKind.REFUSED
    assert simulator.effects == []


def test_partner_of_another_address_is_refused(simulator: RunningSimulator) -> None:
    answer = simulator.put("/erp/partners/supplier/S-2002", supplier(), Content_Type="application/json")

    assert (answer.status_code, simulator.effects) == (400, [])


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b'{"partner": "S-2002", "version": 1}', b'{"partner": "S-2001", "version": true}',
        b'{"partner": "S-2001", "version": 0}', b'{"error": {"code": "XX/1", "message": "What?"}}',
    ],
)  # fmt: skip
def test_success_that_does_not_name_the_change_is_unknown(body: bytes) -> None:
    with scripted(answering("200 OK", body, JSON)) as server:
        answer = _client(server.url).submit(
            key="a" * 64, object_type="supplier", business_key="S-2001", content=supplier(), media_type=JSON
        )

    assert answer.kind is AnswerKind.UNKNOWN


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"changes": ["a"]}', b'{"changes": [{"partner": "S-2001", "version": 1}]}']
)
def test_look_up_that_is_not_understood_is_unanswered(body: bytes) -> None:
    with scripted(answering("200 OK", body, JSON)) as server:
        found = _client(server.url).probe(object_type="supplier", business_key="S-2001", content=supplier())

    assert found.presence is Presence.UNANSWERED


def test_what_is_no_partner_is_never_sent() -> None:
    answer = _client("http://127.0.0.1:9").submit(
        key="a" * 64, object_type="supplier", business_key="x", content=b"{}", media_type=JSON
    )

    assert (answer.kind, answer.not_sent) == (AnswerKind.MISCONFIGURED, True)


def _client(url: str) -> TargetClient:
    return STAND.connector.client(Endpoint(url, "token", 20))
