"""Periodic work of the composition itself. Thin."""

from typing import Any

from celery import shared_task
from django.utils.timezone import now

from workbench import sessions


@shared_task
def clear_sessions(**_from_newer_senders: Any) -> None:
    """Delete sessions that are over. Nothing reads them, and the sign-in by a provider leaves many that nobody used."""
    sessions.clear_expired(at=now())
