"""Periodic work. The schedule is the composition root's."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from audit import seal as sealer

BATCH = 1000


@shared_task
def seal() -> None:
    """Seal all that is ready, one checkpoint for each batch. A second sealer at work makes this end at once."""
    while sealer.seal(limit=BATCH, at=timezone.now()) == BATCH:
        continue
