"""After a restore: nothing is sent, and nothing will be before its target is asked or people have found out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.sending import stop_all
from exceptions_app.wording import say
from integrations import delivery as engine
from integrations.models import ALL_SENDING, Restoration

LONGEST_REPEATS = timedelta(days=366)
_STOPPED = say("The database was restored from a backup.")


class StillAtWork(Exception):
    """Workers have something in their hands: this is no restored database at rest."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done. `doubted` has each connection for which something was under way in the backup."""

    restoration: Restoration
    doubted: Sequence[engine.Doubted]


@transaction.atomic
def note_restoration(*, by: AbstractUser, at: datetime, because: str, sources_repeat_for: timedelta) -> Restored:
    """Stop all sending, and have whatever may have been sent since the backup was made asked about before it is sent.

    That is what is under way, what is in the backup and not under way yet, and what comes in up to `sources_repeat_for`
    after it, since sources hand in again what they find missing. The lost installation sent nothing after `at`. Done
    again it does the same again. Raises StillAtWork, NotPermitted, Invalid.
    """
    if not timedelta() <= sources_repeat_for <= LONGEST_REPEATS:
        raise Invalid("sources_repeat_for", say("Write a time from 0 to {days} days.", days=LONGEST_REPEATS.days))
    stop = stop_all(by=by, at=at, because=f"{_STOPPED} {because}")
    deliveries = engine.lock_all_under_way()
    _refuse_while_at_work()
    restoration = Restoration.objects.create(
        restored_at=at, repeats_until=at + sources_repeat_for, because=because[:300], noted_by=by.get_username()
    )
    doubted = engine.doubt(deliveries, at=at)
    log.record(
        "sending.restored",
        subject=ALL_SENDING,
        scope=SCOPE,
        actor=by.get_username(),
        at=at,
        summary=f"{by} noted that the database was restored from a backup. {len(deliveries)} deliveries were under way"
        " in it; nothing is sent before the target is asked.",
        because=because,
        data={
            "stopped_at": stop.stopped_at,
            "repeats_until": restoration.repeats_until,
            "under_way": {
                one.connection.slug: {"number": one.number, "was_sent": one.was_sent, "can_be_asked": one.can_be_asked}
                for one in doubted
            },
        },
    )
    return Restored(restoration, doubted)


def _refuse_while_at_work() -> None:
    work = engine.at_work()
    if work is None:
        return
    if work.until is None:
        when = "and hold it although their time is over: end those processes first"
    else:
        when = f"until {work.until:%Y-%m-%d %H:%M:%S} UTC at the longest"
    raise StillAtWork(
        f"Workers have {work.number} deliveries in their hands, {when}. Nothing was changed. Stop the workers; this is "
        "for a database that was just restored, before it does any work."
    )
