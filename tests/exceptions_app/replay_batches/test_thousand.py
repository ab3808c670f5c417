"""A thousand replays approved as one list: it stops where it should, and what was approved is what was sent.

With the storms, since a thousand decisions and deliveries take a minute; every run plays the same with fewer.
"""

import hashlib
from collections import Counter

import pytest

from audit.queries import timeline
from exceptions_app import replays
from exceptions_app.actions.batch_decide import approve_batch, resume_batch
from exceptions_app.batch_states import plan_of
from exceptions_app.models import BatchItem, ExceptionCase, Proposal
from exceptions_app.states import State
from integrations.models import Delivery
from tests.arrivals import approve_open, propose
from tests.cast import MORNING, Cast
from tests.exceptions_app.replay_batches.target import Target, propose_all, refused_cases, states_of


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("count", [40, pytest.param(1_000, marks=pytest.mark.storm)])
def test_batch_stops_at_the_seventh_item_and_finishes_when_its_cause_is_mended(cast: Cast, target: Target, count: int):
    cases = refused_cases(cast, count)
    numbers = [case.document_number for case in cases]
    seventh = cases[6]
    batch = propose_all(cast, cases)
    assert (batch.count, batch.money) == (count, {"EUR": f"{count * 10.5:.0f}"})
    approve_batch(batch.pk, by=cast.controller, at=MORNING, frozen_sha256=batch.frozen_sha256)

    target.refuses[seventh.document_number] = "NEW-1"
    replays.carry_out_due()
    batch.refresh_from_db()
    assert (batch.state, batch.step) == ("stopped", 3)
    assert batch.stopped_because == "A new kind of error at item 7, NEW-1: NEW-1 refused."
    assert target.numbers == numbers[:7]  # the first of each step goes alone, so that nothing else was under way
    assert states_of(batch) == ["proven"] * 6 + ["failed"] + ["waiting"] * (count - 7)
    untouched = ExceptionCase.objects.filter(document_number__in=numbers[7:], state=State.AWAITING_APPROVAL)
    assert untouched.count() == count - 7
    assert Proposal.objects.filter(state=Proposal.State.OPEN).count() == count - 7
    assert Delivery.objects.count() == 7

    [late] = refused_cases(cast, 1, first=count + 1)
    replays.carry_out_due()
    assert len(target.sent) == 7  # a stopped batch begins nothing, however often a worker looks

    del target.refuses[seventh.document_number]
    propose(seventh, by=cast.clerk)
    approve_open(seventh, by=cast.controller)
    resume_batch(batch.pk, by=cast.controller, at=MORNING, because="The master data are there now.")
    while replays.carry_out_due():  # a sweep has its time, and the next one goes on
        pass
    batch.refresh_from_db()
    assert (batch.state, set(states_of(batch))) == ("complete", {"proven"})

    items = BatchItem.objects.filter(batch=batch).select_related("case", "proposal__version").order_by("position")
    approved = {item.case.document_number: item.content_sha256 for item in items}
    assert [item.content_sha256 for item in items] == [
        hashlib.sha256(bytes(item.proposal.version.content)).hexdigest() for item in items
    ]
    assert target.booked == approved  # byte for byte, each once, and nothing else
    assert Counter(target.sent) == Counter(approved.items()) + Counter({(numbers[6], approved[numbers[6]]): 1})
    late.refresh_from_db()
    assert (late.state, late.document_number in approved) == (State.NEW, False)
    events = Counter(event.action for event in timeline(batch.subject))
    assert events == {
        "batch.proposed": 1, "batch.approved": 1, "batch.stopped": 1, "batch.resumed": 1, "batch.completed": 1,
        "batch.step_begun": len(plan_of(count)) + 1,
    }  # fmt: skip
