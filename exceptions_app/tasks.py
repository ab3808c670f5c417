"""What workers do when the doorbell rings or the sweeper comes by. Thin: each task is one call into the domain."""

import logging
from typing import Any

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.utils.timezone import now

from exceptions_app import intake, replays
from exceptions_app.actions import work
from exceptions_app.models import ExceptionCase
from exceptions_app.states import State

log = logging.getLogger(__name__)

MESSAGES_A_SWEEP = 200


@shared_task
def sweep(**_from_newer_senders: Any) -> None:
    """Everything that is due: messages to read, holds that end, deliveries to carry out. None keeps another waiting."""
    for step in (_read_messages, _end_holds, replays.carry_out_due):
        try:
            step()
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("The sweep broke off in %s; the next one takes it up.", step.__name__)


def _read_messages() -> None:
    for _ in range(MESSAGES_A_SWEEP):  # each at the time of its own reading, as the audit trail tells it
        if not intake.read_messages(limit=1, at=now()):
            return


def _end_holds() -> None:
    ended = ExceptionCase.objects.filter(state=State.WAITING, held_until__lte=now())
    for case_id in ended.values_list("pk", flat=True):
        try:
            work.wake(case_id, at=now())
        except Exception:
            # Somebody may have resumed it in this very moment.
            log.exception("The hold of exception %s could not be ended.", case_id)
