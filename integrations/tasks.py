"""What workers do for other systems' sake. Thin."""

import logging
from typing import Any

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.utils.timezone import now

from integrations import folder
from integrations.models import Connection

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
