"""What workers do when the doorbell rings or the sweeper comes by. Thin: each task is one call into the domain."""

from typing import Any

from celery import shared_task
from django.utils.timezone import now

from exceptions_app import intake, replays
from exceptions_app.actions import work
from exceptions_app.models import ExceptionCase
from exceptions_app.states import State


@shared_task
def sweep(**_from_newer_senders: Any) -> None:
    """Everything that is due: messages to read, deliveries to carry out, holds that end."""
    intake.read_messages(limit=200, at=now())
    for case_id in ExceptionCase.objects.filter(state=State.WAITING, held_until__lte=now()).values_list(
        "pk", flat=True
    ):
        work.wake(case_id, at=now())
    replays.carry_out_due()
