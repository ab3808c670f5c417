"""Carrying out what was decided on batches: item by item, each in a transaction of its own, under the batch's lock.

A worker that dies leaves every item either not begun or in the outbox. The next one goes on from the rows.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils.timezone import now

from exceptions_app.actions import batch_log
from exceptions_app.actions.batch_outcome import finish, stop, stop_if_due
from exceptions_app.actions.decide import ApprovalNoLongerHolds, approve, reject
from exceptions_app.actions.mover import ChangedMeanwhile, lock
from exceptions_app.actions.propose import withdraw
from exceptions_app.actions.refused import record_refused_by_task
from exceptions_app.batch_states import GIVING_BACK, NOT_PERMITTED, BatchState, ItemState, at_once, step_of
from exceptions_app.machines import WORKER, machine
from exceptions_app.models import BatchDecision, BatchItem, BatchProgress, Proposal, ReplayBatch
from exceptions_app.policies import NotPermitted
from exceptions_app.states import TransitionNotAllowed
from exceptions_app.wording import say
from integrations.doorbell import TimeIsUp
from integrations.models import Delivery
from integrations.outbox import AlreadyUnderWay

log = logging.getLogger(__name__)

_OVERTAKEN = (ApprovalNoLongerHolds, ChangedMeanwhile, TransitionNotAllowed, AlreadyUnderWay)
APPROVAL_VOID = "approval_void"
"""The kind of error of an item whose proposal is still open and whose approval would not hold any more."""
ALREADY_UNDER_WAY = "already_under_way"
MOST_AT_A_TIME = 100  # items of one batch before other work has its turn


def start_due() -> int:
    """Begin what the running batches may begin now, and give back what others will never send. How many items."""
    running = ReplayBatch.objects.filter(state=BatchState.RUNNING).order_by("pk")
    over = ReplayBatch.objects.filter(state__in=GIVING_BACK, items__progress__state=ItemState.WAITING)
    moved = sum(_move_on(batch_id, _start_next) for batch_id in running.values_list("pk", flat=True))
    return moved + sum(_move_on(batch_id, _give_back_next) for batch_id in set(over.values_list("pk", flat=True)))


def _move_on(batch_id: int, move: Callable[[int], bool]) -> int:
    """A batch that cannot be carried out keeps no other from it."""
    moved = 0
    try:
        while moved < MOST_AT_A_TIME and move(batch_id):
            moved += 1
    except TimeIsUp:
        raise
    except Exception:
        log.exception("Batch %s could not go on; the next sweep takes it up.", batch_id)
    return moved


def _ours(batch_id: int) -> ReplayBatch | None:
    """The batch, locked; None while another worker or a person has it."""
    rows = ReplayBatch.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    return rows.select_related("connection").filter(pk=batch_id).first()


def _next_waiting(batch: ReplayBatch) -> BatchItem | None:
    waiting = BatchItem.objects.filter(batch=batch, progress__state=ItemState.WAITING)
    return waiting.select_related("case", "proposal").order_by("position").first()


@transaction.atomic
def _start_next(batch_id: int) -> bool:
    """Have the next item approved and put into the outbox, if there is room for it. False when nothing moved."""
    batch = _ours(batch_id)
    if batch is None or batch.state != BatchState.RUNNING:
        return False
    under_way = BatchProgress.objects.filter(item__batch=batch, state=ItemState.UNDER_WAY).count()
    item = _next_waiting(batch)
    if item is None:
        if not under_way:
            finish(batch, at=now())
        return False
    alone = _goes_alone(batch, item)
    if under_way >= (1 if alone or not _canary_is_proven(batch) else at_once(batch.step)):
        return False
    return _start(batch, item, alone=alone, at=now())


def _goes_alone(batch: ReplayBatch, item: BatchItem) -> bool:
    """The first of each step, the first after a person resumed it, and the next one when such a one was not proven."""
    if not batch.canary or step_of(item.position) > batch.step:
        return True
    canary = BatchProgress.objects.get(item__batch=batch, item__position=batch.canary)
    return canary.state not in (ItemState.UNDER_WAY, ItemState.PROVEN)


def _canary_is_proven(batch: ReplayBatch) -> bool:
    return BatchProgress.objects.filter(item__batch=batch, item__position=batch.canary, state=ItemState.PROVEN).exists()


def _start(batch: ReplayBatch, item: BatchItem, *, alone: bool, at: datetime) -> bool:
    decision = BatchDecision.objects.select_related("decider").get(batch=batch)
    try:
        with transaction.atomic():
            _approve(batch, item, decision, at=at)
    except NotPermitted as error:
        if Proposal.objects.filter(pk=item.proposal_id, state=Proposal.State.OPEN).exists():
            words = f"{decision.decider} may not decide on item {item.position} ({item.case.ref}) any more: {error}"
            stop(batch, NOT_PERMITTED, words, at=at, item=item)
            return False
        _leave_out(batch, item, error, at=at)
    except _OVERTAKEN as error:
        _leave_out(batch, item, error, at=at)
    else:
        if alone:
            _begin_step(batch, item, at=at)
        return True
    batch.refresh_from_db(fields=["state"])
    return batch.state == BatchState.RUNNING


def _approve(batch: ReplayBatch, item: BatchItem, decision: BatchDecision, *, at: datetime) -> None:
    """In the name of whoever decided on the batch: may they still, and is it still the same, is judged now."""
    made = approve(
        item.case_id,
        by=decision.decider,
        at=at,
        frozen_sha256=item.frozen_sha256,
        because=decision.because,
        batch=batch.ref,
    )
    if made.proposal_id != item.proposal_id:
        raise ApprovalNoLongerHolds(say("The same was proposed anew, beside this batch."))
    submissions = Delivery.objects.filter(subject=item.case.subject, operation=Delivery.Operation.SUBMIT)
    begun = BatchProgress.objects.filter(item=item, state=ItemState.WAITING).update(
        state=ItemState.UNDER_WAY, by_batch=True, delivery=submissions.latest("pk"), started_at=at
    )
    if not begun:
        raise ApprovalNoLongerHolds(say("It came to its end in this very moment."))


def _begin_step(batch: ReplayBatch, item: BatchItem, *, at: datetime) -> None:
    step = step_of(item.position)
    others = f"then up to {at_once(step)} at once" if at_once(step) > 1 else "the others one after the other"
    batch_log.change(
        batch,
        BatchState.RUNNING,
        "batch.step_begun",
        by=machine(WORKER),
        at=at,
        summary=f"{batch.ref}, step {step}: item {item.position} goes alone, {others}.",
        data={"step": step, "item": item.position, "exception": item.case.ref, "at_once": at_once(step)},
        step=step,
        canary=item.position,
    )


def _leave_out(batch: ReplayBatch, item: BatchItem, error: Exception, *, at: datetime) -> None:
    """Decided by itself or changed meanwhile: passed over. One that nobody touched and that cannot go is a failure."""
    untouched = Proposal.objects.filter(pk=item.proposal_id, state=Proposal.State.OPEN).exists()
    code = (ALREADY_UNDER_WAY if isinstance(error, AlreadyUnderWay) else APPROVAL_VOID) if untouched else ""
    passed = BatchProgress.objects.filter(item=item, state=ItemState.WAITING).update(
        state=ItemState.SKIPPED, code=code, detail=str(error)[:500], ended_at=at
    )
    if not passed:
        return
    batch_log.record(
        batch,
        "batch.item_left_out",
        by=machine(WORKER),
        at=at,
        summary=f"{batch.ref} left out item {item.position}, {item.case.ref}: {error}",
        data={"item": item.position, "exception": item.case.ref, "code": code},
    )
    if code:
        stop_if_due(BatchProgress.objects.select_related("item__case").get(item=item), at=at)


@transaction.atomic
def _give_back_next(batch_id: int) -> bool:
    """Take the next proposal back that will not be sent, in the name of whoever cancelled or rejected the batch."""
    batch = _ours(batch_id)
    item = _next_waiting(batch) if batch is not None and batch.state in GIVING_BACK else None
    if batch is None or item is None:
        return False
    detail = ""
    try:
        with transaction.atomic():
            _give_back(batch, item, at=now())
    except (NotPermitted, *_OVERTAKEN) as error:
        detail = str(error)
        by, _ = _who_ended(batch)
        record_refused_by_task(error, "give back of a batch", item.case, by=by, at=now(), about=batch.ref)
    BatchProgress.objects.filter(item=item, state=ItemState.WAITING).update(
        state=ItemState.GIVEN_BACK, detail=detail[:500], ended_at=now()
    )
    return True


def _give_back(batch: ReplayBatch, item: BatchItem, *, at: datetime) -> None:
    lock(item.case_id)
    if not Proposal.objects.filter(pk=item.proposal_id, state=Proposal.State.OPEN).exists():
        return  # somebody decided on it or changed it, which holds
    by, because = _who_ended(batch)
    words = f"Batch {batch.ref} was {batch.state_words}: {because}"
    if item.proposal.proposer_id == by.pk:
        withdraw(item.case_id, by=by, at=at, because=words)
    else:
        reject(item.case_id, by=by, at=at, frozen_sha256=item.frozen_sha256, because=words, batch=batch.ref)


def _who_ended(batch: ReplayBatch) -> tuple[AbstractUser, str]:
    if batch.state == BatchState.REJECTED:
        decision = BatchDecision.objects.select_related("decider").get(batch=batch)
        return decision.decider, decision.because
    if batch.cancelled_by is None:
        raise ValueError(f"{batch.ref} is {batch.state_words} by nobody.")
    return batch.cancelled_by, batch.stopped_because
