"""What workers do for other systems' sake. Thin."""

import logging
from typing import Any

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.utils.timezone import now

from integrations import folder
from integrations.models import Connection
from integrations.pull import sources

log = logging.getLogger(__name__)


@shared_task
def collect_folders(**_from_newer_senders: Any) -> None:
    """Take in what was dropped into the watched folders. Trouble with one keeps no other waiting."""
    for connection in Connection.objects.exclude(watched_folder="").order_by("pk"):
        try:
            folder.collect(connection, at=now())
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("The folder of %s cannot be read.", connection)


@shared_task
def pull_due(**_from_newer_senders: Any) -> None:
    """Have every source fetched from that is due, each by a task of its own: one that hangs holds up no other work."""
    for source_id in sources.claim_due():
        try:
            pull_source.apply_async((source_id,), expires=sources.LONGEST_QUEUE, retry=False)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the client raises
            sources.give_back(source_id)
            log.warning("Source %s is not pulled now: the broker is away (%s).", source_id, type(error).__name__)


@shared_task(soft_time_limit=sources.LONGEST_PULL, time_limit=sources.LONGEST_PULL + 30)
def pull_source(source_id: int, **_from_newer_senders: Any) -> None:
    """Fetch from one source."""
    sources.pull_claimed(source_id, at=now())
