"""Batches in the audit trail, and the one place where a batch changes its state."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser

from audit import log
from exceptions_app.batch_states import BatchState
from exceptions_app.machines import is_machine
from exceptions_app.models import ReplayBatch


def lock_batch(batch_id: int) -> ReplayBatch:
    """The row, locked until the transaction ends. Whoever locks exceptions as well locks the batch first."""
    rows = ReplayBatch.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("connection", "proposer").get(pk=batch_id)


def record(
    batch: ReplayBatch,
    name: str,
    *,
    by: AbstractUser,
    at: datetime,
    summary: str,
    because: str = "",
    data: Mapping[str, object] | None = None,
) -> None:
    """An event about a batch. Whoever may read the log where the connection's routes lead may read it."""
    log.record(
        name,
        subject=batch.subject,
        scope=f"connection/{batch.connection.slug}",
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=summary,
        because=because,
        data=data or {},
        correlation_id=batch.ref,
    )


def change(
    batch: ReplayBatch,
    state: BatchState,
    name: str,
    *,
    by: AbstractUser,
    at: datetime,
    summary: str,
    because: str = "",
    data: Mapping[str, object] | None = None,
    **changes: Any,
) -> ReplayBatch:
    """Give a locked batch another state, or keep it and change what `changes` name, with its audit event."""
    before = batch.state
    batch.state = state
    changes = {"changed_at": at, **changes}
    for field, value in changes.items():
        setattr(batch, field, value)
    batch.save(update_fields=["state", *changes])
    record(
        batch,
        name,
        by=by,
        at=at,
        summary=summary,
        because=because,
        data={"from": before, "to": state.value, **(data or {})},
    )
    return batch
