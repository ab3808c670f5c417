import hashlib
from typing import Any

import pytest
from django.db import transaction

from integrations import outbox
from integrations.models import Delivery, DeliveryContent
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time

pytestmark = pytest.mark.django_db


def enqueue(cast: Cast, **changes: Any) -> Delivery:
    given = {
        "connection": cast.connection,
        "operation": Delivery.Operation.SUBMIT,
        "object_type": "invoice",
        "business_key": "NL1|INV-1001",
        "content": b"<Invoice/>",
        "media_type": "application/xml",
        "subject": "case:EX-1001",
        "probe_first": False,
        "at": MORNING,
        **changes,
    }
    with transaction.atomic():
        return outbox.enqueue(**given)


def end(delivery: Delivery, state: Delivery.State) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(state=state)


def test_delivery_is_queued_with_its_bytes_hash_and_key(cast: Cast):
    delivery = enqueue(cast)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.epoch, delivery.sends, delivery.claims) == ("queued", 0, 0, 0)
    assert delivery.content_sha256 == hashlib.sha256(b"<Invoice/>").hexdigest()
    assert bytes(delivery.content.body) == b"<Invoice/>"
    assert delivery.key == outbox.idempotency_key(
        connection="tax-authority",
        operation="submit",
        object_type="invoice",
        business_key="NL1|INV-1001",
        content_sha256=delivery.content_sha256,
    )


@pytest.mark.parametrize("part", ["connection", "operation", "object_type", "business_key", "content_sha256"])
def test_key_differs_with_every_part_and_with_nothing_else(part: str):
    parts = dict.fromkeys(("connection", "operation", "object_type", "business_key", "content_sha256"), "a")
    assert outbox.idempotency_key(**parts) == outbox.idempotency_key(**parts)
    assert outbox.idempotency_key(**parts) != outbox.idempotency_key(**{**parts, part: "b"})


def test_key_does_not_change_when_a_part_ends_where_another_begins():
    parts = dict.fromkeys(("connection", "operation", "object_type", "business_key", "content_sha256"), "")
    one, other = {**parts, "object_type": "ab"}, {**parts, "object_type": "a", "business_key": "b"}
    assert outbox.idempotency_key(**one) != outbox.idempotency_key(**other)


@pytest.mark.django_db(transaction=True)
def test_enqueue_outside_a_transaction_is_refused(cast: Cast):
    with pytest.raises(RuntimeError, match="open one first"):
        outbox.enqueue(
            connection=cast.connection,
            operation=Delivery.Operation.SUBMIT,
            object_type="invoice",
            business_key="NL1|INV-1001",
            content=b"<Invoice/>",
            media_type="application/xml",
            subject="case:EX-1001",
            probe_first=False,
            at=MORNING,
        )
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("state", Delivery.LIVE)
def test_second_live_delivery_of_a_document_is_refused(cast: Cast, state: Delivery.State):
    end(enqueue(cast), state)
    with pytest.raises(outbox.AlreadyUnderWay, match="is being delivered"):
        enqueue(cast, content=b"<Invoice>corrected</Invoice>")
    assert Delivery.objects.count() == DeliveryContent.objects.count() == 1


@pytest.mark.parametrize("state", ["confirmed", "already_there"])
def test_bytes_that_were_delivered_go_by_the_same_key_when_they_come_again(cast: Cast, state: Delivery.State):
    first = enqueue(cast)
    end(first, state)
    assert (enqueue(cast).key, Delivery.objects.count()) == (first.key, 2)


@pytest.mark.parametrize("state", ["refused", "conflict", "cancelled"])
def test_bytes_that_came_to_nothing_may_be_tried_again_under_the_same_key(cast: Cast, state: Delivery.State):
    first = enqueue(cast)
    end(first, state)
    assert enqueue(cast).key == first.key


def test_write_back_and_submission_of_one_document_do_not_collide(cast: Cast):
    enqueue(cast)
    enqueue(cast, operation=Delivery.Operation.WRITE_BACK)
    assert Delivery.objects.values("key").distinct().count() == 2


@pytest.mark.django_db(transaction=True)
def test_document_enqueued_many_times_at_once_is_under_way_once(cast: Cast):
    outcomes = at_the_same_time([lambda: enqueue(cast)] * 10)
    assert sorted({type(outcome).__name__ for outcome in outcomes}) == ["AlreadyUnderWay", "Delivery"]
    assert Delivery.objects.count() == 1
