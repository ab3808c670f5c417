"""The waits of whole targets, ended."""

from datetime import timedelta

from django.db.models.functions import Now

from integrations.models import Gate


def gates_open() -> None:
    """What a target asked for is over, and the next canary is due."""
    past = Now() - timedelta(seconds=1)
    Gate.objects.filter(quiet_until__isnull=False).update(quiet_until=past)
    Gate.objects.filter(canary_at__isnull=False).update(canary_at=past)
