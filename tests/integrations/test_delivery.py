"""The protocol of the worker: what an answer means, as a table, and who may hold a row, against the database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now

from exceptions_app.actions import connections
from exceptions_app.machines import SETUP, machine
from integrations import delivery as engine
from integrations import outbox
from integrations.connectors.base import Answer, AnswerKind, Capabilities, Observation, Presence, TargetKind
from integrations.models import Connection, Delivery, DeliveryAttempt
from integrations.refusals import Category, Refusal
from tests.arrivals import configure
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.integrations.enqueued import enqueue, let_leases_end

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
SETTLE = timedelta(seconds=5)
REFUSAL = Refusal(category=Category.COMPLIANCE, sub="", auto_retry=False, errors=())


def claim_of(*, sends: int = 0, failures: int = 0, sent: timedelta | None = None, **more: Any) -> engine.Claim:
    """A claim on a row that was sent `sends` times, the last time so long ago."""
    connection = Connection(pk=1, slug="target", resend_when_absent=more.pop("resend_when_absent", False))
    given: dict[str, Any] = {"operation": "submit", "connection": connection, **more}
    delivery = Delivery(pk=7, sends=sends, failures=failures, last_sent_at=NOW - sent if sent else None, **given)
    return engine.Claim(delivery, 3)


def capabilities(kind: TargetKind = TargetKind.DEDUPLICATES) -> Capabilities:
    return Capabilities(
        target_kind=kind,
        looked_up_by="number",
        settle_time=SETTLE,
        key_life=None,
        checks_natively=False,
        check_name="",
        already_exists=(),
        throttles=(),
    )


LONG_AGO = timedelta(minutes=1)
JUST_NOW = timedelta(seconds=2)


@pytest.mark.parametrize(
    ("presence", "sends", "state"),
    [
        (Presence.SAME, 0, "already_there"),
        (Presence.SAME, 1, "confirmed"),
        (Presence.SAME, 3, "confirmed"),
        (Presence.DIFFERENT, 0, "conflict"),
        (Presence.DIFFERENT, 2, "conflict"),
        (Presence.UNANSWERED, 0, "queued"),
        (Presence.UNANSWERED, 1, "unknown"),
        (Presence.MISCONFIGURED, 0, "queued"),
        (Presence.MISCONFIGURED, 1, "unknown"),
        (Presence.ABSENT, 0, None),
        (Presence.ABSENT, 1, None),
    ],
)
def test_after_asking(presence: Presence, sends: int, state: str | None):
    seen = Observation(presence, reference="CLR-1", detail="As said.")
    settlement = engine.after_asking(claim_of(sends=sends, sent=LONG_AGO), seen, capabilities(), now=NOW)
    assert (settlement.state if settlement else None) == state
    if settlement is not None:
        assert settlement.epoch == 3
        learned = presence in (Presence.SAME, Presence.DIFFERENT)
        assert settlement.reference == ("CLR-1" if learned else "")
        pause = "As said. Mend the connection, then resume it." if presence is Presence.MISCONFIGURED else ""
        assert settlement.pause_connection == pause


@pytest.mark.parametrize(
    ("kind", "opted_in", "sent", "may_send"),
    [
        (TargetKind.DEDUPLICATES, False, LONG_AGO, True),
        (TargetKind.DEDUPLICATES, False, JUST_NOW, False),
        (TargetKind.UPSERTS, False, LONG_AGO, True),
        (TargetKind.UPSERTS, False, JUST_NOW, False),
        (TargetKind.ASKABLE, False, LONG_AGO, False),
        (TargetKind.ASKABLE, True, LONG_AGO, True),
        (TargetKind.ASKABLE, True, JUST_NOW, False),
        (TargetKind.NEITHER, False, LONG_AGO, False),
        (TargetKind.NEITHER, True, LONG_AGO, False),
    ],
)
def test_absent_after_a_send_is_sent_again_only_where_it_is_safe(
    kind: TargetKind, opted_in: bool, sent: timedelta, may_send: bool
):
    claim = claim_of(sends=1, sent=sent, resend_when_absent=opted_in)
    settlement = engine.after_asking(claim, Observation(Presence.ABSENT), capabilities(kind), now=NOW)
    assert (settlement is None) is may_send
    if settlement is not None and sent == JUST_NOW:
        assert (settlement.state, settlement.wait) == ("unknown", SETTLE - sent)
    elif settlement is not None:
        assert settlement.state == "cancelled"  # for two people to propose anew
        assert "does not recognise a repeat" in settlement.detail


@pytest.mark.parametrize("kind", TargetKind)
def test_absent_before_any_send_may_be_sent_to_every_kind_of_target(kind: TargetKind):
    assert engine.after_asking(claim_of(), Observation(Presence.ABSENT), capabilities(kind), now=NOW) is None


@pytest.mark.parametrize(
    ("kind", "sends", "state", "not_sent", "pauses"),
    [
        (AnswerKind.CONFIRMED, 1, "confirmed", False, False),
        (AnswerKind.REFUSED, 1, "refused", False, False),
        (AnswerKind.NOT_SENT, 1, "queued", True, False),
        (AnswerKind.NOT_SENT, 2, "unknown", True, False),
        (AnswerKind.MISCONFIGURED, 1, "queued", False, True),
        (AnswerKind.MISCONFIGURED, 2, "unknown", False, True),
        (AnswerKind.UNKNOWN, 1, "unknown", False, False),
        (AnswerKind.UNKNOWN, 2, "unknown", False, False),
    ],
)
def test_after_sending(kind: AnswerKind, sends: int, state: str, not_sent: bool, pauses: bool):
    answer = Answer(kind, reference="CLR-1", detail="As said.", refusal=REFUSAL)
    settlement = engine.after_sending(claim_of(sends=sends), answer)
    assert (settlement.state, settlement.not_sent, bool(settlement.pause_connection)) == (state, not_sent, pauses)
    assert settlement.reference == ("CLR-1" if kind is AnswerKind.CONFIRMED else "")
    assert settlement.refusal == (REFUSAL if kind is AnswerKind.REFUSED else None)
    assert (settlement.wait is None) is (kind in (AnswerKind.CONFIRMED, AnswerKind.REFUSED))


@pytest.mark.parametrize(("sends", "state"), [(1, "queued"), (2, "unknown")])
def test_connection_that_provably_let_nothing_through_counts_no_send(sends: int, state: str):
    answer = Answer(AnswerKind.MISCONFIGURED, detail="The token is wrong.", turned_away=True)
    settlement = engine.after_sending(claim_of(sends=sends), answer)
    assert (settlement.state, settlement.not_sent, bool(settlement.pause_connection)) == (state, True, True)


def test_source_that_cannot_be_told_does_not_keep_documents_from_the_target():
    answer = Answer(AnswerKind.MISCONFIGURED, detail="HTTP 404.")
    settlement = engine.after_sending(claim_of(sends=1, operation="write_back"), answer)
    assert (settlement.state, settlement.pause_connection) == ("queued", "")


@pytest.mark.parametrize(
    ("failures", "retry_after", "seconds"),
    [
        (0, None, 2),
        (1, None, 4),
        (5, None, 64),
        (8, None, 512),
        (9, None, 900),
        (500, None, 900),
        (0, 7.5, 7.5),
        (9, 30.0, 30),
        (0, 0.0, 1),
        (0, 7200.0, 7200),
        (0, 400_000.0, 86400),
    ],
)
def test_wait_doubles_is_bounded_and_honours_the_target(failures: int, retry_after: float | None, seconds: float):
    answer = Answer(AnswerKind.NOT_SENT, retry_after=retry_after)
    assert engine.after_sending(claim_of(sends=1, failures=failures), answer).wait == timedelta(seconds=seconds)


@pytest.mark.parametrize("timeout", [1, 10, 30])
def test_lease_outlasts_an_exchange_by_far(timeout: int):
    delivery = Delivery(connection=Connection(timeout_seconds=timeout))
    assert engine.lease_of(delivery) >= 2 * timedelta(seconds=2 * timeout)


def settle(claim: engine.Claim, state: str, **more: Any) -> Delivery | None:
    return engine.settle(engine.Settlement(claim.delivery, claim.epoch, Delivery.State(state), **more))


def test_claim_raises_the_epoch_and_hides_the_row_until_the_lease_ends(cast: Cast):
    delivery = enqueue(cast.connection)
    [claim] = engine.claim(limit=8)
    assert (claim.delivery, claim.epoch, claim.broke_off) == (delivery, 1, False)
    assert engine.claim(limit=8) == []

    delivery.refresh_from_db()
    assert (delivery.state, delivery.epoch, delivery.claims) == ("probing", 1, 1)
    assert delivery.lease_until == delivery.due_at
    let_leases_end()
    [again] = engine.claim(limit=8)
    assert again.epoch == 2


def test_claim_takes_what_is_due_oldest_first_and_no_more_than_asked(cast: Cast):
    numbers = [enqueue(cast.connection, number).pk for number in range(4)]
    Delivery.objects.filter(pk=numbers[3]).update(due_at=Now() - timedelta(hours=1))
    Delivery.objects.filter(pk=numbers[0]).update(due_at=Now() + timedelta(hours=1))
    claimed = [claim.delivery.pk for claim in engine.claim(limit=2)]
    assert claimed == [numbers[3], numbers[1]]


@pytest.mark.parametrize("state", ["confirmed", "already_there", "refused", "conflict", "cancelled"])
def test_what_has_ended_is_never_claimed(cast: Cast, state: str):
    delivery = enqueue(cast.connection)
    Delivery.objects.filter(pk=delivery.pk).update(state=state)
    assert engine.claim(limit=8) == []


def test_paused_connection_is_left_alone_until_it_is_resumed(cast: Cast):
    delivery = enqueue(cast.connection)
    other = enqueue(configure(Connection(slug="other", name="Other", connector="en16931")), 2)
    connections.pause(cast.connection.pk, by=machine(SETUP), at=MORNING, because="Maintenance.")
    assert [claim.delivery for claim in engine.claim(limit=8)] == [other]

    connections.resume(cast.connection.pk, by=machine(SETUP), at=MORNING)
    assert [claim.delivery for claim in engine.claim(limit=8)] == [delivery]


@pytest.mark.django_db(transaction=True)
def test_workers_at_the_same_time_claim_different_rows(cast: Cast):
    expected = {enqueue(cast.connection, number).pk for number in range(30)}
    batches: Sequence[list[engine.Claim]] = at_the_same_time([lambda: engine.claim(limit=5)] * 8)
    claimed = [claim.delivery.pk for batch in batches for claim in batch]
    assert len(claimed) == len(set(claimed))
    claimed += [claim.delivery.pk for claim in engine.claim(limit=30)]
    assert sorted(claimed) == sorted(expected)


def test_stale_worker_writes_nothing(cast: Cast):
    enqueue(cast.connection)
    [stale] = engine.claim(limit=1)
    let_leases_end()
    [current] = engine.claim(limit=1)

    assert settle(stale, "confirmed", reference="CLR-STALE") is None
    with pytest.raises(engine.Fenced):
        engine.begin(stale, DeliveryAttempt.Phase.SEND, Delivery.State.SENDING)
    assert not DeliveryAttempt.objects.exists()
    settled = settle(current, "confirmed", reference="CLR-1")
    assert settled is not None
    assert (settled.reference, settled.sends) == ("CLR-1", 0)


def test_what_is_settled_is_settled_once(cast: Cast):
    enqueue(cast.connection)
    [claim] = engine.claim(limit=1)
    assert settle(claim, "refused") is not None
    assert settle(claim, "confirmed") is None
    assert Delivery.objects.get().state == "refused"


def test_intent_is_committed_with_its_count_before_the_send(cast: Cast):
    delivery = enqueue(cast.connection)
    [claim] = engine.claim(limit=1)
    engine.begin(claim, DeliveryAttempt.Phase.SEND, Delivery.State.SENDING)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.sends) == ("sending", 1)
    assert delivery.last_sent_at is not None
    attempt = DeliveryAttempt.objects.get()
    assert (attempt.epoch, attempt.phase, attempt.content_sha256) == (1, "send", delivery.content_sha256)


def test_send_that_never_left_does_not_count(cast: Cast):
    delivery = enqueue(cast.connection)
    [claim] = engine.claim(limit=1)
    engine.begin(claim, DeliveryAttempt.Phase.SEND, Delivery.State.SENDING)
    engine.settle(engine.after_sending(claim, Answer(AnswerKind.NOT_SENT, detail="No connection.")))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.sends, delivery.failures, delivery.detail) == ("queued", 0, 1, "No connection.")
    let_leases_end()
    [again] = engine.claim(limit=1)
    assert engine.must_ask_first(again) is False


@pytest.mark.parametrize(
    ("probe_first", "sends", "operation", "asks"),
    [
        (False, 0, "submit", False),
        (True, 0, "submit", True),
        (False, 1, "submit", True),
        (True, 2, "submit", True),
        (False, 1, "write_back", False),
    ],
)
def test_target_is_asked_first_unless_nothing_can_be_there(probe_first: bool, sends: int, operation: str, asks: bool):
    assert engine.must_ask_first(claim_of(probe_first=probe_first, sends=sends, operation=operation)) is asks


def test_failures_and_claims_end_with_a_settlement(cast: Cast):
    delivery = enqueue(cast.connection)
    for failures in (1, 2, 3):
        [claim] = engine.claim(limit=1)
        settle(claim, "unknown", wait=timedelta(seconds=0))
        let_leases_end()
        delivery.refresh_from_db()
        assert (delivery.failures, delivery.claims) == (failures, 0)
    [claim] = engine.claim(limit=1)
    settle(claim, "confirmed")
    delivery.refresh_from_db()
    assert (delivery.failures, delivery.claims, delivery.lease_until) == (0, 0, None)
    assert delivery.finished_at is not None


def test_wait_is_by_the_clock_of_the_database(cast: Cast):
    delivery = enqueue(cast.connection)
    [claim] = engine.claim(limit=1)
    settle(claim, "unknown", wait=timedelta(hours=1))
    assert engine.claim(limit=1) == []
    assert Delivery.objects.filter(pk=delivery.pk, due_at__gt=Now() + timedelta(minutes=59)).exists()


def test_delivery_that_three_workers_did_not_survive_is_set_before_a_person(cast: Cast):
    delivery = enqueue(cast.connection)
    for _ in range(engine.MAX_CLAIMS):
        [claim] = engine.claim(limit=1)
        assert claim.broke_off is False
        let_leases_end()
    [fourth] = engine.claim(limit=1)
    assert fourth.broke_off is True

    engine.settle(engine.park(fourth))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.claims) == ("queued", 0)
    assert "broke off on this 3 times. Nothing was sent." in delivery.detail
    assert Delivery.objects.filter(due_at__gt=Now() + timedelta(minutes=59)).exists()


def test_parked_delivery_says_when_it_may_have_been_sent(cast: Cast):
    settlement = engine.park(claim_of(sends=1))
    assert settlement.state == "unknown"
    assert "It may have been sent." in settlement.detail


def test_second_confirmation_under_one_name_is_a_conflict_and_keeps_both_references(cast: Cast):
    first = enqueue(cast.connection)
    [claim] = engine.claim(limit=8)
    assert settle(claim, "confirmed", reference="CLR-1") is not None
    with transaction.atomic():
        second = outbox.enqueue(
            connection=cast.connection,
            operation=Delivery.Operation.SUBMIT,
            object_type="invoice",
            business_key=first.business_key,
            content=b"<Invoice>corrected</Invoice>",
            media_type="application/xml",
            subject="case:EX-2",
            probe_first=True,
            at=MORNING,
        )
    [claim] = engine.claim(limit=8)
    assert settle(claim, "confirmed", reference="CLR-2") is not None

    second.refresh_from_db()
    assert (second.state, second.reference) == ("conflict", "CLR-2")
    assert "a second time, as CLR-2; it had confirmed it as CLR-1 (case:EX-1)" in second.detail
