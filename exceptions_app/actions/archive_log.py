"""Deliveries to the archive in the audit trail, and the one place where one changes its state."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser

from audit import log
from exceptions_app.actions import notify
from exceptions_app.actions.connections import SCOPE
from exceptions_app.archive_states import ArchiveState
from exceptions_app.machines import is_machine
from exceptions_app.models import ArchiveDelivery
from integrations.models import Archive


def record(
    about: ArchiveDelivery | Archive,
    name: str,
    *,
    by: AbstractUser,
    at: datetime,
    summary: str,
    because: str = "",
    data: Mapping[str, object] | None = None,
) -> None:
    log.record(
        name,
        subject=about.subject,
        scope=SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=summary,
        because=because,
        data=data,
    )


def change(
    delivery: ArchiveDelivery,
    state: ArchiveState,
    name: str,
    *,
    by: AbstractUser,
    at: datetime,
    summary: str,
    because: str = "",
    data: Mapping[str, object] | None = None,
    **changes: Any,
) -> ArchiveDelivery:
    """Give a locked delivery another state, with its audit event."""
    told = {"from": delivery.state, "to": state.value, **(data or {})}
    set_to(delivery, state=state, changed_at=at, **changes)
    record(delivery, name, by=by, at=at, summary=summary, because=because, data=told)
    return delivery


def set_to(row: ArchiveDelivery, **changes: Any) -> None:
    for field, value in changes.items():
        setattr(row, field, value)
    row.save(update_fields=list(changes))


def tell_administrators(delivery: ArchiveDelivery, *, at: datetime, words: str) -> None:
    people = get_user_model().objects.filter(is_active=True, is_staff=True).values_list("pk", flat=True)
    notify.archive_waits(delivery, list(people), at=at, words=words)
