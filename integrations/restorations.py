"""What a database that was restored from a backup cannot know: what was sent after the backup was made."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from integrations.models import Restoration


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What came in by a certain time may have been sent up to `until` by an installation that is lost."""

    until: datetime


def forgotten_since(came_in_at: datetime) -> Forgotten | None:
    """Whether what came in then may have been sent without a trace; None when nothing was restored after it."""
    last = Restoration.objects.filter(repeats_until__gt=came_in_at).order_by("-restored_at").first()
    return Forgotten(last.restored_at) if last is not None else None


def still_to_show(settle_time: timedelta, *, now: datetime) -> timedelta | None:
    """How long what was sent before the last restoration may still take to show at a target; None when it has."""
    last = _last()
    if last is None or last.restored_at + settle_time <= now:
        return None
    return last.restored_at + settle_time - now


def name_of_this_life() -> str:
    """Tells the numbers given since the last restoration from the same numbers given before; empty without one."""
    last = _last()
    return f"restored:{last.restored_at.isoformat()}" if last is not None else ""


def _last() -> Restoration | None:
    return Restoration.objects.order_by("-restored_at").first()
