"""What came of the items of batches: written with the end of their delivery, in the same transaction."""

from datetime import datetime

from exceptions_app.actions import batch_log, notify
from exceptions_app.batch_states import FAILURE_RATE, RATE_COUNTED_FROM, BatchState, ItemState
from exceptions_app.machines import WORKER, machine
from exceptions_app.models import BatchItem, BatchProgress, ExceptionCase, ReplayBatch
from integrations import delivery as engine
from integrations.doorbell import ring_on_commit
from integrations.models import Delivery

_OPEN = (ItemState.WAITING, ItemState.UNDER_WAY, ItemState.FAILED, ItemState.SKIPPED)
_KINDS = {
    Delivery.State.CONFLICT: "conflict",
    Delivery.State.CANCELLED: "sending_stopped",
}


def note_end(
    case: ExceptionCase, delivery: Delivery, settlement: engine.Settlement | None = None, *, at: datetime
) -> None:
    """Tell the batches that the locked exception is in. One query for an exception that is in none.

    Without a settlement two people said what became of the delivery.

    What was booked after another decision proves an item as well: there is one effect, and it is known.
    """
    if delivery.is_live or delivery.operation != Delivery.Operation.SUBMIT:
        return
    for progress in BatchProgress.objects.filter(item__case=case, state__in=_OPEN).select_related("item__batch"):
        if delivery.state in Delivery.BOOKED:
            _end(progress, ItemState.PROVEN, delivery, at=at)
            _complete_after_all(progress.item, at=at)
        elif progress.state == ItemState.UNDER_WAY and progress.delivery_id == delivery.pk:
            code = _kind_of(delivery, settlement)
            _end(progress, ItemState.FAILED, delivery, at=at, code=code, detail=_words(delivery, settlement))
            stop_if_due(progress, at=at)
        else:
            continue
        ring_on_commit()  # the next item may go


def _end(
    progress: BatchProgress, state: ItemState, delivery: Delivery, *, at: datetime, code: str = "", detail: str = ""
) -> None:
    if state is ItemState.PROVEN:
        progress.by_batch = progress.by_batch and progress.delivery_id == delivery.pk
    progress.state, progress.delivery = state, delivery
    progress.code, progress.detail, progress.ended_at = code, detail[:500], at
    progress.save(update_fields=["state", "by_batch", "delivery", "code", "detail", "ended_at"])


def _kind_of(delivery: Delivery, settlement: engine.Settlement | None) -> str:
    if delivery.state in _KINDS:
        return _KINDS[Delivery.State(delivery.state)]
    errors = settlement.refusal.errors if settlement and settlement.refusal else ()
    return (errors[0].code if errors else "")[:100] or "refused"


def _words(delivery: Delivery, settlement: engine.Settlement | None) -> str:
    errors = settlement.refusal.errors if settlement and settlement.refusal else ()
    return (errors[0].plain or errors[0].text) if errors else delivery.detail


def stop_if_due(progress: BatchProgress, *, at: datetime) -> None:
    """Stop the batch of an item that came to nothing, at a kind of error that it had not yet or at too many of any."""
    batch = batch_log.lock_batch(progress.item.batch_id)
    if batch.state != BatchState.RUNNING:
        return
    same = BatchProgress.objects.filter(item__batch=batch, code=progress.code).exclude(pk=progress.pk)
    if not same.exists():
        words = f"A new kind of error at item {progress.item.position}, {progress.code}: {progress.detail}"
        stop(batch, progress.code, words, at=at, item=progress.item)
        return
    rate = _failure_rate(batch)
    if rate > batch.failure_limit:
        words = f"{rate} % of what ended since it began or was resumed failed; the limit is {batch.failure_limit} %."
        stop(batch, FAILURE_RATE, words, at=at, item=progress.item)


def _failure_rate(batch: ReplayBatch) -> int:
    """Per cent of failed items among those that ended since it was approved or last resumed, rounded up."""
    since = BatchProgress.objects.filter(item__batch=batch, ended_at__gte=batch.counted_from, by_batch=True)
    ended = since.filter(state__in=[ItemState.PROVEN, ItemState.FAILED]).count()
    failed = since.filter(state=ItemState.FAILED).count()
    return -(-100 * failed // ended) if ended >= RATE_COUNTED_FROM else 0


def stop(batch: ReplayBatch, code: str, words: str, *, at: datetime, item: BatchItem | None = None) -> None:
    """Begin nothing more until a person resumes it; what is under way comes to its end."""
    batch_log.change(
        batch,
        BatchState.STOPPED,
        "batch.stopped",
        by=machine(WORKER),
        at=at,
        summary=f"{batch.ref} stopped by itself. {words}",
        data={"code": code, "exception": item.case.ref if item else "", "item": item.position if item else 0},
        stopped_because=words[:500],
    )
    notify.batch_over(batch, at=at, words="Your batch stopped by itself. It waits for somebody to look at it.")


def finish(batch: ReplayBatch, *, at: datetime) -> None:
    """Nothing waits and nothing is under way any more: complete when each item is proven, else ended."""
    unproven = _unproven(batch)
    state = BatchState.ENDED if unproven else BatchState.COMPLETE
    words = f"ended with {unproven} of {batch.count} not proven" if unproven else "is complete: every item is proven"
    batch_log.change(
        batch,
        state,
        "batch.ended" if unproven else "batch.completed",
        by=machine(WORKER),
        at=at,
        summary=f"{batch.ref} {words}.",
        data={"count": batch.count, "unproven": unproven, "frozen_sha256": batch.frozen_sha256},
        finished_at=at,
    )
    outcome = "ended, and not every item is proven" if unproven else "is complete: every item is proven"
    notify.batch_over(batch, at=at, words=f"Your batch {outcome}.")


def _complete_after_all(item: BatchItem, *, at: datetime) -> None:
    """The last that was missing of a batch that had ended was booked after another decision."""
    if item.batch.state != BatchState.ENDED:
        return
    batch = batch_log.lock_batch(item.batch_id)
    if batch.state == BatchState.ENDED and not _unproven(batch):
        finish(batch, at=at)


def _unproven(batch: ReplayBatch) -> int:
    return BatchItem.objects.filter(batch=batch).exclude(progress__state=ItemState.PROVEN).count()
