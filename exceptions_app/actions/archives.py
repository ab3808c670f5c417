"""What administrators do about the archive: pause it, resume it, have it tried now, have something delivered again."""

from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models.functions import Now

from exceptions_app.actions import archive_log
from exceptions_app.actions.archive_plan import pack_anew
from exceptions_app.actions.grants import require_administrator
from exceptions_app.actions.mover import Invalid
from exceptions_app.archive_states import ArchiveState
from exceptions_app.export_states import ExportState
from exceptions_app.models import ArchiveDelivery
from exceptions_app.wording import say
from integrations.models import Archive


@transaction.atomic
def pause_archive(archive_id: int, *, by: AbstractUser, at: datetime, because: str) -> Archive:
    """Deliver nothing more until it is resumed; nothing is erased meanwhile that was not delivered."""
    archive = _locked(archive_id, by=by)
    if archive.is_paused:
        return archive
    return _switch(archive, "archive.paused", by=by, at=at, because=because, words="paused", paused_at=at)


@transaction.atomic
def resume_archive(archive_id: int, *, by: AbstractUser, at: datetime, because: str) -> Archive:
    """Go on with what waits, at once."""
    archive = _locked(archive_id, by=by)
    if not archive.is_paused:
        return archive
    _due_now()
    return _switch(archive, "archive.resumed", by=by, at=at, because=because, words="resumed", paused_at=None)


@transaction.atomic
def try_now(archive_id: int, *, by: AbstractUser, at: datetime, because: str) -> Archive:
    """Have all that waits tried within a minute. Raises Invalid while it is paused or switched off."""
    archive = _locked(archive_id, by=by)
    if archive.is_paused or not archive.in_use:
        raise Invalid("archive", say("{archive} is paused or switched off.", archive=archive))
    _due_now()
    archive_log.record(
        archive, "archive.asked", by=by, at=at, because=because, summary=f"{by} had {archive} tried at once."
    )
    return archive


@transaction.atomic
def deliver_again(delivery_id: int, *, by: AbstractUser, at: datetime, because: str) -> ArchiveDelivery:
    """Have one that failed, or that was lost there, delivered again. Raises NotPermitted, Invalid."""
    require_administrator(by)
    rows = ArchiveDelivery.objects.select_for_update(of=("self",), no_key=True).select_related("export")
    delivery = rows.get(pk=delivery_id)
    if not delivery.may_go_again:
        raise Invalid("delivery", say("{ref} is on its way already.", ref=delivery.ref))
    archive_log.change(
        delivery, ArchiveState.WAITING, "archive.asked_again", by=by, at=at, because=because,
        summary=f"{by} had {delivery.ref} delivered again.", asked_at=at, next_at=Now(), told_at=None, failures=0,
        problem="",
    )  # fmt: skip
    pack = delivery.export
    if pack is None or pack.state != ExportState.DONE or pack.expires_at is None or pack.expires_at <= at:
        pack_anew(delivery, at=at)
    return delivery


def _locked(archive_id: int, *, by: AbstractUser) -> Archive:
    require_administrator(by)
    return Archive.objects.select_for_update(no_key=True).defer("secret").get(pk=archive_id)


def _due_now() -> None:
    ArchiveDelivery.objects.filter(state=ArchiveState.WAITING).update(next_at=Now())


def _switch(
    archive: Archive, name: str, *, by: AbstractUser, at: datetime, because: str, words: str, paused_at: datetime | None
) -> Archive:
    archive.paused_at, archive.paused_because = paused_at, because[:500] if paused_at else ""
    archive._history_user = by
    archive.save(update_fields=["paused_at", "paused_because"])
    archive_log.record(archive, name, by=by, at=at, because=because, summary=f"{by} {words} {archive}.")
    return archive
