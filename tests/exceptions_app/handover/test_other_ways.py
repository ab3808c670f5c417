"""What came in by another way first, and is handed over by the API as well."""

import pytest

from exceptions_app.actions.hand_over import HandedOver, hand_over
from exceptions_app.models import Transaction
from integrations import inbox
from integrations.models import Connection, InboxMessage
from integrations.receiving import Arrival
from tests.cast import MORNING
from tests.concurrency import at_the_same_time
from tests.exceptions_app.delivering import work_until_done
from tests.exceptions_app.handover.handing_over import document, now_of, read_all
from tests.simulator_process import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)


def test_senders_and_a_reader_of_one_webhook_begin_one_transaction(erp: Connection, simulator: RunningSimulator):
    received = inbox.receive(erp, document(), via=InboxMessage.Via.HOOK, by="hook", at=MORNING)

    outcomes = at_the_same_time(
        [*[lambda: hand_over([Arrival(erp, document())], by="crm", at=MORNING)] * 8, read_all, read_all]
    )
    read_all()  # a reader passes over what a sender has locked at that moment
    work_until_done()

    transaction = Transaction.objects.get(inbox_message=received.message)
    told = [one.transaction for outcome in outcomes[:8] for one in outcome if isinstance(one, HandedOver)]
    assert told == [transaction] * 8
    assert outcomes[8:] == [None, None]
    assert (now_of(transaction).state, len(simulator.effects)) == ("delivered", 1)
