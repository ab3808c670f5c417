"""An archive in a test: what was closed, its pack, and the turns of a worker."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db.models.functions import Now
from django.utils.timezone import now

from exceptions_app.actions import archive_deliver, archive_plan, export_make
from exceptions_app.actions.connections import save_configuration
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ArchiveDelivery, ExceptionCase
from integrations.models import Archive
from tests import factories
from tests.cast import MORNING, Cast
from tests.s3_server import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, S3Server
from tests.sealing import seal
from tests.sftp_server import PASSWORD, USER, SftpServer

DAY = datetime(2026, 10, 10, tzinfo=UTC)


def switched_on(slug: str = "evidence", **given: Any) -> Archive:
    archive = Archive(slug=slug, **{"name": "Evidence archive", "in_use": True} | given)
    archive.full_clean()
    save_configuration(archive, by=machine(SETUP), at=MORNING, because="For this test.")
    return archive


def folder_archive(settings: Any, root: Path) -> Archive:
    settings.ARCHIVE_FOLDER = str(root)
    return switched_on(kind="folder", settings={"folder": "evidence"})


def sftp_archive(server: SftpServer, *, secret: str = PASSWORD, **more: Any) -> Archive:
    (server.root / "kept").mkdir(exist_ok=True)
    given = {
        "host": "127.0.0.1", "port": server.port, "user": USER, "folder": "/kept", "host_keys": [server.host_key],
    } | more  # fmt: skip
    return switched_on(kind="sftp", settings=given, secret=secret, timeout_seconds=2)


def s3_archive(server: S3Server, *, secret: str = SECRET_KEY, **more: Any) -> Archive:
    given = {
        "endpoint": server.endpoint, "region": REGION, "bucket": BUCKET, "access_key": ACCESS_KEY, "folder": "kept",
    } | more  # fmt: skip
    return switched_on(kind="s3", settings=given, secret=secret, timeout_seconds=2)


def closed(cast: Cast, name: str, *, day: datetime = DAY) -> ExceptionCase:
    at = day + timedelta(hours=9)
    case = factories.claim(factories.make_case(cast, number=name, opened_at=at), cast.clerk)
    return factories.dismiss(case, cast.clerk, approver=cast.controller, at=at)


def packed(cast: Cast, name: str = "INV-1") -> ArchiveDelivery:
    """A delivery of one exception, whose pack is ready."""
    closed(cast, name)
    delivery = archive_plan.plan_next(at=now())
    assert delivery is not None
    make_packs()
    return delivery


def make_packs() -> None:
    seal(limit=10_000, at=now())
    while export_make.carry_on_due():
        pass


def deliver(delivery: ArchiveDelivery) -> ArchiveDelivery:
    """One turn of a worker, with whatever waits due; and the row as it is afterwards."""
    ArchiveDelivery.objects.filter(state="waiting").update(next_at=Now())
    archive_deliver.deliver_due()
    delivery.refresh_from_db()
    return delivery


def lying_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
