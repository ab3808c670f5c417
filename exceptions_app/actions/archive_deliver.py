"""Delivering packs to the archive: one at a time, each attempt under a lease, and settled only by who began it.

The lease and the state stand in the database. A worker that dies costs one lease; the next one removes what it left
half written, and what it had put in its place is recognised. So a pack is delivered at least once, and lies there once.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.timezone import now

from exceptions_app.actions import archive_log
from exceptions_app.archive_states import ArchiveState
from exceptions_app.export_states import ExportState
from exceptions_app.machines import ARCHIVE, machine
from exceptions_app.models import ArchiveDelivery, AuditExport
from exceptions_app.queries.audit_exports import bytes_of
from integrations.archives import ArchiveFailed, FileChanged, Parcel, keep
from integrations.doorbell import TimeIsUp
from integrations.models import Archive
from integrations.pull.sources import wait_after

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=15)
"""Longer than any attempt: integrations.archives.keeping.LONGEST, and the limit of the task."""
BUDGET = 120.0  # seconds of one task; the next one, a minute later, goes on
_FIRST_WAIT = 60  # seconds; twice as long each time, up to an hour


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt: the delivery as it was claimed, its archive and its pack."""

    delivery: ArchiveDelivery
    archive: Archive
    pack: AuditExport

    @property
    def file_name(self) -> str:
        return f"{self.delivery.day}.{self.pack.sha256}.evidence.zip"


def deliver_due() -> int:
    """Deliver what is due, the oldest first, until nothing is or the time is up. How many attempts there were."""
    ends_at, attempts = time.monotonic() + BUDGET, 0
    while time.monotonic() < ends_at and (begun := claim(at=now())) is not None:
        attempts += 1
        carry_out(begun)
    return attempts


@transaction.atomic
def claim(*, at: datetime) -> Begun | None:
    """The next delivery that is due by the database's clock, for the length of a lease; None while one is under way.

    The archive's row is locked first, so that of two workers the second sees what the first one took.
    """
    archives = Archive.objects.select_for_update(no_key=True).defer("secret")
    archive = archives.filter(in_use=True, paused_at=None).first()
    if archive is None:
        return None
    due = Q(state=ArchiveState.WAITING, next_at__lte=Now()) | Q(state=ArchiveState.DELIVERING, lease_until__lte=Now())
    rows = ArchiveDelivery.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    packed = rows.select_related("export").filter(due, export__state=ExportState.DONE, export__expires_at__gt=at)
    delivery = packed.order_by("state", "pk").first()  # one of a dead worker is “delivering”, and comes first
    if delivery is None or delivery.export is None:
        return None
    if ArchiveDelivery.objects.filter(state=ArchiveState.DELIVERING).exclude(pk=delivery.pk).exists():
        return None
    archive_log.set_to(
        delivery, state=ArchiveState.DELIVERING, attempts=delivery.attempts + 1, archive=archive, changed_at=at,
        lease_until=Now() + LEASE,
    )  # fmt: skip
    return Begun(delivery, archive, delivery.export)


def carry_out(begun: Begun) -> None:
    """Have the archive keep the pack, and settle the attempt. Raises TimeIsUp alone."""
    try:
        keep(
            begun.archive,
            Parcel(
                name=begun.file_name, size=begun.pack.size, sha256=begun.pack.sha256, attempt=begun.delivery.attempts,
                chunks=lambda: bytes_of(begun.pack),
            ),
        )  # fmt: skip
    except TimeIsUp:
        settle_failure(begun, ArchiveFailed("It took too long and was broken off."), at=now())
        raise
    except ArchiveFailed as failure:
        settle_failure(begun, failure, at=now())
    except Exception:
        log.exception("%s could not be delivered.", begun.delivery.ref)
        settle_failure(begun, ArchiveFailed("Something unexpected happened; the worker's log has it."), at=now())
    else:
        settle_delivered(begun, at=now())


def _ours(begun: Begun) -> ArchiveDelivery | None:
    """The delivery, locked, while it is this attempt's; None when its lease ran out and another one has it."""
    rows = ArchiveDelivery.objects.select_for_update(of=("self",), no_key=True)
    return rows.filter(
        pk=begun.delivery.pk, state=ArchiveState.DELIVERING, attempts=begun.delivery.attempts
    ).first()  # fmt: skip


@transaction.atomic
def settle_delivered(begun: Begun, *, at: datetime) -> bool:
    """The file lies there and was read back."""
    delivery = _ours(begun)
    if delivery is None:
        return False
    told = {
        "file": begun.file_name, "sha256": begun.pack.sha256, "bytes": begun.pack.size, "archive": begun.archive.slug,
        "pack": begun.pack.ref, "attempts": delivery.attempts,
    }  # fmt: skip
    archive_log.change(
        delivery, ArchiveState.DELIVERED, "archive.delivered", by=machine(ARCHIVE), at=at, data=told,
        summary=f"{delivery.ref} lies in {begun.archive} and was read back: {begun.file_name}.",
        archive=begun.archive, file_name=begun.file_name, sha256=begun.pack.sha256, size=begun.pack.size,
        delivered_at=at, lease_until=None, failures=0, problem="", told_at=None,
    )  # fmt: skip
    return True


@transaction.atomic
def settle_failure(begun: Begun, failure: ArchiveFailed, *, at: datetime) -> bool:
    """Wait for the next attempt; what lies there with other content waits for a person, and so does a wrong secret."""
    log.warning("%s was not delivered: %s", begun.delivery.ref, failure.problem)
    # In the order of `claim`, so that the two never wait for each other.
    archive = Archive.objects.select_for_update(no_key=True).defer("secret").get(pk=begun.archive.pk)
    delivery = _ours(begun)
    if delivery is None:
        return False
    failures, data = delivery.failures + 1, {"attempt": delivery.attempts, "problem": failure.problem}
    more: dict[str, Any] = {"lease_until": None, "failures": failures, "problem": failure.problem}
    if isinstance(failure, FileChanged):
        archive_log.change(
            delivery, ArchiveState.FAILED, "archive.failed", by=machine(ARCHIVE), at=at, data=data, told_at=at,
            summary=f"{delivery.ref} failed. {failure.problem}", **more,
        )  # fmt: skip
        archive_log.tell_administrators(delivery, at=at, words=failure.problem)
        return True
    wait = timedelta(0) if failure.pauses else wait_after(failures, _FIRST_WAIT, None)
    archive_log.change(
        delivery, ArchiveState.WAITING, "archive.attempt_failed", by=machine(ARCHIVE), at=at, data=data,
        summary=f"{delivery.ref} was not delivered: {failure.problem}", next_at=Now() + wait, **more,
    )  # fmt: skip
    if failure.pauses and not archive.is_paused:
        _pause(archive, delivery, failure, at=at)
    return True


def _pause(archive: Archive, delivery: ArchiveDelivery, failure: ArchiveFailed, *, at: datetime) -> None:
    """The machine stops where to go on is of no use; a person resumes."""
    archive.paused_at, archive.paused_because = at, failure.problem
    archive.save(update_fields=["paused_at", "paused_because"])
    archive_log.record(
        archive, "archive.paused", by=machine(ARCHIVE), at=at, because=failure.problem,
        summary=f"{archive} was paused: {failure.problem}",
    )  # fmt: skip
    archive_log.tell_administrators(delivery, at=at, words=f"{archive} was paused. {failure.problem}")
