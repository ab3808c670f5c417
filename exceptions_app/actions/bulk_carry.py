"""Carrying out bulk runs: exception by exception, each in a transaction of its own, with its outcome.

A worker that dies leaves each exception either as it was or done with its outcome. The next one goes on from the rows.
"""

import logging
import time
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Count
from django.utils.timezone import now

from exceptions_app.actions import bulk_log
from exceptions_app.actions.bulk_each import NothingToDo, carry_out
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.playbook_run import OtherPlaybook, StepRefused
from exceptions_app.actions.propose import CheckFailed
from exceptions_app.actions.refused import record_refused_by_task
from exceptions_app.bulk_states import OutcomeState, RunState
from exceptions_app.machines import WORKER, machine
from exceptions_app.models import BulkItem, BulkOutcome, BulkRun
from exceptions_app.policies import NotPermitted
from exceptions_app.states import TransitionNotAllowed
from exceptions_app.wording import say
from integrations.connectors.base import CorrectionError
from integrations.connectors.registry import UnknownConnector
from integrations.doorbell import TimeIsUp
from integrations.refusals import MessageNotUnderstood

log = logging.getLogger(__name__)

BUDGET = 5.0  # seconds of one sweep for bulk runs; the next one, two seconds later, goes on
AT_A_TIME = 100  # items of one run before the others have their turn
FEW = 25
"""So many are done while the person who started them waits, for at most PATIENCE seconds; the rest by a worker."""
PATIENCE = 1.5

_REFUSED = (
    NotPermitted, TransitionNotAllowed, StepRefused, OtherPlaybook, Invalid, CheckFailed, CorrectionError,
    MessageNotUnderstood, UnknownConnector,
)  # fmt: skip
_FAULT = say("The workbench failed at it, and nothing was done. The time of this attempt leads to its log.")


def carry_on_due() -> int:
    """Go on with all runs that are under way, in turns, until the time is up. How many items have an outcome now."""
    ends_at = time.monotonic() + BUDGET
    done = 0
    while time.monotonic() < ends_at:
        moved = _one_turn_each(ends_at=ends_at)
        done += moved
        if not moved:
            break
    return done


def _one_turn_each(*, ends_at: float) -> int:
    """Each run has an equal share of the time that is left: slow items of one keep no other from its turn."""
    running = list(BulkRun.objects.filter(state=RunState.RUNNING).order_by("pk").values_list("pk", flat=True))
    moved = 0
    for waiting, run_id in zip(range(len(running), 0, -1), running, strict=True):
        at = time.monotonic()
        moved += carry_on_unless_broken(run_id, ends_at=at + (ends_at - at) / waiting)
    return moved


def carry_on_unless_broken(run_id: int, *, ends_at: float) -> int:
    """A run that cannot be carried out keeps no other from it."""
    try:
        return carry_on(run_id, ends_at=ends_at)
    except TimeIsUp:
        raise
    except Exception:
        log.exception("Bulk run %s could not go on; the next sweep takes it up.", run_id)
        return 0


def carry_on(run_id: int, *, ends_at: float) -> int:
    """Some more items of one run, until `ends_at` on the monotonic clock. How many have an outcome now.

    Those that another worker has at this moment are left to it.
    """
    left = BulkItem.objects.filter(run=run_id, outcome__isnull=True).order_by("position")
    moved = 0
    for item_id in list(left.values_list("pk", flat=True)[:AT_A_TIME]):
        if time.monotonic() >= ends_at:
            return moved
        if not carry_out_item(run_id, item_id):
            return moved
        moved += 1
    _finish_when_all_have_an_outcome(run_id)
    return moved


def _ours(run_id: int) -> BulkRun | None:
    """The run while it runs, locked; None while another worker or a person has it."""
    rows = BulkRun.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    return rows.select_related("starter").filter(pk=run_id, state=RunState.RUNNING).first()


@transaction.atomic
def carry_out_item(run_id: int, item_id: int) -> bool:
    """Do it with one exception and write down what came of it: both or neither. False when it is not ours to do."""
    run = _ours(run_id)
    if run is None or BulkOutcome.objects.filter(item=item_id).exists():
        return False
    item, at = BulkItem.objects.get(pk=item_id, run=run), now()
    state, detail = _attempt(run, item, at=at)
    BulkOutcome.objects.create(item=item, state=state, detail=detail[:500], at=at)
    return True


def _attempt(run: BulkRun, item: BulkItem, *, at: datetime) -> tuple[OutcomeState, str]:
    """In the name of who started it: may they, and is it as they saw it, is judged now."""
    try:
        with transaction.atomic():
            carry_out(item.case_id, run.instruction, revision=item.revision, by=run.starter, at=at, ref=run.ref)
            # Here and not at the end, where what the database refuses would undo the outcome with it, over and over.
            connection.check_constraints()
    except ChangedMeanwhile:
        return OutcomeState.SKIPPED, "It changed after you saw it."
    except NothingToDo as error:
        return OutcomeState.SKIPPED, str(error)
    except _REFUSED as error:
        record_refused_by_task(error, f"bulk run {run.kind}", item.case, by=run.starter, at=at, about=run.ref)
        return OutcomeState.FAILED, _words(error)
    except (TimeIsUp, OperationalError, InterfaceError):
        raise  # nothing is wrong with the exception: its turn comes again
    except Exception:
        log.exception("Item %s of bulk run %s failed.", item.pk, run.pk)
        return OutcomeState.FAILED, _FAULT
    return OutcomeState.DONE, ""


def _words(error: Exception) -> str:
    remedy = getattr(error, "remedy", "")
    return f"{error} {remedy}".strip() or type(error).__name__


@transaction.atomic
def _finish_when_all_have_an_outcome(run_id: int) -> None:
    run = _ours(run_id)
    if run is None:
        return
    outcomes = BulkOutcome.objects.filter(item__run=run).order_by()
    counts = dict(outcomes.values_list("state").annotate(number=Count("pk")))
    if sum(counts.values()) < run.count:
        return
    at = now()
    bulk_log.change(
        run,
        RunState.FINISHED,
        "bulk.finished",
        by=machine(WORKER),
        at=at,
        words="Finished",
        data={state.value: counts.get(state, 0) for state in OutcomeState},
        finished_at=at,
    )
