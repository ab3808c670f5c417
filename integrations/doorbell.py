"""The doorbell: tells the workers that something is due. A lost ring costs seconds, never work: they also sweep."""

import logging

from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import transaction

from integrations.breaker import Breaker
from integrations.crash_points import Point, passing

log = logging.getLogger(__name__)

TimeIsUp = SoftTimeLimitExceeded  # raised anywhere in a task whose time is over: never the fault of what is at hand

breaker = Breaker(rest=10)


def ring_on_commit() -> None:
    """Ask a worker to look, once this transaction is committed. A broker that is down changes nothing."""
    waiting = transaction.get_connection().run_on_commit
    if all(callback is not _ring for _, callback, _ in waiting):  # a thousand messages need one ring
        transaction.on_commit(_ring, robust=True)


def _ring() -> None:
    passing(Point.BELL_DUE)
    if breaker.is_resting:
        return
    try:
        current_app.send_task(settings.DOORBELL_TASK, retry=False)
    except Exception as error:  # noqa: BLE001 - whatever the client raises, the sweeper finds the work
        breaker.failed()
        log.warning("The doorbell is out of order (%s); the sweeper will find the work.", type(error).__name__)
