"""Starting one action on many exceptions, frozen as a list; pausing, resuming and cancelling it."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction

from exceptions_app.actions import bulk_log
from exceptions_app.actions.bulk_each import require_sound
from exceptions_app.actions.mover import Invalid
from exceptions_app.bulk_states import MOST_ITEMS, RUN_MOVES, Instruction, RunAction, RunState, run_destination
from exceptions_app.models import BulkItem, BulkRun, ExceptionCase
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.reach import cases_within, reach_of
from exceptions_app.wording import say
from integrations.doorbell import ring_on_commit


class BulkListChanged(Exception):
    """What was to be started is not what was shown."""

    def __init__(self) -> None:
        super().__init__("Something in this list changed after it was shown. Nothing was done; look at it again.")


def frozen_bulk_hash(instruction: Instruction, cases: Iterable[ExceptionCase], revisions: Mapping[int, int]) -> str:
    """What is asked, and the list with the revision at which each exception was seen, its amount and its currency."""
    parts = {
        "instruction": asdict(instruction),
        "items": [
            [position, case.pk, revisions[case.pk], _text(case.amount), case.currency]
            for position, case in enumerate(cases, start=1)
        ],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _text(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount.normalize():f}"


@transaction.atomic
def start_bulk(
    instruction: Instruction,
    revisions: Mapping[int, int],
    *,
    by: AbstractUser,
    at: datetime,
    frozen_sha256: str,
    key: UUID,
) -> BulkRun:
    """Freeze the exceptions, each at the revision at which it was seen, and have it done in the background.

    Whether each can be done is judged when its turn comes, by the function of the button. The same `key` again is the
    same run. Raises Invalid, and BulkListChanged when the list is not the one of that hash, nobody of it is seen any
    more, or the key is of another person's run.
    """
    require_sound(instruction)
    known = BulkRun.objects.filter(key=key, starter_id=by.pk).first()
    if known is not None:
        return known
    if not revisions:
        raise Invalid("items", say("Choose at least one exception."))
    if len(revisions) > MOST_ITEMS:
        raise Invalid(
            "items",
            say("At most {most_items} exceptions at once. Do the others afterwards.", most_items=f"{MOST_ITEMS:,}"),
        )
    visible = cases_within(reach_of(by)).filter(pk__in=list(revisions)).only("pk", "amount", "currency")
    cases = list(visible.order_by("pk"))
    if not cases or frozen_bulk_hash(instruction, cases, revisions) != frozen_sha256:
        raise BulkListChanged
    try:
        with transaction.atomic():
            run = _freeze(instruction, cases, revisions, by=by, at=at, frozen_sha256=frozen_sha256, key=key)
    except IntegrityError as error:  # sent twice at the same time, or with the key of somebody else's run
        sent_before = BulkRun.objects.filter(key=key, starter_id=by.pk).first()
        if sent_before is None:
            raise BulkListChanged from error
        run = sent_before
    ring_on_commit()
    return run


def _freeze(
    instruction: Instruction,
    cases: Sequence[ExceptionCase],
    revisions: Mapping[int, int],
    *,
    by: AbstractUser,
    at: datetime,
    frozen_sha256: str,
    key: UUID,
) -> BulkRun:
    run = BulkRun.objects.create(
        key=key,
        kind=instruction.kind,
        parameters=instruction.parameters(),
        because=instruction.because,
        count=len(cases),
        money={currency: _text(amount) for currency, amount in sorted(_money_of(cases).items())},
        frozen_sha256=frozen_sha256,
        starter_id=by.pk,
        started_at=at,
        counted_from=at,
        changed_at=at,
    )
    BulkItem.objects.bulk_create(
        (
            BulkItem(
                run=run,
                position=position,
                case_id=case.pk,
                revision=revisions[case.pk],
                amount=case.amount,
                currency=case.currency,
            )
            for position, case in enumerate(cases, start=1)
        ),
        batch_size=2_000,
    )
    bulk_log.record(run, "bulk.started", by=by, at=at, words=f"{by} started")
    return run


def _money_of(cases: Iterable[ExceptionCase]) -> dict[str, Decimal]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for case in cases:
        if case.amount is not None:
            sums[case.currency] += case.amount
    return sums


def pause_bulk(run_id: int, *, by: AbstractUser, at: datetime) -> BulkRun:
    """Begin with no further exception until it is resumed."""
    return _move(run_id, RunAction.PAUSE, by=by, at=at, words="paused")


def resume_bulk(run_id: int, *, by: AbstractUser, at: datetime) -> BulkRun:
    return _move(run_id, RunAction.RESUME, by=by, at=at, words="resumed")


def cancel_bulk(run_id: int, *, by: AbstractUser, at: datetime) -> BulkRun:
    """Begin with no further exception, for good. What is done stays done."""
    return _move(run_id, RunAction.CANCEL, by=by, at=at, words="cancelled")


@transaction.atomic
def _move(run_id: int, action: RunAction, *, by: AbstractUser, at: datetime, words: str) -> BulkRun:
    """Raises NotPermitted for anybody but who started it, and RunMoveNotAllowed."""
    run = bulk_log.lock_run(run_id)
    if run.starter_id != by.pk:
        raise NotPermitted(say("Only the person who started it may do this."))
    state = run_destination(action, state=RunState(run.state))
    times: dict[str, Any] = {"counted_from": at} if action is RunAction.RESUME else {}
    times |= {"finished_at": at} if action is RunAction.CANCEL else {}
    run = bulk_log.change(run, state, RUN_MOVES[action].past, by=by, at=at, words=f"{by} {words}", **times)
    if action is RunAction.RESUME:
        ring_on_commit()
    return run
