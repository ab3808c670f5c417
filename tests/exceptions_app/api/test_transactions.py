"""Handing transactions over by HTTP: one, many, again, with other content, by whom; and asking what became of them."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils.timezone import now

from exceptions_app import intake, replays
from exceptions_app.actions.grants import grant_connection
from exceptions_app.api import polling
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Transaction
from integrations.models import Connection, InboxMessage
from tests.arrivals import configure
from tests.cast import MORNING, Cast, person
from tests.concurrency import at_the_same_time
from tests.exceptions_app.api.conftest import Api
from tests.exceptions_app.api.test_problems import kind_of
from tests.exceptions_app.delivering import work_until_done
from tests.exceptions_app.handover.handing_over import erp
from tests.integrations.connectors.erp.postings import customer_invoice, journal
from tests.simulator_process import RunningSimulator
from workbench.models import User

__all__ = ["erp"]
pytestmark = pytest.mark.django_db(transaction=True)

As = Callable[[User], Api]
Conforms = Callable[[Any, str], None]


@pytest.fixture
def source(api: As, erp: Connection) -> Api:
    """The CRM: its account has this one grant."""
    account = person("crm", "The CRM")
    grant_connection("ingest_messages", account, erp, by=machine(SETUP), at=MORNING)
    return api(account)


def body(identifier: str = "deal-4711", document: bytes = b"", **more: Any) -> dict[str, Any]:
    text = (document or customer_invoice()).decode()
    return {
        "connection": "tax-authority", "id": identifier, "payload": {"media_type": "application/json", "text": text},
    } | more  # fmt: skip


def work() -> None:
    """A worker's sweep, as often as it takes."""
    intake.read_messages(limit=100, at=now())
    work_until_done()


def test_transaction_is_kept_before_it_is_answered(source: Api, conforms: Conforms):
    response = source.post("transactions", body())

    [transaction] = Transaction.objects.all()
    document = response.json()
    conforms(document, "TransactionShape")
    assert (response.status_code, document["state"], document["settled"]) == (202, "checking", False)
    assert response["Location"] == document["url"] == f"http://testserver/api/v1/transactions/{transaction.ref}"
    assert (document["ref"], document["id"], document["connection"]) == (transaction.ref, "deal-4711", "tax-authority")
    assert InboxMessage.objects.get().purpose == "deliver"


def test_key_in_the_header_stands_for_the_identifier(source: Api):
    without = {name: value for name, value in body().items() if name != "id"}
    first = source.post("transactions", without, idempotency_key='"deal-1"')
    again = source.post("transactions", without, idempotency_key="deal-1")
    assert (first.status_code, first.json()["id"]) == (202, "deal-1")
    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")
    missing = source.post("transactions", without)
    assert (missing.status_code, missing.json()["errors"][0]["pointer"]) == (422, "/id")


def test_repeat_is_answered_with_the_present_state(source: Api, simulator: RunningSimulator):
    first = source.post("transactions", body())
    work()
    again = source.post("transactions", body())

    assert (again.status_code, again["Idempotent-Replayed"], again["Location"]) == (200, "true", first["Location"])
    assert (again.json()["state"], again.json()["settled"]) == ("delivered", True)
    [effect] = simulator.effects
    assert again.json()["reference"] == f"{effect['document']}/{effect['fiscal_year']}"
    assert again.json()["amount"] == {"amount": "1210.00", "currency": "EUR"}


def test_same_identifier_with_other_content_is_a_conflict_each_time(source: Api):
    source.post("transactions", body())
    for _ in range(2):
        other = source.post("transactions", body(document=journal()))
        assert kind_of(other) == (409, "identifier-reused")
    assert Transaction.objects.count() == 1
    work()
    assert Transaction.objects.get().state == "delivered"


def test_many_have_an_outcome_each_in_their_order(source: Api, conforms: Conforms):
    source.post("transactions", body("here-before"))
    sent = [
        body("a", journal()), body("here-before"), body("here-before", journal()), {"id": "x"},
        body("y", connection="nowhere"),
    ]  # fmt: skip
    response = source.post("transactions", {"transactions": sent})

    document = response.json()
    conforms(document, "ManyHandOverReceipts")
    assert response.status_code == 202
    assert [one["status"] for one in document["transactions"]] == [
        "accepted", "repeat", "conflict", "refused", "refused",
    ]  # fmt: skip
    assert [document[status] for status in ("accepted", "repeat", "conflict", "refused")] == [1, 1, 1, 2]
    assert document["transactions"][3]["problem"]["errors"][0]["pointer"].startswith("/transactions/3/")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"after": ["deal-4711"]}, "/after"),
        ({"after": "deal-1"}, "/after"),
        ({"wait_at_most": 0}, "/wait_at_most"),
        ({"wait_at_most": 10**8}, "/wait_at_most"),
        ({"ordering_key": "k" * 201}, "/ordering_key"),
        ({"id": "\n"}, "/id"),
        ({"refusal": {}}, "/refusal"),
        ({"payload": {"media_type": "application/json", "text": ""}}, "/payload"),
    ],
)
def test_unusable_transaction_is_refused_with_its_place(source: Api, changes: dict[str, Any], pointer: str):
    response = source.post("transactions", body(**changes))
    assert kind_of(response) == (422, "invalid-content")
    assert response.json()["errors"][0]["pointer"] == pointer
    assert Transaction.objects.count() == 0


def test_whoever_may_not_hand_in_is_told_of_no_connection(api: As, cast: Cast, erp: Connection):
    response = api(cast.clerk).post("transactions", body())
    assert kind_of(response) == (404, "unknown-connection")


def test_full_inbox_is_told_with_the_time_to_come_again(source: Api, erp: Connection):
    configure(erp, most_pending=1)
    source.post("transactions", body("a"))
    response = source.post("transactions", body("b"))
    assert (response.status_code, int(response["Retry-After"]) > 0) == (429, True)
    assert source.post("transactions", body("a")).status_code == 200


def test_sender_that_times_out_and_repeats_ten_times_at_once_has_one_receivable(
    source: Api, simulator: RunningSimulator, time_machine: Any
):
    """Scenario B: in parallel, while it is on its way, and after an hour; the ERP does not help."""
    simulator.change_erp(honour_keys=False, deduplicate_references=False)
    answers = at_the_same_time([lambda: source.post("transactions", body())] * 10)
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [202]
    [location] = {answer["Location"] for answer in answers}

    simulator.fault("timeout_after", path="/erp/postings", times=1, seconds=0)
    intake.read_messages(limit=100, at=now())
    replays.carry_out_due()
    assert {answer.json()["state"] for answer in [source.post("transactions", body()) for _ in range(3)]} == {
        "outcome_unknown"
    }
    work()
    again = at_the_same_time([lambda: source.post("transactions", body())] * 10)
    time_machine.move_to(now() + timedelta(hours=1))
    again += at_the_same_time([lambda: source.post("transactions", body())] * 10)
    work()

    [effect] = simulator.effects
    assert (effect["type"], effect["business_key"]) == ("customer_invoice", "NL01|4900001234")
    reference = f"{effect['document']}/{effect['fiscal_year']}"
    assert {(answer.status_code, answer["Location"]) for answer in again} == {(200, location)}
    assert {(answer.json()["state"], answer.json()["reference"]) for answer in again} == {("delivered", reference)}
    assert Transaction.objects.count() == InboxMessage.objects.count() == 1


def test_repeats_under_identifiers_of_their_own_all_get_the_first_result(source: Api, simulator: RunningSimulator):
    answers = at_the_same_time([partial(source.post, "transactions", body(f"deal-{n}")) for n in range(10)])
    at_the_same_time([lambda: intake.read_messages(limit=10, at=now())] * 4)
    work()

    [effect] = simulator.effects
    documents = [source.get(answer["Location"]).json() for answer in answers]
    assert {document["reference"] for document in documents} == {f"{effect['document']}/{effect['fiscal_year']}"}
    assert sorted(document["state"] for document in documents) == ["delivered"] + ["duplicate"] * 9
    [first] = {document["duplicate_of"]["ref"] for document in documents if document["duplicate_of"]}
    assert Transaction.objects.get(state="delivered").ref == first


def test_reading_has_a_tag_and_answers_304_while_nothing_changed(source: Api):
    address = source.post("transactions", body())["Location"]
    first = source.get(address)
    assert source.get(address, if_none_match=first["ETag"]).status_code == 304
    work()
    after = source.get(address, if_none_match=first["ETag"])
    assert (after.status_code, after["ETag"] != first["ETag"], after.json()["state"]) == (200, True, "delivered")


def test_long_poll_answers_as_soon_as_it_is_delivered(source: Api, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(polling, "EVERY", 0.01)
    address = source.post("transactions", body())["Location"]
    answer, _ = at_the_same_time([lambda: source.get(address, {"wait": "20"}), work])
    assert answer.json()["state"] == "delivered"
    assert source.get(address, {"wait": "20"}).json()["state"] == "delivered"


def test_long_poll_gives_up_after_its_time_and_takes_no_unlimited_number_of_threads(
    source: Api, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(polling, "EVERY", 0.01)
    address = source.post("transactions", body())["Location"]
    assert source.get(address, {"wait": "1"}).json()["state"] == "checking"
    for _ in range(polling.MOST_AT_ONCE):
        assert polling._WAITING.acquire(blocking=False)
    try:
        assert source.get(address, {"wait": "20"}).json()["state"] == "checking"
    finally:
        polling._WAITING.release(polling.MOST_AT_ONCE)
    assert source.get(address, {"wait": "21"}).status_code == 400


def test_list_is_filtered_and_holds_what_may_be_seen(api: As, cast: Cast, source: Api, conforms: Conforms):
    source.post("transactions", body("a"))
    work()
    source.post("transactions", body("b", journal()))

    page = source.get("transactions").json()
    conforms(page, "TransactionPage")
    assert [one["id"] for one in page["results"]] == ["b", "a"]
    assert [one["id"] for one in source.get("transactions", {"state": "delivered"}).json()["results"]] == ["a"]
    assert source.get("transactions", {"connection": "nowhere"}).json()["results"] == []
    assert source.get("transactions", {"since": (now() + timedelta(hours=1)).isoformat()}).json()["results"] == []
    assert source.get("transactions", {"state": "gone"}).status_code == 400
    assert source.get("transactions", {"since": "yesterday"}).status_code == 400
    # What was not read yet belongs to no queue; people see it once it does.
    assert [one["id"] for one in api(cast.clerk).get("transactions").json()["results"]] == ["a"]
    assert api(cast.outsider).get("transactions").json()["results"] == []
    assert api(cast.administrator).get("transactions").json()["results"] == []


def test_whoever_merely_configures_the_connection_sees_neither_number_nor_amount(api: As, cast: Cast, source: Api):
    address = source.post("transactions", body())["Location"]
    work()
    grant_connection("configure_connection", cast.administrator, cast.connection, by=machine(SETUP), at=MORNING)
    seen = api(cast.administrator).get(address).json()
    assert (seen["state"], seen["document_number"], seen["business_key"], seen["amount"]) == ("delivered", "", "", None)
    assert api(cast.outsider).get(address).status_code == 404
    assert api(cast.support).get(address).json()["document_number"] == "4900001234"


def test_handing_over_and_reading_take_a_fixed_number_of_queries(source: Api, django_assert_max_num_queries: Any):
    with django_assert_max_num_queries(16) as one:
        address = source.post("transactions", body("one"))["Location"]
    many = [body(f"many-{number}") for number in range(50)]
    with django_assert_max_num_queries(len(one)):
        source.post("transactions", {"transactions": many})
    with django_assert_max_num_queries(6):
        source.get(address)
    with django_assert_max_num_queries(6):
        source.get("transactions")
