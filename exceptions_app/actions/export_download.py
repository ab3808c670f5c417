"""Handing out the file of an export: who may read it is asked again, and that it was taken is an event."""

from collections.abc import Iterator
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app.actions import export_log
from exceptions_app.export_states import ExportState
from exceptions_app.models import AuditExport
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.audit_exports import bytes_of, may_read, may_see_paper
from exceptions_app.wording import say


class NoFile(Exception):
    """The export has no file, not yet or not any more; in words for the person."""


def download_export(export: AuditExport, *, by: AbstractUser, at: datetime) -> Iterator[bytes]:
    """The bytes of the file. Raises NotPermitted and NoFile."""
    if not (may_read(by, export) and may_see_paper(by, export)):
        raise NotPermitted(say("You may not read all that is in this export."))
    with transaction.atomic():
        found = AuditExport.objects.select_for_update(of=("self",), no_key=True).get(pk=export.pk)
        if found.state != ExportState.DONE or found.expires_at is None or found.expires_at <= at:
            state = ExportState.GONE if found.state == ExportState.DONE else ExportState(found.state)
            found.state = state
            raise NoFile(f"{found.ref} has no file: it is {found.state_words}.")
        told = {"rows": found.rows, "sha256": found.sha256}
        export_log.record(found, "audit.export_downloaded", by=by, at=at, words=f"{by} took the file of", data=told)
    return bytes_of(found)
