"""What goes to the archive, day by day: the exceptions of a day that is over are listed once, and their pack is made.

Only while an archive is switched on; and one pack at a time, so that people's exports do not wait for a long past.
"""

from datetime import UTC, datetime, timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import Max, Q
from django.db.models.functions import Now

from exceptions_app.actions import archive_log
from exceptions_app.actions.export_start import start_pack_for
from exceptions_app.archive_states import GRACE, MOST_IN_ONE, OVERDUE, UNDELIVERED, ArchiveState
from exceptions_app.export_states import UNFINISHED, ExportState
from exceptions_app.machines import ARCHIVE, machine
from exceptions_app.models import ArchivedCase, ArchiveDelivery
from exceptions_app.models.archive import NOT_LISTED
from exceptions_app.models.case import REF_PREFIX
from integrations.models import Archive

_DAY = timedelta(days=1)
_LOOKED_AT_AGAIN = timedelta(days=7)  # before the newest day, for what was committed later than anything should be
_CLOSED = f"""FROM public.exceptions_app_exceptioncase c
    WHERE c.state IN ('resolved', 'dismissed') AND c.closed_at >= %s AND c.closed_at < %s AND {NOT_LISTED}"""
_OLDEST = f"SELECT min(c.closed_at) {_CLOSED}"
_OF_THE_DAY = f"SELECT c.id, c.closed_at {_CLOSED} ORDER BY c.id LIMIT {MOST_IN_ONE} FOR NO KEY UPDATE OF c"
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
MOST_MENDED = 20


def plan_next(*, at: datetime) -> ArchiveDelivery | None:
    """List what was closed on the oldest day of which anything is not listed yet; None when there is nothing to do."""
    with transaction.atomic():
        archive = Archive.objects.select_for_update(no_key=True).defer("secret").filter(in_use=True).first()
        end = _beginning_of_day(at - GRACE)
        if archive is None or (archive.looked_until is not None and archive.looked_until >= end) or _is_packing():
            return None
        since = _oldest_day(before=end)
        if since is None:
            Archive.objects.filter(pk=archive.pk).update(looked_until=end)
            return None
        return _planned(since, at=at)


def _beginning_of_day(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _is_packing() -> bool:
    waiting = ArchiveDelivery.objects.filter(state__in=UNDELIVERED)
    return waiting.filter(export__state__in=UNFINISHED - {ExportState.FAILED}).exists()


def _oldest_day(*, before: datetime) -> datetime | None:
    newest = ArchiveDelivery.objects.aggregate(since=Max("since"))["since"]
    with database.cursor() as cursor:
        cursor.execute(_OLDEST, [newest - _LOOKED_AT_AGAIN if newest else _EVER, before])
        (oldest,) = cursor.fetchone()
    return _beginning_of_day(oldest) if oldest else None


def _planned(since: datetime, *, at: datetime) -> ArchiveDelivery:
    with database.cursor() as cursor:
        cursor.execute(_OF_THE_DAY, [since, since + _DAY])
        cases = list(cursor.fetchall())
    delivery = ArchiveDelivery.objects.create(
        since=since, until=since + _DAY, count=len(cases), planned_at=at, asked_at=at, changed_at=at
    )
    ArchivedCase.objects.bulk_create(
        ArchivedCase(delivery=delivery, case_id=number, closed_at=closed_at) for number, closed_at in cases
    )
    pack = start_pack_for(delivery, at=at)
    archive_log.set_to(delivery, export=pack)
    archive_log.record(
        delivery, "archive.planned", by=machine(ARCHIVE), at=at,
        summary=f"{delivery.ref}: {len(cases)} exceptions that were closed on {delivery.day} go to the archive.",
        data={
            "day": delivery.day, "exceptions": [f"{REF_PREFIX}{number}" for number, _ in cases],
            "pack": pack.ref,
        },
    )  # fmt: skip
    return delivery


def mend_packs(*, at: datetime) -> None:
    """A pack that is not there any more is made anew; one that could not be made needs a person.

    One at a time as `plan_next` does it, and none while nothing can be delivered: it would be gone again before.
    """
    if not Archive.objects.filter(in_use=True, paused_at=None).exists():
        return
    idle = Q(state=ArchiveState.WAITING) | Q(state=ArchiveState.DELIVERING, lease_until__lte=Now())
    lost = [ExportState.GONE, ExportState.FAILED, ExportState.CANCELLED]
    found = ArchiveDelivery.objects.filter(idle, export__state__in=lost).order_by("pk")
    for number in list(found.values_list("pk", flat=True)[:MOST_MENDED]):
        if _is_packing():
            return
        _mend_pack(number, at=at)


@transaction.atomic
def _mend_pack(delivery_id: int, *, at: datetime) -> None:
    rows = ArchiveDelivery.objects.select_for_update(of=("self",), no_key=True).select_related("export")
    delivery = rows.get(pk=delivery_id)
    if delivery.state == ArchiveState.DELIVERING:
        archive_log.change(
            delivery, ArchiveState.WAITING, "archive.attempt_failed", by=machine(ARCHIVE), at=at, lease_until=None,
            summary=f"{delivery.ref} was not delivered: its worker died, and its pack is gone since.",
        )  # fmt: skip
    pack = delivery.export
    if delivery.state != ArchiveState.WAITING or pack is None:
        return
    if pack.state == ExportState.GONE:
        pack_anew(delivery, at=at)
    elif pack.state in (ExportState.FAILED, ExportState.CANCELLED):
        problem = f"Its pack {pack.ref} could not be made: {pack.problem}"[:500]
        archive_log.change(
            delivery, ArchiveState.FAILED, "archive.failed", by=machine(ARCHIVE), at=at, problem=problem, told_at=at,
            summary=f"{delivery.ref} failed. {problem}",
        )  # fmt: skip
        archive_log.tell_administrators(delivery, at=at, words=problem)


def pack_anew(delivery: ArchiveDelivery, *, at: datetime) -> None:
    """Have another pack made of what a locked delivery lists: a file of seven days ago is gone."""
    pack = start_pack_for(delivery, at=at)
    archive_log.set_to(delivery, export=pack)
    archive_log.record(
        delivery, "archive.packed_anew", by=machine(ARCHIVE), at=at, data={"pack": pack.ref},
        summary=f"{delivery.ref} gets another pack, {pack.ref}.",
    )  # fmt: skip


def tell_overdue(*, at: datetime) -> int:
    """Tell the administrators once of each delivery that takes too long, whatever the reason. How many."""
    late = ArchiveDelivery.objects.filter(
        state__in=[ArchiveState.WAITING, ArchiveState.DELIVERING], told_at=None, asked_at__lte=at - OVERDUE
    )
    return sum(_tell_overdue(number, at=at) for number in list(late.order_by("pk").values_list("pk", flat=True)))


@transaction.atomic
def _tell_overdue(delivery_id: int, *, at: datetime) -> int:
    rows = ArchiveDelivery.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    delivery = rows.filter(pk=delivery_id, told_at=None).first()
    if delivery is None:
        return 0
    hours = int((at - delivery.asked_at).total_seconds() // 3600)
    words = f"It is not in the archive after {hours} hours. {delivery.problem or 'Its pack is not ready.'}"
    archive_log.set_to(delivery, told_at=at)
    archive_log.record(
        delivery, "archive.overdue", by=machine(ARCHIVE), at=at, summary=f"{delivery.ref}: {words}",
        data={"hours": hours, "attempts": delivery.attempts},
    )  # fmt: skip
    archive_log.tell_administrators(delivery, at=at, words=words)
    return 1
