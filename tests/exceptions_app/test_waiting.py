"""An approved exception waits for what must come before it: shown, released by it, given to a person in the end."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.urls import reverse

from exceptions_app import intake
from exceptions_app.actions import waiting
from exceptions_app.actions.propose import propose_dismissal
from exceptions_app.actions.settle import settle
from exceptions_app.models import ExceptionCase, Proposal
from exceptions_app.states import Outcome, State
from integrations import delivery as engine
from integrations.models import Delivery
from tests.arrivals import approve_open, handed_in, mend, propose, receive
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import actions_of, submission

pytestmark = pytest.mark.django_db(transaction=True)  # deferred guards look at every state between


def arrive(cast: Cast, number: str, **more: Any) -> ExceptionCase:
    receive(cast.connection, handed_in(f"message-{number}", number=number, **more))
    assert intake.read_messages(limit=1, at=MORNING)
    return ExceptionCase.objects.open().get(document_number=number)


def approved(cast: Cast, case: ExceptionCase) -> ExceptionCase:
    """Corrected by the clerk, approved by the controller."""
    mend(case, by=cast.clerk)
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    case.refresh_from_db()
    return case


def close(cast: Cast, case: ExceptionCase) -> None:
    """By people, without being sent."""
    propose_dismissal(case.pk, outcome=Outcome.WRITTEN_OFF, by=cast.clerk, at=MORNING, because="Nobody wants it.")
    assert approve_open(case, by=cast.controller).state == State.DISMISSED


def deliver(cast: Cast, case: ExceptionCase) -> None:
    approved(cast, case)
    [claim] = engine.claim(limit=8)
    assert claim.delivery == submission(case)
    confirmed = engine.Settlement(claim.delivery, claim.epoch, Delivery.State.CONFIRMED, reference="CLR-1")
    assert settle(confirmed, at=MORNING)


def sweep() -> None:
    for delivery_id in waiting.waiting():
        waiting.release(delivery_id, at=MORNING)


def test_nothing_waits_that_was_given_no_order(cast: Cast):
    arrive(cast, "INV-1001")
    second = approved(cast, arrive(cast, "INV-1002"))
    assert (submission(second).waiting_for, submission(second).waits_until) == ("", None)


def test_second_of_an_order_waits_for_the_first_and_says_so(cast: Cast, signed_in):
    first = arrive(cast, "INV-1001", ordering_key="customer-7")
    second = approved(cast, arrive(cast, "INV-1002", ordering_key="customer-7"))
    words = "“message-INV-1001”, which came before it under the same ordering key, is not settled yet."
    delivery = submission(second)
    assert (delivery.state, delivery.waiting_for) == ("queued", words)
    assert engine.claim(limit=8) == []
    assert words in signed_in(cast.clerk).get(reverse("exceptions:case", args=[second.ref])).content.decode()
    page = reverse("exceptions:connection", args=[cast.connection.slug])
    assert words in signed_in(cast.clerk).get(page).content.decode()

    sweep()
    assert engine.claim(limit=8) == []
    assert approved(cast, first).state == State.REPLAYING
    [claim] = engine.claim(limit=8)
    assert claim.delivery == submission(first)


def test_second_goes_on_when_the_first_is_settled(cast: Cast):
    first = arrive(cast, "INV-1001", ordering_key="customer-7")
    second = approved(cast, arrive(cast, "INV-1002", ordering_key="customer-7"))
    close(cast, first)
    sweep()
    assert submission(second).waiting_for == ""
    assert actions_of(second)[-1] == "case.wait_ended"
    assert [claim.delivery for claim in engine.claim(limit=8)] == [submission(second)]


def test_named_predecessor_is_waited_for_until_it_is_delivered(cast: Cast):
    second = approved(cast, arrive(cast, "INV-1002", context={"after": ["message-INV-1001"]}))
    assert submission(second).waiting_for == "“message-INV-1001” of tax-authority is not delivered yet."
    first = arrive(cast, "INV-1001")
    sweep()
    assert engine.claim(limit=8) == []
    deliver(cast, first)
    sweep()
    assert [claim.delivery for claim in engine.claim(limit=8)] == [submission(second)]


def test_person_has_it_when_the_time_is_up_and_it_waits_no_second_time(cast: Cast):
    second = approved(cast, arrive(cast, "INV-1002", context={"after": ["message-INV-1001"], "wait_at_most": 60}))
    assert Delivery.objects.filter(pk=submission(second).pk, waits_until__lte=Now() + timedelta(seconds=60)).exists()
    Delivery.objects.update(waits_until=Now())
    sweep()
    second.refresh_from_db()
    given_back = submission(second)
    assert (second.state, given_back.state) == (State.IN_PROGRESS, "cancelled")
    assert given_back.detail.startswith("What it waits for did not come in time: “message-INV-1001”")
    assert actions_of(second)[-1] == "case.sending_stopped"
    assert Proposal.objects.get(case=second).state == Proposal.State.SPENT

    propose(second, by=cast.clerk)
    approve_open(second, by=cast.controller)
    assert (submission(second) != given_back, submission(second).waiting_for) == (True, "")


def test_person_has_it_at_once_when_the_predecessor_will_not_come(cast: Cast):
    first = arrive(cast, "INV-1001")
    second = approved(cast, arrive(cast, "INV-1002", context={"after": ["message-INV-1001"]}))
    close(cast, first)
    sweep()
    second.refresh_from_db()
    assert second.state == State.IN_PROGRESS
    assert submission(second).detail == "“message-INV-1001”, which was to come before it, was not delivered."


def test_own_earlier_message_is_no_predecessor(cast: Cast):
    arrive(cast, "INV-1001", ordering_key="customer-7")
    receive(cast.connection, handed_in("again", number="INV-1001", ordering_key="customer-7"))
    assert intake.read_messages(limit=1, at=MORNING)
    case = approved(cast, ExceptionCase.objects.get())
    assert submission(case).waiting_for == ""
