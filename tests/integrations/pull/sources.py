"""Sources for tests, configured as an administrator configures them."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db.models.functions import Now

from exceptions_app.actions.connections import save_configuration
from exceptions_app.machines import SETUP, machine
from integrations.models import PullSource
from integrations.pull import sources
from integrations.pull.outcome import Pulled
from tests.arrivals import refused_invoice, report_on
from tests.cast import MORNING, Cast
from tests.sftp_server import PASSWORD, USER, SftpServer


def configured(cast: Cast, *, slug: str = "partner", **given: Any) -> PullSource:
    source = PullSource(connection=cast.connection, slug=slug, name="Partner", **given)
    source.full_clean()
    save_configuration(source, by=machine(SETUP), at=MORNING, because="For this test.")
    return source


def sftp_source(cast: Cast, server: SftpServer, *, secret: str = PASSWORD, **settings: Any) -> PullSource:
    """A source that takes a file at the first look, unless the settings say otherwise."""
    given = {
        "host": "127.0.0.1", "port": server.port, "user": USER, "folder": "/out", "host_keys": [server.host_key],
        "quiet_seconds": 0,
    }  # fmt: skip
    return configured(cast, kind="sftp", settings=given | settings, secret=secret)


def pull(source: PullSource, *, at: datetime = MORNING) -> Pulled | None:
    """Pull, and read the row anew."""
    pulled = sources.pull(source.pk, at=at)
    source.refresh_from_db()
    return pulled


def waits_for(source: PullSource) -> timedelta:
    """How long until it is due, by the database's clock."""
    moment = PullSource.objects.filter(pk=source.pk).values_list(Now(), flat=True).get()
    return source.next_due_at - moment


def drop(out: Path, name: str = "INV-1001", *, payload: bytes = b"", refusal: bytes | None = None) -> None:
    (out / f"{name}.xml").write_bytes(payload or refused_invoice())
    (out / f"{name}.refusal.xml").write_bytes(report_on(refused_invoice()) if refusal is None else refusal)


def lying_in(place: Path) -> list[str]:
    return sorted(path.name for path in place.rglob("*") if not path.is_dir() or path.is_symlink())


def in_folder(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir() if not path.is_dir())
