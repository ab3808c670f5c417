import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from audit.queries import timeline
from exceptions_app import intake
from exceptions_app.actions.connections import save_configuration
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ExceptionCase, Identifier, Occurrence, PayloadVersion, Route
from exceptions_app.states import State
from integrations import inbox
from integrations.connectors.base import IncomingMessage
from integrations.connectors.registry import CONNECTORS
from integrations.models import InboxContent, InboxMessage
from integrations.refusals import RefusedTransaction
from tests.arrivals import configure, handed_in, receive, refused_invoice, take_in
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.factories import dismiss
from tests.invoices import valid_invoice

pytestmark = pytest.mark.django_db

CLEAR = "A second person must clear it."


@pytest.fixture(autouse=True)
def leases_that_end_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no second claim makes up for a message that its reader missed."""
    monkeypatch.setattr(inbox, "READER_LEASE", timedelta(hours=1))


def read_all() -> int:
    return intake.read_messages(limit=200, at=MORNING)


def test_refused_invoice_becomes_an_exception_with_all_that_is_known_of_it(cast: Cast):
    message = receive(cast.connection).message
    assert read_all() == 1

    case = ExceptionCase.objects.get()
    message.refresh_from_db()
    occurrence = Occurrence.objects.get()
    version = PayloadVersion.objects.get()
    assert (case.state, case.kind, case.category) == (State.NEW, "failed", "compliance")
    assert (case.queue, case.entity, case.follows) == (cast.einvoicing, cast.netherlands, None)
    assert (case.document_number, case.currency, case.document_date) == ("INV-1001", "EUR", None)
    assert (message.status, message.problem) == ("processed", "")
    assert (version.number, version.author, bytes(version.content)) == (1, None, refused_invoice())
    assert [(error["code"], error["term"]) for error in occurrence.errors] == [("BR-03", "BT-2")]
    [opened] = timeline(case.subject)
    assert (opened.action, opened.actor, opened.data["errors"]) == ("case.opened", "machine:intake", ["BR-03"])


@pytest.mark.django_db(transaction=True)
def test_same_message_a_hundred_times_at_once_is_one_exception(cast: Cast):
    def arrive() -> None:
        receive(cast.connection)
        read_all()

    outcomes = at_the_same_time([arrive] * 100)
    assert [outcome for outcome in outcomes if outcome is not None] == []
    read_all()  # a reader leaves alone what is just being counted
    case, message = ExceptionCase.objects.get(), InboxMessage.objects.get()
    assert (case.occurrences_count, message.repeats, message.status, message.claims) == (1, 99, "processed", 1)


@pytest.mark.django_db(transaction=True)
def test_same_document_under_other_identifiers_at_once_is_one_exception_with_an_occurrence_each(cast: Cast):
    messages = [handed_in(f"message-{number}") for number in range(20)]
    for message in messages:
        receive(cast.connection, message)
    outcomes = at_the_same_time([read_all] * 8)

    assert sum(outcomes) == 20
    case = ExceptionCase.objects.get()
    assert (case.occurrences_count, Occurrence.objects.filter(case=case).count()) == (20, 20)
    assert set(InboxMessage.objects.values_list("status", "claims")) == {("processed", 1)}
    events = [event.action for event in timeline(case.subject)]
    assert (events.count("case.opened"), events.count("case.recurred")) == (1, 19)


def test_repeat_of_an_open_exception_is_noted_and_moves_nothing(cast: Cast):
    case = take_in(cast)
    receive(cast.connection, handed_in("message-2"), at=MORNING + timedelta(hours=1))
    read_all()

    case.refresh_from_db()
    assert (ExceptionCase.objects.count(), case.occurrences_count, case.state) == (1, 2, State.NEW)
    last = list(timeline(case.subject))[-1]
    assert (last.action, last.data["differs"]) == ("case.recurred", False)


def test_repeat_with_other_content_says_so_and_leaves_the_first_version(cast: Cast):
    case = take_in(cast)
    receive(cast.connection, handed_in("message-2", payload=refused_invoice(seed=2)))
    read_all()

    last = list(timeline(case.subject))[-1]
    assert "with other content" in last.summary
    assert last.data["differs"] is True
    assert bytes(PayloadVersion.objects.get(case=case).content) == refused_invoice()


def screened(name: str) -> bytes:
    hold = {"code": "SANCTIONS_HIT", "matched": name, "field": "BT-44", "list": "EU list", "score": 87}
    return json.dumps({"hold": hold}).encode()


def test_exceptions_of_one_cause_keep_their_own_words(cast: Cast):
    for number, name in (("INV-1", "Kowalczyk Trading House"), ("INV-2", "Aurora Shipping")):
        payload = valid_invoice(number)
        receive(cast.connection, handed_in(f"message-{number}", payload=payload, refusal=screened(name)))
    read_all()

    first, second = ExceptionCase.objects.order_by("id")
    found = "Sanctions screening found a possible match"
    assert first.problem == f"{found} with “Kowalczyk Trading House” (list EU list, score 87). {CLEAR}"
    assert second.problem == f"{found} with “Aurora Shipping” (list EU list, score 87). {CLEAR}"
    assert first.cause == second.cause
    assert first.cause.title == f"{found}. {CLEAR}"


def test_repeat_with_another_refusal_brings_its_own_words(cast: Cast):
    case = take_in(cast)
    assert (case.problem, case.cause.code) == ("The issue date is missing.", "BR-03")
    receive(cast.connection, handed_in("message-2", refusal=b'{"code": "E-17", "message": "Closed on 3 May."}'))
    read_all()

    case.refresh_from_db()
    assert (case.problem, case.cause.code, case.cause.title) == ("Closed on 3 May.", "E-17", "Refused with E-17.")


def test_repeat_after_the_end_opens_an_exception_that_follows_the_old_one(cast: Cast):
    first = take_in(cast)
    dismiss(first, cast.clerk, approver=cast.controller)
    receive(cast.connection, handed_in("message-2"))
    read_all()

    second = ExceptionCase.objects.open().get()
    first.refresh_from_db()
    assert (second.follows, first.state) == (first, State.DISMISSED)
    assert next(iter(timeline(second.subject))).data["follows"] == first.ref


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"payload": b"not XML at all"}, "payload", ""),
        ({"payload": b"\x89PNG\r\n\x1a\n\x00"}, "payload", ""),
        ({"payload": b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"}, "payload", "DOCTYPE"),
        ({"payload": b"<Order/>"}, "payload", ""),
        ({"payload": b"<a>" * 5000}, "payload", ""),
        ({"refusal": b"<not-a-report/>"}, "refusal", ""),
        ({"refusal": b'{"code": NaN}', "refusal_media_type": "application/json"}, "refusal", ""),
        ({"refusal": b"", "refusal_media_type": ""}, "refusal", ""),
    ],
)
def test_what_cannot_be_understood_is_a_failure_with_its_original_and_what_to_do(
    cast: Cast, changes: dict[str, Any], field: str, says: str
):
    receive(cast.connection, handed_in(**changes))
    read_all()

    message = InboxMessage.objects.get()
    assert (message.status, message.problem_field) == ("failed", field)
    assert message.problem != ""
    assert says in message.problem
    assert message.remedy != ""
    assert bytes(InboxContent.objects.get().payload) == changes.get("payload", refused_invoice())
    assert [event.action for event in timeline(f"message:{message.pk}")] == ["message.received", "message.failed"]
    assert not ExceptionCase.objects.exists()


def test_reading_goes_on_past_bad_messages(cast: Cast):
    for number in range(3):
        receive(cast.connection, handed_in(f"bad-{number}", payload=b"nonsense"))
        receive(cast.connection, handed_in(f"good-{number}", number=f"INV-{number}"))
    assert read_all() == 6
    assert sorted(ExceptionCase.objects.values_list("document_number", flat=True)) == ["INV-0", "INV-1", "INV-2"]
    assert InboxMessage.objects.filter(status="failed").count() == 3


def test_limit_is_kept(cast: Cast):
    for number in range(3):
        receive(cast.connection, handed_in(f"bad-{number}", payload=b"nonsense"))
    assert intake.read_messages(limit=2, at=MORNING) == 2
    assert InboxMessage.objects.filter(status="pending").count() == 1


def test_message_without_a_route_fails_and_is_read_once_there_is_one(cast: Cast):
    cast.route.party_id = "nobody"
    save_configuration(cast.route, by=machine(SETUP), at=MORNING)
    message = receive(cast.connection).message
    read_all()
    message.refresh_from_db()
    assert (message.status, message.problem_field) == ("failed", "connection")
    assert "No route leads" in message.problem

    route = Route(position=2, queue=cast.holds, entity=cast.germany, priority=2)
    save_configuration(route, by=machine(SETUP), at=MORNING)
    inbox.read_again(message.pk, by="ada", at=MORNING)
    assert read_all() == 1
    message.refresh_from_db()
    assert ExceptionCase.objects.get().queue == cast.holds
    assert (message.status, message.problem, message.remedy) == ("processed", "", "")


def test_message_for_a_connector_that_is_gone_fails(cast: Cast):
    configure(cast.connection, connector="gone")
    receive(cast.connection)
    read_all()
    message = InboxMessage.objects.get()
    assert (message.status, message.problem_field) == ("failed", "connection")
    assert "'gone'" in message.problem


class BrokenReader:
    """A connector with a fault of its own, which no message can be blamed for."""

    def __init__(self) -> None:
        self.tries = 0

    def parse(self, message: IncomingMessage) -> list[RefusedTransaction]:
        self.tries += 1
        raise ZeroDivisionError


@contextmanager
def connector(cast: Cast, reader: Any) -> Iterator[Any]:
    CONNECTORS["broken"] = reader
    configure(cast.connection, connector="broken")
    try:
        yield reader
    finally:
        del CONNECTORS["broken"]


def let_leases_end() -> None:
    InboxMessage.objects.update(claimed_until=Now() - timedelta(seconds=1))


def test_reader_that_breaks_off_is_tried_three_times_and_then_a_failure(cast: Cast):
    with connector(cast, BrokenReader()) as broken:
        message = receive(cast.connection).message
        for _ in range(5):
            read_all()
            let_leases_end()
    message.refresh_from_db()
    assert broken.tries == 3
    assert (message.status, message.claims) == ("failed", 3)
    assert "broke off" in message.problem
    assert message.remedy != ""


class DyingReader(BrokenReader):
    """Takes the whole process with it, as far as a test can show that: nothing after it is carried out."""

    def parse(self, message: IncomingMessage) -> list[RefusedTransaction]:
        self.tries += 1
        raise SystemExit


@pytest.mark.django_db(transaction=True)
def test_message_that_kills_its_readers_is_a_failure_after_three_and_others_go_on(cast: Cast):
    with connector(cast, DyingReader()) as dying:
        message = receive(cast.connection).message
        for _ in range(3):
            with pytest.raises(SystemExit):
                read_all()
            assert read_all() == 0  # nobody tries again at once
            let_leases_end()
        configure(cast.connection, connector="en16931")
        receive(cast.connection, handed_in("message-2"))
        assert read_all() == 2
    message.refresh_from_db()
    assert (dying.tries, message.status) == (3, "failed")
    assert ExceptionCase.objects.get().occurrences.get().inbox_message.external_id == "message-2"


def test_exception_is_found_by_number_buyer_and_message(cast: Cast):
    case = take_in(cast)
    labels = set(Identifier.objects.filter(case=case).values_list("label", flat=True))
    assert {"Invoice number", "Buyer", "Seller", "Message"} <= labels


def test_refusal_that_leaves_the_outcome_open_is_marked_so(cast: Cast):
    receive(cast.connection, handed_in(refusal=b"", refusal_media_type="", refusal_status=504))
    read_all()
    assert Occurrence.objects.get().definitive is False


def test_number_too_long_for_any_system_is_a_clear_failure(cast: Cast):
    payload = refused_invoice().replace(b">INV-1001<", b">" + b"9" * 400 + b"<", 1)
    assert payload != refused_invoice()
    receive(cast.connection, handed_in(payload=payload))
    read_all()
    message = InboxMessage.objects.get()
    assert (message.status, message.problem_field) == ("failed", "payload")
    assert "longer than 300 characters" in message.problem


@pytest.mark.parametrize("amount", [b"999999999999999999999999.99", b"1E+30", b"-0.0000001", b"NaN", b"1_000"])
def test_amount_that_no_column_holds_stops_no_reader(cast: Cast, amount: bytes):
    payload = refused_invoice()
    start = payload.index(b">", payload.index(b"<cbc:TaxInclusiveAmount")) + 1
    payload = payload[:start] + amount + payload[payload.index(b"<", start) :]
    receive(cast.connection, handed_in(payload=payload))
    read_all()
    message = InboxMessage.objects.get()
    assert message.status in ("processed", "failed")
    assert "broke off" not in message.problem
