"""What workers do when the doorbell rings or the sweeper comes by. Thin: each task is one call into the domain."""

import logging
import time
from datetime import datetime
from typing import Any

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.utils.timezone import now

from exceptions_app import intake, replays
from exceptions_app.actions import (
    access_review_due,
    archive_deliver,
    archive_plan,
    bulk_carry,
    compare,
    emergencies,
    export_make,
    handover_release,
    inbox,
    mapping_prepare,
    purge,
    refused,
    scoring,
    snoozing,
    technical_retry,
    waiting,
    work,
)
from exceptions_app.emergency_marks import marked_as_running
from exceptions_app.machines import WORKER
from exceptions_app.models import ExceptionCase
from exceptions_app.states import State
from exceptions_app.views.case_paper import case_paper_for

log = logging.getLogger(__name__)

LONGEST_COMPARISON = 1800  # seconds
LONGEST_EXPORT = 600  # seconds; a turn ends after a few, but the digest of a large file is one step
LONGEST_ARCHIVE = 780  # seconds; a turn of archive_deliver.BUDGET, and the attempt that was begun last
COMPARE_EXPIRES = 60.0  # seconds; then it is looked for again which are due
_MOST_SCORINGS = 10  # of some hundred each
READING = 20.0  # seconds of one sweep for messages; the next one goes on


@shared_task
def sweep(**_from_newer_senders: Any) -> None:
    """Everything that is due, none keeping another waiting: what was approved first, then messages and holds that end.

    Raises SoftTimeLimitExceeded, so that the worker ends the task instead of being killed with it.
    """
    for step in (
        replays.carry_out_due,
        _read_messages,
        _end_holds,
        _end_snoozes,
        _score_anew,
        _release_waiting,
        _release_deliveries,
        _retry_technical,
        _tell_what_arrived,
        bulk_carry.carry_on_due,
        mapping_prepare.carry_on_due,
    ):
        try:
            with marked_as_running():
                step()
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("The sweep broke off in %s; the next one takes it up.", step.__name__)


@shared_task
def compare_due(**_from_newer_senders: Any) -> None:
    """Have what is proven compared with the list of each target that is due, each by a task of its own."""
    for connection_id in compare.due(at=now()):
        try:
            compare_target.apply_async((connection_id,), expires=COMPARE_EXPIRES, retry=False)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the client raises, it is still due a minute later
            log.warning("Connection %s is not compared now: %s.", connection_id, type(error).__name__)


@shared_task(soft_time_limit=LONGEST_EXPORT, time_limit=LONGEST_EXPORT + 60)
def make_exports(**_from_newer_senders: Any) -> None:
    """Files of the audit trail that people wait for, beside the sweep: what was approved never waits for them."""
    export_make.carry_on_due(case_paper_for)
    export_make.remove_expired(at=now())


@shared_task(soft_time_limit=LONGEST_ARCHIVE, time_limit=LONGEST_ARCHIVE + 60)
def archive_due(**_from_newer_senders: Any) -> None:
    """Evidence of what was closed, on its way to the archive; none of the steps keeps another waiting."""
    for step in (_plan_archive, archive_plan.mend_packs, archive_plan.tell_overdue, _deliver_to_archive):
        try:
            step(at=now())
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("The archive broke off in %s; the next minute takes it up.", step.__name__)


def _plan_archive(*, at: datetime) -> None:
    archive_plan.plan_next(at=at)


def _deliver_to_archive(*, at: datetime) -> None:  # noqa: ARG001 - each attempt looks at the clock itself
    archive_deliver.deliver_due()


@shared_task
def tell_refused(**_from_newer_senders: Any) -> None:
    """What was only counted of refused attempts has its event when its minute is over."""
    refused.tell_left_out(at=now())


@shared_task(soft_time_limit=LONGEST_COMPARISON, time_limit=LONGEST_COMPARISON + 60)
def compare_target(connection_id: int, **_from_newer_senders: Any) -> None:
    """Compare with the list of one target."""
    compare.compare_unless_done(connection_id, at=now())


@shared_task
def purge_due(**_from_newer_senders: Any) -> None:
    """Erase what policies of retention no longer keep, some at a time; the rest an hour later."""
    purge.purge_due(at=now())


@shared_task
def emergencies_due(**_from_newer_senders: Any) -> None:
    """Emergencies whose time is over: what they gave counts no more already, and is taken away."""
    emergencies.end_due(at=now())


@shared_task
def access_reviews_due(**_from_newer_senders: Any) -> None:
    """End what nobody confirmed in the reviews whose time is over. One that breaks off is taken up a minute later."""
    for review_id in access_review_due.due(at=now()):
        try:
            access_review_due.end_due_review(review_id, at=now())
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("The review of access %s could not be ended.", review_id)


def _read_messages() -> None:
    ends_at = time.monotonic() + READING
    while intake.read_messages(limit=1, at=now()):  # each at the time of its own reading, as the audit trail tells it
        if time.monotonic() >= ends_at:
            return


def _end_holds() -> None:
    ended = ExceptionCase.objects.filter(state=State.WAITING, held_until__lte=now())
    for case_id in ended.values_list("pk", flat=True):
        try:
            work.end_hold(case_id, at=now())
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            # Somebody may have resumed it in this very moment.
            log.exception("The hold of exception %s could not be ended.", case_id)


def _end_snoozes() -> None:
    for case_id in snoozing.due(at=now()):
        try:
            snoozing.end_snooze(case_id, at=now())
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("The snooze of exception %s could not be ended.", case_id)


def _score_anew() -> None:
    """A new day has begun somewhere, or rates have come: at most so many in one sweep, the next one goes on."""
    for _ in range(_MOST_SCORINGS):
        if not scoring.score_due(at=now()):
            return


def _release_waiting() -> None:
    """What waits for a predecessor is released with it; here are those that missed it, and those whose time is up."""
    for transaction_id in handover_release.waiting():
        try:
            handover_release.release(transaction_id, by=WORKER, at=now())
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("Transaction %s could not be released.", transaction_id)


def _release_deliveries() -> None:
    """Approved exceptions that wait for what must come before them."""
    for delivery_id in waiting.waiting():
        try:
            waiting.release(delivery_id, at=now())
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("Delivery %s could not be released.", delivery_id)


def _retry_technical() -> None:
    """What came in refused for a technical reason alone, where its connection opted in."""
    for case_id in technical_retry.due():
        try:
            technical_retry.retry(case_id, at=now())
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("Exception %s could not be tried again.", case_id)


def _tell_what_arrived() -> None:
    """Who waits for something by its source's identifier is told when it is there."""
    for expectation_id in inbox.expected(at=now()):
        try:
            inbox.look_for(expectation_id, at=now())
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("What expectation %s waits for could not be looked for.", expectation_id)
