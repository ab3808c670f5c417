"""Carrying batches out: step by step, stopped, suspended, resumed, cancelled, and two of anything at once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.db.utils import IntegrityError
from django.utils.timezone import now

from audit.queries import timeline
from exceptions_app import replays
from exceptions_app.actions import batch_run
from exceptions_app.actions.batch_decide import (
    approve_batch,
    cancel_batch,
    reject_batch,
    resume_batch,
    suspend_batch,
)
from exceptions_app.actions.decide import ApprovalNoLongerHolds, DecidedAlready, approve, reject
from exceptions_app.actions.grants import remove_from_role
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.propose import withdraw
from exceptions_app.actions.work import comment
from exceptions_app.batch_states import BatchMoveNotAllowed
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import (
    BatchDecision,
    BatchItem,
    BatchProgress,
    Decision,
    ExceptionCase,
    Notification,
    ReplayBatch,
)
from exceptions_app.policies import NotPermitted
from exceptions_app.states import State
from integrations.delivery import claim
from integrations.models import Delivery
from tests.arrivals import approve_open, configure, propose
from tests.cast import MORNING, Cast, give_role, person
from tests.concurrency import at_the_same_time
from tests.exceptions_app.delivering import time_passes, work_until_done
from tests.exceptions_app.replay_batches.target import Target, propose_all, refused_cases, states_of

pytestmark = pytest.mark.django_db(transaction=True)


def running(cast: Cast, count: int, **more: Any) -> tuple[ReplayBatch, list[ExceptionCase]]:
    """A batch that the controller approved and no worker has looked at yet."""
    cases = refused_cases(cast, count)
    batch = propose_all(cast, cases, **more)
    return approve_batch(batch.pk, by=cast.controller, at=MORNING, frozen_sha256=batch.frozen_sha256), cases


def fresh(batch: ReplayBatch) -> ReplayBatch:
    return ReplayBatch.objects.get(pk=batch.pk)


def test_items_are_approved_one_by_one_when_their_turn_comes(cast: Cast, target: Target):
    batch, cases = running(cast, 4)
    assert Decision.objects.count() == 0
    assert batch_run.start_due() == 1
    assert (states_of(batch), Decision.objects.count()) == (["under_way", "waiting", "waiting", "waiting"], 1)
    cases[0].refresh_from_db()
    cases[1].refresh_from_db()
    assert (cases[0].state, cases[1].state) == (State.REPLAYING, State.AWAITING_APPROVAL)
    assert batch_run.start_due() == 0  # the first goes alone

    replays.carry_out_due()
    assert (fresh(batch).state, set(states_of(batch))) == ("complete", {"proven"})
    decision = Decision.objects.get(proposal__case=cases[3])
    assert (decision.decider, decision.frozen_sha256) == (
        cast.controller,
        BatchItem.objects.get(case=cases[3]).frozen_sha256,
    )
    [approved] = [event for event in timeline(cases[3].subject) if event.action == "case.approved"]
    assert (approved.actor, approved.data["batch"]) == ("conrad", batch.ref)
    # The proposer is told of the batch, and not of each item.
    assert list(Notification.objects.order_by("pk").values_list("person__username", "reference", "words")) == [
        ("clara", batch.ref, "Conrad Controller approved the batch that you prepared."),
        ("clara", batch.ref, "Your batch is complete: every item is proven."),
    ]


@pytest.mark.parametrize("who", ["clerk", "second_clerk", "support", "auditor", "outsider", "administrator"])
@pytest.mark.parametrize("decide", [approve_batch, reject_batch])
def test_nobody_but_a_second_person_with_the_verb_decides(
    cast: Cast, target: Target, who: str, decide: Callable[..., ReplayBatch]
):
    give_role(cast.clerk, "controller")
    batch = propose_all(cast, refused_cases(cast, 1))
    with pytest.raises(NotPermitted):
        decide(batch.pk, by=getattr(cast, who), at=MORNING, frozen_sha256=batch.frozen_sha256, because="Fine.")
    assert (fresh(batch).state, BatchDecision.objects.exists()) == ("awaiting_approval", False)


def test_hand_in_one_of_many_items_keeps_from_deciding_on_all(cast: Cast, target: Target):
    give_role(cast.second_clerk, "controller")
    cases = refused_cases(cast, 3)
    propose(cases[1], by=cast.second_clerk)
    withdraw(cases[1].pk, by=cast.second_clerk, at=MORNING)
    batch = propose_all(cast, [cases[0], cases[2]])
    approve_batch(batch.pk, by=cast.second_clerk, at=MORNING, frozen_sha256=batch.frozen_sha256)
    assert fresh(batch).state == "running"


def test_database_refuses_a_decision_by_the_proposer_whoever_writes_it(cast: Cast, target: Target):
    batch = propose_all(cast, refused_cases(cast, 1))
    with pytest.raises(IntegrityError, match="four eyes"):
        BatchDecision.objects.create(
            batch=batch, verdict="approved", decider=cast.clerk, frozen_sha256=batch.frozen_sha256, decided_at=MORNING
        )


def test_other_list_than_the_one_shown_is_not_approved(cast: Cast, target: Target):
    batch = propose_all(cast, refused_cases(cast, 1))
    with pytest.raises(ApprovalNoLongerHolds, match="is not what you were shown"):
        approve_batch(batch.pk, by=cast.controller, at=MORNING, frozen_sha256="0" * 64)


def test_two_controllers_at_once_decide_once_and_the_second_is_told(cast: Cast, target: Target):
    second = person("celia", "Celia Controller", role="controller")
    batch = propose_all(cast, refused_cases(cast, 2))

    def decide(by: Any) -> Callable[[], ReplayBatch]:
        return lambda: approve_batch(batch.pk, by=by, at=MORNING, frozen_sha256=batch.frozen_sha256)

    came = at_the_same_time([decide(cast.controller), decide(second)])
    [refusal] = [found for found in came if isinstance(found, Exception)]
    decider = BatchDecision.objects.get(batch=batch).decider
    assert (type(refusal), str(refusal)) == (
        ApprovalNoLongerHolds,
        f"Somebody was faster: {decider} approved {batch.ref}.",
    )
    with pytest.raises(DecidedAlready, match=f"^You approved {batch.ref} already"):
        decide(decider)()


def test_workers_controllers_a_batch_and_a_single_replay_of_one_case_at_once_have_one_effect(
    cast: Cast, target: Target
):
    second = person("celia", "Celia Controller", role="controller")
    batch, [case] = running(cast, 1)
    frozen = BatchItem.objects.get(batch=batch).frozen_sha256

    def single(by: Any) -> Callable[[], object]:
        return lambda: approve(case.pk, by=by, at=MORNING, frozen_sha256=frozen)

    came = at_the_same_time([replays.carry_out_due, single(second), replays.carry_out_due, single(cast.controller)])
    work_until_done()
    case.refresh_from_db()
    assert (len(target.sent), Decision.objects.count(), Delivery.objects.filter(operation="submit").count()) == (
        1,
        1,
        1,
    )
    assert (case.state, states_of(batch)) == ("resolved", ["proven"])
    decision = Decision.objects.get()
    by_batch = BatchProgress.objects.get().by_batch
    refusals = [found for found in came if isinstance(found, Exception)]
    assert len(refusals) == (2 if by_batch else 1)
    for refusal in refusals:
        assert isinstance(refusal, ApprovalNoLongerHolds), refusal
        part = f", as a part of batch {batch.ref}" if by_batch else ""
        own = isinstance(refusal, DecidedAlready)
        words = f"You approved this already{part}." if own else f"Somebody was faster: this proposal is approved{part}."
        assert str(refusal) == words
    assert decision.decider in (second, cast.controller)
    batch_run.start_due()
    assert fresh(batch).state == "complete"


def test_what_was_decided_alone_or_changed_meanwhile_is_left_out_with_the_reason(cast: Cast, target: Target):
    batch, cases = running(cast, 5)
    approve_open(cases[0], by=cast.controller)
    withdraw(cases[1].pk, by=cast.clerk, at=MORNING)
    frozen = BatchItem.objects.get(case=cases[2]).frozen_sha256
    reject(cases[2].pk, by=cast.controller, at=MORNING, frozen_sha256=frozen, because="Not this one.")
    comment(cases[3].pk, by=cast.controller, at=MORNING, text="Looks right.")
    replays.carry_out_due()

    assert fresh(batch).state == "ended"
    assert states_of(batch) == ["proven", "skipped", "skipped", "proven", "proven"]
    details = list(BatchProgress.objects.order_by("item__position").values_list("detail", "by_batch"))
    assert details[0] == ("", False)  # by a decision of its own
    assert details[1] == ("Somebody was faster: this proposal is withdrawn.", False)
    assert details[2] == ("You rejected this already.", False)
    assert sorted(target.numbers) == ["INV-0001", "INV-0004", "INV-0005"]


def test_batch_that_ended_is_complete_when_the_last_one_is_booked_after_another_decision(cast: Cast, target: Target):
    batch, cases = running(cast, 3)
    target.refuses["INV-0003"] = "BUSY"
    replays.carry_out_due()
    assert fresh(batch).state == "stopped"
    resume_batch(batch.pk, by=cast.controller, at=MORNING, because="The others may go.")
    replays.carry_out_due()
    assert (fresh(batch).state, states_of(batch)) == ("ended", ["proven", "proven", "failed"])

    target.refuses.clear()
    propose(cases[2], by=cast.clerk)
    approve_open(cases[2], by=cast.controller)
    replays.carry_out_due()
    assert (fresh(batch).state, states_of(batch)) == ("complete", ["proven"] * 3)


def test_known_kind_of_error_does_not_stop_it_again_and_its_rate_does(cast: Cast, target: Target):
    batch, cases = running(cast, 40, failure_limit=20)
    for case in cases[1:]:
        target.refuses[case.document_number] = "BUSY"
    replays.carry_out_due()
    assert (fresh(batch).stopped_because, len(target.sent)) == ("A new kind of error at item 2, BUSY: BUSY refused.", 2)
    resume_batch(batch.pk, by=cast.controller, at=now(), because="Some of them may be refused.")
    replays.carry_out_due()
    stopped = fresh(batch)
    assert stopped.state == "stopped"
    assert stopped.stopped_because == ("100 % of what ended since it began or was resumed failed; the limit is 20 %.")
    assert len(target.sent) == 12  # ten after it was resumed, each alone, since none was proven


def test_unknown_outcome_holds_the_next_step_back_until_it_is_proven(cast: Cast, target: Target):
    batch, cases = running(cast, 8)
    target.loses.add(cases[3].document_number)
    replays.carry_out_due()
    assert states_of(batch) == ["proven"] * 3 + ["under_way"] + ["waiting"] * 4
    cases[3].refresh_from_db()
    assert (cases[3].state, fresh(batch).state) == (State.OUTCOME_UNKNOWN, "running")
    time_passes()
    work_until_done()
    assert (fresh(batch).state, len(target.sent)) == ("complete", 8)


def test_suspended_batch_begins_nothing_until_it_is_resumed_with_a_reason(cast: Cast, target: Target):
    batch, _ = running(cast, 8)
    assert batch_run.start_due() == 1
    suspend_batch(batch.pk, by=cast.clerk, at=MORNING, because="The authority called.")
    replays.carry_out_due()
    assert (fresh(batch).state, states_of(batch)) == ("suspended", ["proven"] + ["waiting"] * 7)

    with pytest.raises(NotPermitted, match="You proposed this batch; someone else must decide"):
        resume_batch(batch.pk, by=cast.clerk, at=MORNING, because="Go on.")
    with pytest.raises(Invalid):
        resume_batch(batch.pk, by=cast.controller, at=MORNING, because=" ")
    resume_batch(batch.pk, by=cast.controller, at=MORNING, because="They are ready.")
    replays.carry_out_due()
    assert (fresh(batch).state, len(target.sent)) == ("complete", 8)
    with pytest.raises(BatchMoveNotAllowed, match="“Suspend” is not possible: the batch is complete"):
        suspend_batch(batch.pk, by=cast.controller, at=MORNING, because="Too late.")


@pytest.mark.parametrize("by_proposer", [True, False])
def test_cancelled_batch_gives_back_what_was_not_sent(cast: Cast, target: Target, by_proposer: bool):
    batch, cases = running(cast, 8)
    assert batch_run.start_due() == 1
    who = cast.clerk if by_proposer else cast.controller
    cancel_batch(batch.pk, by=who, at=MORNING, because="Wrong day.")
    replays.carry_out_due()

    assert states_of(batch) == ["proven"] + ["given_back"] * 7
    assert (fresh(batch).state, target.numbers) == ("cancelled", ["INV-0001"])
    assert set(
        ExceptionCase.objects.filter(pk__in=[case.pk for case in cases[1:]]).values_list("state", flat=True)
    ) == {"in_progress"}
    last = list(timeline(cases[7].subject))[-1]
    assert (last.action, last.actor) == (
        "case.proposal_withdrawn" if by_proposer else "case.rejected",
        who.get_username(),
    )
    assert last.because == f"Batch {batch.ref} was cancelled: Wrong day."


def test_rejected_batch_gives_every_exception_back_to_work(cast: Cast, target: Target):
    cases = refused_cases(cast, 3)
    batch = propose_all(cast, cases)
    reject_batch(batch.pk, by=cast.controller, at=MORNING, frozen_sha256=batch.frozen_sha256, because="Ask first.")
    replays.carry_out_due()
    assert (fresh(batch).state, states_of(batch), target.sent) == ("rejected", ["given_back"] * 3, [])
    assert set(ExceptionCase.objects.values_list("state", flat=True)) == {"in_progress"}


def test_permission_is_judged_again_when_an_items_turn_comes(cast: Cast, target: Target):
    batch, cases = running(cast, 3)
    remove_from_role("controller", cast.controller, by=machine(SETUP), at=MORNING)
    replays.carry_out_due()
    stopped = fresh(batch)
    assert (stopped.state, target.sent, states_of(batch)) == ("stopped", [], ["waiting"] * 3)
    assert stopped.stopped_because.startswith(f"Conrad Controller may not decide on item 1 ({cases[0].ref}) any more:")


def test_target_that_moved_after_the_approval_stops_the_batch_and_nothing_is_sent(cast: Cast, target: Target):
    batch, _ = running(cast, 3)
    configure(cast.connection, target_url="https://elsewhere.example/documents")
    replays.carry_out_due()
    stopped = fresh(batch)
    assert (stopped.state, target.sent, states_of(batch)) == ("stopped", [], ["skipped", "waiting", "waiting"])
    assert stopped.stopped_because.startswith(
        "A new kind of error at item 1, approval_void: The target or the approval"
    )


def test_worker_that_dies_at_any_item_is_followed_by_one_that_goes_on(cast: Cast, target: Target):
    batch, _ = running(cast, 9)
    for _ in range(30):
        # It dies after it began an item and after it claimed one, again and again.
        batch_run.start_due()
        claim(limit=1)
        Delivery.objects.filter(state__in=Delivery.LIVE).update(due_at=Now() - timedelta(seconds=1), claims=0)
        replays.carry_out_due()
        if fresh(batch).state == "complete":
            break
    assert (fresh(batch).state, sorted(target.numbers)) == ("complete", sorted(target.booked))
    assert len(target.sent) == 9


def test_workers_at_the_same_time_begin_no_item_twice(cast: Cast, target: Target):
    batch, _ = running(cast, 12)
    came = at_the_same_time([replays.carry_out_due] * 4)
    assert not [found for found in came if isinstance(found, Exception)]
    work_until_done()
    replays.carry_out_due()
    assert (fresh(batch).state, len(target.sent), len(target.booked)) == ("complete", 12, 12)
