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
    intake.read_messages(limit=200, at=now())


def _end_holds() -> None:
    ended = ExceptionCase.objects.filter(state=State.WAITING, held_until__lte=now())
    for case_id in ended.values_list("pk", flat=True):
        try:
            work.wake(case_id, at=now())
        except Exception:
            # Somebody may have resumed it in this very moment.
            log.exception("The hold of exception %s could not be ended.", case_id)
