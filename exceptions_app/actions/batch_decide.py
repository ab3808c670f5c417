"""Deciding on a batch as a whole, and suspending, resuming and cancelling it."""

from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app.actions import batch_log, notify
from exceptions_app.actions.batch_propose import frozen_list_hash
from exceptions_app.actions.decide import ApprovalNoLongerHolds, DecidedAlready
from exceptions_app.actions.decided_meanwhile import refused_in_words
from exceptions_app.actions.fresh_proof import require_fresh_proof
from exceptions_app.actions.mover import Invalid
from exceptions_app.batch_states import BATCH_MOVES, POLICY, BatchAction, ItemState
from exceptions_app.models import BatchDecision, BatchItem, BatchProgress, ReplayBatch
from exceptions_app.queries.batch_changes import looks_for_the_trail
from exceptions_app.queries.batch_standing import require_on_batch
from exceptions_app.wording import say
from integrations.doorbell import ring_on_commit


@transaction.atomic
def approve_batch(
    batch_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str = ""
) -> ReplayBatch:
    """Agree to the list whose hash is `frozen_sha256`. Each item is decided with it when its turn comes, not before.

    Raises NotPermitted for anyone with a hand in any item, ApprovalNoLongerHolds when it is not what was shown, and
    FreshProofNeeded as `decide.approve` does, for what its items are about together.
    """
    batch = _as_shown(batch_id, frozen_sha256, action=BatchAction.APPROVE, by=by)
    require_fresh_proof(lambda: batch.items.values_list("amount", "currency"), at=at)
    _decide(batch, BatchDecision.Verdict.APPROVED, by=by, at=at, because=because)
    looks = looks_for_the_trail(batch, by=by.pk)
    _move(batch, BatchAction.APPROVE, by=by, at=at, because=because, words="approved", data=looks, counted_from=at)
    notify.batch_decided(batch, by=by, at=at, words="approved")
    ring_on_commit()
    return batch


@transaction.atomic
def reject_batch(batch_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str) -> ReplayBatch:
    """Say no to all of it, with the reason; the worker gives each exception back to work in this person's name."""
    if not because.strip():
        raise Invalid("because", say("Say why you reject it; the person who proposed it needs to know what to change."))
    batch = _as_shown(batch_id, frozen_sha256, action=BatchAction.REJECT, by=by)
    _decide(batch, BatchDecision.Verdict.REJECTED, by=by, at=at, because=because)
    looks = looks_for_the_trail(batch, by=by.pk)
    _move(batch, BatchAction.REJECT, by=by, at=at, because=because, words="rejected", data=looks, finished_at=at)
    notify.batch_decided(batch, by=by, at=at, words="rejected")
    ring_on_commit()
    return batch


@transaction.atomic
def suspend_batch(batch_id: int, *, by: AbstractUser, at: datetime, because: str) -> ReplayBatch:
    """Begin nothing more until somebody resumes it. What is under way comes to its end."""
    _require_reason(because, "Say why it is suspended; whoever resumes it will read it.")
    batch = batch_log.lock_batch(batch_id)
    require_on_batch(BatchAction.SUSPEND, batch, by)
    return _move(batch, BatchAction.SUSPEND, by=by, at=at, because=because, words="suspended", reason=because)


@transaction.atomic
def resume_batch(batch_id: int, *, by: AbstractUser, at: datetime, because: str) -> ReplayBatch:
    """Go on, the next item alone. Kinds of error that were seen so far do not stop it again, but their rate does."""
    _require_reason(because, "Say what was mended, or why it may go on as it is.")
    batch = batch_log.lock_batch(batch_id)
    require_on_batch(BatchAction.RESUME, batch, by)
    _move(
        batch,
        BatchAction.RESUME,
        by=by,
        at=at,
        because=because,
        words="resumed",
        data={"kinds_of_error": _kinds_seen(batch)},
        canary=0,
        counted_from=at,
    )
    ring_on_commit()
    return batch


@transaction.atomic
def cancel_batch(batch_id: int, *, by: AbstractUser, at: datetime, because: str) -> ReplayBatch:
    """Send nothing more of it, for good. What was not sent goes back to work, in this person's name."""
    _require_reason(because, "Say why it is cancelled.")
    batch = batch_log.lock_batch(batch_id)
    require_on_batch(BatchAction.CANCEL, batch, by)
    _move(
        batch, BatchAction.CANCEL, by=by, at=at, because=because, words="cancelled", reason=because, finished_at=at,
        cancelled_by_id=by.pk,
        data={"not_sent": _number(batch, ItemState.WAITING), "under_way": _number(batch, ItemState.UNDER_WAY)},
    )  # fmt: skip
    ring_on_commit()
    return batch


def _as_shown(batch_id: int, frozen_sha256: str, *, action: BatchAction, by: AbstractUser) -> ReplayBatch:
    batch = batch_log.lock_batch(batch_id)
    decision = BatchDecision.objects.filter(batch=batch).select_related("decider").first()
    if decision is not None:
        verdict = say(decision.get_verdict_display().lower())
        if decision.decider_id == by.pk:
            raise DecidedAlready(say("You {verdict} {ref} already.", verdict=verdict, ref=batch.ref))
        raise ApprovalNoLongerHolds(
            say(
                "Somebody was faster: {decider} {verdict} {ref}.",
                decider=decision.decider,
                verdict=verdict,
                ref=batch.ref,
            )
        )
    require_on_batch(action, batch, by)
    same = batch.policy_version == POLICY and frozen_hash_of(batch) == batch.frozen_sha256
    if frozen_sha256 != batch.frozen_sha256 or (action is BatchAction.APPROVE and not same):
        raise ApprovalNoLongerHolds(
            say(
                "{ref} is not what you were shown, or the rules for batches changed after it was proposed. "
                "Look at it again; if it stays so, have it cancelled and proposed anew.",
                ref=batch.ref,
            )
        )
    return batch


def frozen_hash_of(batch: ReplayBatch) -> str:
    """The hash of what stands there now, by the rules under which it was proposed."""
    items = BatchItem.objects.filter(batch=batch).order_by("position")
    return frozen_list_hash(
        items, connection=batch.connection.slug, failure_limit=batch.failure_limit, policy=batch.policy_version
    )


@refused_in_words()
def _decide(
    batch: ReplayBatch, verdict: BatchDecision.Verdict, *, by: AbstractUser, at: datetime, because: str
) -> None:
    BatchDecision.objects.create(
        batch=batch,
        verdict=verdict,
        decider_id=by.pk,
        frozen_sha256=batch.frozen_sha256,
        because=because[:500],
        decided_at=at,
    )


def _require_reason(because: str, words: str) -> None:
    if not because.strip():
        raise Invalid("because", words)


def _move(
    batch: ReplayBatch,
    action: BatchAction,
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    words: str,
    reason: str = "",
    data: Mapping[str, object] | None = None,
    **changes: object,
) -> ReplayBatch:
    row = BATCH_MOVES[action]
    return batch_log.change(
        batch,
        row.to,
        row.past,
        by=by,
        at=at,
        because=because,
        summary=f"{by} {words} {batch.ref}: {batch.count} replays to {batch.connection}.",
        data={"frozen_sha256": batch.frozen_sha256, **(data or {})},
        stopped_because=reason[:500],
        **changes,
    )


def _number(batch: ReplayBatch, state: ItemState) -> int:
    return BatchProgress.objects.filter(item__batch=batch, state=state).count()


def _kinds_seen(batch: ReplayBatch) -> list[str]:
    seen = BatchProgress.objects.filter(item__batch=batch).exclude(code="").order_by()
    return sorted(seen.values_list("code", flat=True).distinct())
