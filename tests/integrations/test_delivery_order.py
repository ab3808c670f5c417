"""Which deliveries a worker takes up first, and what a target or a source that hangs may keep waiting."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from exceptions_app.actions import connections
from exceptions_app.machines import SETUP, machine
from integrations import delivery as engine
from integrations.models import Connection, Delivery
from tests.cast import MORNING, Cast
from tests.integrations.enqueued import enqueue, let_leases_end

pytestmark = pytest.mark.django_db


def test_slow_target_keeps_one_worker_waiting_and_not_all(cast: Cast):
    other = Connection(slug="other", name="Other", connector="en16931")
    connections.save_configuration(other, by=machine(SETUP), at=MORNING)
    for number in range(6):
        enqueue(cast.connection, number)
    assert len(engine.claim(limit=4)) == 4
    assert engine.claim(limit=4) == []
    elsewhere = enqueue(other, 99)
    assert [claim.delivery for claim in engine.claim(limit=4)] == [elsewhere]
    let_leases_end()
    assert len(engine.claim(limit=4)) == 4


def test_source_that_hangs_keeps_no_document_of_its_connection_waiting(cast: Cast):
    for number in range(4):
        enqueue(cast.connection, number, operation=Delivery.Operation.WRITE_BACK)
    assert len(engine.claim(limit=4)) == 4
    waiting = enqueue(cast.connection, 8, operation=Delivery.Operation.WRITE_BACK)
    document = enqueue(cast.connection, 9)
    assert [claim.delivery for claim in engine.claim(limit=4)] == [document]
    assert engine.claim(limit=4) == []
    waiting.refresh_from_db()
    assert waiting.state == "queued"


def test_documents_are_claimed_first_and_not_together_with_words_to_a_source(cast: Cast):
    told = enqueue(cast.connection, 1, operation=Delivery.Operation.WRITE_BACK)
    document = enqueue(cast.connection, 2)
    assert [claim.delivery for claim in engine.claim(limit=4)] == [document]
    assert [claim.delivery for claim in engine.claim(limit=4)] == [told]


def test_half_of_a_claim_is_kept_for_what_may_have_been_sent_however_young(cast: Cast):
    first_sends = [enqueue(cast.connection, number).pk for number in range(8)]
    in_doubt = [enqueue(cast.connection, number).pk for number in range(8, 11)]
    Delivery.objects.update(due_at=Now() - timedelta(minutes=10))
    Delivery.objects.filter(pk__in=in_doubt).update(
        state=Delivery.State.UNKNOWN, sends=1, last_sent_at=Now(), due_at=Now()
    )
    assert [claim.delivery.pk for claim in engine.claim(limit=4)] == [*first_sends[:2], *in_doubt[:2]]
    assert [claim.delivery.pk for claim in engine.claim(limit=8)] == [*first_sends[2:], *in_doubt[2:]]
