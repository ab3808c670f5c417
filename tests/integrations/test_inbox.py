from datetime import timedelta
from functools import partial
from operator import attrgetter
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now

from audit.models import AuditEvent
from audit.queries import timeline
from integrations import inbox
from integrations.models import Connection, InboxContent, InboxMessage
from tests.arrivals import configure, handed_in, receive
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time

pytestmark = pytest.mark.django_db

OTHER = b"<Invoice>another</Invoice>"


@pytest.fixture(autouse=True)
def leases_that_end_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "READER_LEASE", timedelta(hours=1))


def actions_of(message: InboxMessage) -> list[tuple[str, str, str]]:
    return [(event.action, event.actor, event.actor_kind) for event in timeline(f"message:{message.pk}")]


def test_message_is_kept_byte_for_byte_with_its_audit_event(cast: Cast):
    message = handed_in(
        payload=b"\xff\x00 any bytes",
        refusal=b"\x00\xfe",
        refusal_status=422,
        refusal_headers={"Retry-After": "5"},
        context={"run": "7"},
    )
    receipt = receive(cast.connection, message)

    kept = InboxContent.objects.get()
    assert (receipt.is_repeat, receipt.conflict, receipt.message.status) == (False, False, "pending")
    assert (bytes(kept.payload), bytes(kept.refusal)) == (b"\xff\x00 any bytes", b"\x00\xfe")
    assert (kept.refusal_status, kept.refusal_headers, kept.context) == (422, {"Retry-After": "5"}, {"run": "7"})
    assert actions_of(receipt.message) == [("message.received", "source", "person")]


def test_message_from_a_folder_is_the_work_of_a_machine(cast: Cast):
    receipt = receive(cast.connection, by="folder:tax-authority")
    assert actions_of(receipt.message) == [("message.received", "folder:tax-authority", "machine")]


@pytest.mark.django_db(transaction=True)
def test_same_message_a_hundred_times_at_once_is_kept_once(cast: Cast):
    receipts = at_the_same_time([lambda: receive(cast.connection)] * 100)

    message = InboxMessage.objects.get()
    assert [receipt.is_repeat for receipt in receipts].count(False) == 1
    assert {receipt.message.pk for receipt in receipts} == {message.pk}
    assert (message.repeats, message.status, InboxContent.objects.count()) == (99, "pending", 1)
    assert AuditEvent.objects.filter(action="message.received").count() == 1


@pytest.mark.django_db(transaction=True)
def test_same_identifier_with_different_contents_at_once_keeps_all_and_reads_one(cast: Cast):
    contents = [f"<Invoice>{number}</Invoice>".encode() for number in range(10)]
    messages = [handed_in(payload=content) for content in contents]
    receipts = at_the_same_time([partial(receive, cast.connection, message) for message in messages])

    assert [receipt.conflict for receipt in receipts].count(False) == 1
    assert InboxMessage.objects.filter(status="pending").count() == 1
    assert sorted(bytes(kept.payload) for kept in InboxContent.objects.all()) == contents


def test_same_identifier_with_other_content_is_a_failure_and_the_first_stays(cast: Cast):
    first = receive(cast.connection).message
    second = receive(cast.connection, handed_in(payload=OTHER))

    first.refresh_from_db()
    assert (second.conflict, second.is_repeat) == (True, False)
    assert (first.status, second.message.status) == ("pending", "failed")
    assert (second.message.problem, second.message.problem_field) == (
        "The identifier “message-1” came before with other content.",
        "id",
    )
    assert "under a new one" in second.message.remedy
    assert bytes(second.message.content.payload) == OTHER
    assert [action for action, *_ in actions_of(second.message)] == ["message.received", "message.failed"]


def test_same_document_refused_for_another_reason_is_another_message(cast: Cast):
    receive(cast.connection)
    second = receive(cast.connection, handed_in("message-2", refusal=b"<other/>"))
    assert second.is_repeat is False
    assert handed_in().sha256 != handed_in(refusal=b"<other/>").sha256
    assert handed_in(refusal=b"", refusal_status=504).sha256 != handed_in(refusal=b"", refusal_status=422).sha256


def test_document_that_is_to_be_delivered_is_no_repeat_of_the_same_one_refused(cast: Cast):
    refused = receive(cast.connection, handed_in("m-1", refusal=b"")).message
    deliver = receive(cast.connection, handed_in("m-1", refusal=b"", purpose=InboxMessage.Purpose.DELIVER))
    assert (deliver.is_repeat, deliver.conflict) == (False, True)
    assert (refused.purpose, deliver.message.purpose) == ("refused", "deliver")


def test_same_identifier_from_another_connection_is_another_message(cast: Cast, other_connection: Connection):
    receive(cast.connection)
    assert receive(other_connection).is_repeat is False


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"external_id": ""}, "id", "no usable identifier"),
        ({"external_id": "  "}, "id", "no usable identifier"),
        ({"external_id": "x" * 201}, "id", "no usable identifier"),
        ({"external_id": "a\x00b"}, "id", "no usable identifier"),
        ({"external_id": "a\nb"}, "id", "no usable identifier"),
        ({"external_id": "\udcff"}, "id", "no usable identifier"),
        ({"payload_media_type": "x" * 101}, "payload.media_type", "media type"),
        ({"refusal_media_type": "text/\x00"}, "refusal.media_type", "media type"),
        ({"payload": b"x" * 1001}, "payload", "1,001 bytes"),
        ({"refusal": b"x" * 1001}, "refusal", "1,001 bytes"),
    ],
)
def test_unusable_message_is_refused_with_its_field_and_what_to_do(
    cast: Cast, changes: dict[str, Any], field: str, says: str
):
    cast.connection.max_bytes = 1000
    given: dict[str, Any] = {"payload": b"<Invoice/>", "refusal": b"", **changes}
    with pytest.raises(inbox.MessageRefused) as refused:
        receive(cast.connection, handed_in(given.pop("external_id", "message-1"), **given))
    assert refused.value.field == field
    assert says in refused.value.problem
    assert refused.value.remedy != ""
    assert not InboxMessage.objects.exists()


def test_empty_payload_is_refused(cast: Cast):
    with pytest.raises(inbox.MessageRefused) as refused:
        receive(cast.connection, inbox.HandedIn("message-1", b"", "application/xml"))
    assert (refused.value.field, refused.value.problem) == ("payload", "The payload is empty.")


def test_claim_counts_the_try_and_lets_nobody_else_have_it_for_a_while(cast: Cast):
    message = receive(cast.connection).message
    assert inbox.claim() == inbox.Claim(message.pk, 1)
    assert inbox.claim() is None
    message.refresh_from_db()
    assert message.claims == 1

    InboxMessage.objects.update(claimed_until=Now() - timedelta(seconds=1))
    assert inbox.claim() == inbox.Claim(message.pk, 2)


@pytest.mark.django_db(transaction=True)
def test_claims_at_once_take_different_messages(cast: Cast):
    messages = [receive(cast.connection, handed_in(f"message-{number}")).message for number in range(6)]
    claims = at_the_same_time([inbox.claim] * 6)
    assert sorted(claims, key=attrgetter("message_id")) == [inbox.Claim(message.pk, 1) for message in messages]


def test_message_that_was_read_is_nobodys(cast: Cast):
    message = receive(cast.connection).message
    claim = inbox.claim()
    assert claim is not None
    inbox.processed(message, at=MORNING)
    with inbox.claimed(claim) as found:
        assert found is None


def test_message_is_a_failure_after_its_reader_broke_off_three_times(cast: Cast):
    message = receive(cast.connection).message
    for claims, status in ((1, "pending"), (2, "pending"), (3, "failed")):
        message.claims = claims
        inbox.failed_unexpectedly(message, at=MORNING)
        assert message.status == status
    assert message.problem == "The reader broke off on this message 3 times."


def test_read_again_gives_a_failure_back_to_the_reader(cast: Cast):
    message = failure(cast)
    inbox.claim()
    read = inbox.read_again(message.pk, by="ada", at=MORNING)

    assert (read.status, read.claims, inbox.claim()) == ("pending", 0, inbox.Claim(message.pk, 1))
    assert actions_of(message)[-1] == ("message.read_again", "ada", "person")


def test_set_aside_needs_a_reason_and_keeps_the_message(cast: Cast):
    message = failure(cast)
    with pytest.raises(inbox.MessageRefused) as refused:
        inbox.set_aside(message.pk, by="ada", at=MORNING, because=" ")
    assert refused.value.field == "because"

    inbox.set_aside(message.pk, by="ada", at=MORNING, because="A test of the source.")
    message.refresh_from_db()
    assert (message.status, bytes(message.content.payload)) == ("set_aside", OTHER)
    event = list(timeline(f"message:{message.pk}"))[-1]
    assert (event.action, event.because) == ("message.set_aside", "A test of the source.")


@pytest.mark.parametrize("status", ["pending", "processed", "set_aside"])
def test_only_a_failure_can_be_read_again_or_set_aside(cast: Cast, status: str):
    message = failure(cast)
    InboxMessage.objects.filter(pk=message.pk).update(status=status)
    with pytest.raises(inbox.MessageRefused):
        inbox.read_again(message.pk, by="ada", at=MORNING)
    with pytest.raises(inbox.MessageRefused):
        inbox.set_aside(message.pk, by="ada", at=MORNING, because="Enough.")


@pytest.mark.django_db(transaction=True)
def test_failure_is_read_again_once_by_two_people_at_once(cast: Cast):
    message = failure(cast)
    outcomes = at_the_same_time([lambda: inbox.read_again(message.pk, by="ada", at=MORNING)] * 2)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InboxMessage", "MessageRefused"]


def failure(cast: Cast) -> InboxMessage:
    with transaction.atomic():
        receive(cast.connection)
        message = receive(cast.connection, handed_in(payload=OTHER)).message
        InboxMessage.objects.exclude(pk=message.pk).update(status="processed")
    return message


@pytest.fixture
def other_connection(cast: Cast) -> Connection:
    return configure(Connection(slug="another", name="Another", connector="en16931"))
