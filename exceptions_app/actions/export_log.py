"""Exports of the audit trail in the audit trail, and the one place where one changes its state."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser

from audit import log
from exceptions_app.export_states import ExportState
from exceptions_app.machines import is_machine
from exceptions_app.models import AuditExport
from exceptions_app.queries.audit_page import LOG_SCOPE


def record(
    export: AuditExport,
    name: str,
    *,
    by: AbstractUser,
    at: datetime,
    words: str,
    data: Mapping[str, object] | None = None,
) -> None:
    """`words` begin with a capital and lead to the name of the export, such as “Ada paused”."""
    log.record(
        name,
        subject=export.subject,
        scope=LOG_SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=f"{words} {export.ref}, an export of the audit trail as {export.format_words}.",
        data={"format": export.form, **(data or {})},
        correlation_id=export.ref,
    )


def change(
    export: AuditExport,
    state: ExportState,
    name: str,
    *,
    by: AbstractUser,
    at: datetime,
    words: str,
    data: Mapping[str, object] | None = None,
    **changes: Any,
) -> AuditExport:
    """Give a locked export another state, with its audit event."""
    before = export.state
    set_to(export, state=state, changed_at=at, **changes)
    record(export, name, by=by, at=at, words=words, data={"from": before, "to": state.value, **(data or {})})
    return export


def set_to(export: AuditExport, **changes: Any) -> None:
    for field, value in changes.items():
        setattr(export, field, value)
    export.save(update_fields=list(changes))
