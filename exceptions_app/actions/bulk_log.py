"""Bulk runs in the audit trail, and the one place where a run changes its state.

A run may reach over queues and legal entities, and whoever reads the trail of one need not see the others. So its
events have no amount, value or reason; those are in the event of each exception, for whoever may read that.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser

from audit import log
from exceptions_app.bulk_states import RunState
from exceptions_app.machines import is_machine
from exceptions_app.models import BulkRun
from exceptions_app.queries.audit_page import LOG_SCOPE


def lock_run(run_id: int) -> BulkRun:
    """The row, locked until the transaction ends. Whoever locks exceptions as well locks the run first."""
    rows = BulkRun.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("starter").get(pk=run_id)


def record(
    run: BulkRun, name: str, *, by: AbstractUser, at: datetime, words: str, data: Mapping[str, object] | None = None
) -> None:
    log.record(
        name,
        subject=run.subject,
        scope=LOG_SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=f"{words} {run.ref}: {run.kind_words.lower()}, {run.count} exception{'' if run.count == 1 else 's'}.",
        data={"kind": run.kind, "count": run.count, "frozen_sha256": run.frozen_sha256, **(data or {})},
        correlation_id=run.ref,
    )


def change(
    run: BulkRun,
    state: RunState,
    name: str,
    *,
    by: AbstractUser,
    at: datetime,
    words: str,
    data: Mapping[str, object] | None = None,
    **changes: Any,
) -> BulkRun:
    """Give a locked run another state, with its audit event."""
    before = run.state
    changes = {"state": state, "changed_at": at, **changes}
    for field, value in changes.items():
        setattr(run, field, value)
    run.save(update_fields=list(changes))
    record(run, name, by=by, at=at, words=words, data={"from": before, "to": state.value, **(data or {})})
    return run
