"""What a person does so that nothing is sent, or that it is again: all sending, maintenance, a breaker that opened."""

from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction

from audit import log
from exceptions_app.actions.connections import SCOPE, may_configure, subject_of
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import is_machine
from exceptions_app.policies import NotPermitted
from exceptions_app.wording import say
from integrations import delivery as engine
from integrations.delivery import gates
from integrations.doorbell import ring_on_commit
from integrations.models import (
    ALL_SENDING,
    Connection,
    ConnectionGroupGrant,
    ConnectionUserGrant,
    MaintenanceWindow,
    SendingStop,
)

REASON_LENGTH = 300
NOT_PERMITTED = say("You may not stop or resume all sending. It needs the permission to configure a connection.")


def may_stop_sending(user: AbstractUser) -> bool:
    """Whoever may configure any connection, and administrators: a stop must not wait for the right person."""
    if not user.is_active:
        return False
    wanted = {"permission__codename": "configure_connection"}
    return (
        user.is_staff
        or ConnectionUserGrant.objects.filter(user=user, **wanted).exists()
        or ConnectionGroupGrant.objects.filter(group__user=user, **wanted).exists()
    )


@transaction.atomic
def stop_all(*, by: AbstractUser, at: datetime, because: str) -> SendingStop:
    """Take nothing more up for anybody; what a worker has in its hands is finished. Raises NotPermitted, Invalid."""
    _require_stopping(by)
    if not because.strip():
        raise Invalid("because", say("Say why; everybody who opens a page reads it."))
    there = engine.stop_in_force()
    if there is not None:
        return there
    try:
        with transaction.atomic():
            stop = SendingStop.objects.create(
                stopped_at=at, because=because[:REASON_LENGTH], stopped_by=by.get_username()
            )
    except IntegrityError:  # somebody else in the same moment
        return SendingStop.objects.get(lifted_at__isnull=True)
    _record("sending.stopped", ALL_SENDING, by=by, at=at, summary=f"{by} stopped all sending.", because=because)
    return stop


@transaction.atomic
def resume_all(*, by: AbstractUser, at: datetime, because: str = "") -> SendingStop | None:
    """Let what waits go on; None when nothing was stopped. What is paused by itself stays so. Raises NotPermitted."""
    _require_stopping(by)
    stop = SendingStop.objects.select_for_update(no_key=True).filter(lifted_at__isnull=True).first()
    if stop is None:
        return None
    stop.lifted_at, stop.lifted_by = at, by.get_username()
    stop.save(update_fields=["lifted_at", "lifted_by"])
    summary = f"{by} let sending go on, which {stop.stopped_by} had stopped."
    _record("sending.resumed", ALL_SENDING, by=by, at=at, summary=summary, because=because)
    ring_on_commit()
    return stop


@transaction.atomic
def plan_maintenance(
    connection_id: int, *, starts_at: datetime, ends_at: datetime, by: AbstractUser, at: datetime, because: str
) -> MaintenanceWindow:
    """Send nothing to the target in that time. Raises NotPermitted, Invalid."""
    connection = _locked(connection_id, by=by)
    if not because.strip():
        raise Invalid("because", say("Say what is done there; everybody who sees this connection reads it."))
    if ends_at <= starts_at:
        raise Invalid("ends_at", say("It ends before it starts. Write a later end."))
    if ends_at <= at:
        raise Invalid("ends_at", say("This time is over already. Write an end that is still to come."))
    window = MaintenanceWindow.objects.create(
        connection=connection,
        starts_at=starts_at,
        ends_at=ends_at,
        because=because[:REASON_LENGTH],
        planned_by=by.get_username(),
        planned_at=at,
    )
    _record_of(connection, "connection.maintenance_planned", window, "planned maintenance", by=by, at=at)
    return window


@transaction.atomic
def cancel_maintenance(window_id: int, *, by: AbstractUser, at: datetime, because: str = "") -> MaintenanceWindow:
    """It keeps nothing back any more, whether it has begun or not. Raises NotPermitted."""
    connection = _locked(MaintenanceWindow.objects.values_list("connection", flat=True).get(pk=window_id), by=by)
    window = MaintenanceWindow.objects.select_for_update(no_key=True).get(pk=window_id)
    if window.cancelled_at is not None or window.ends_at <= at:
        return window
    window.cancelled_at, window.cancelled_by = at, by.get_username()
    window.save(update_fields=["cancelled_at", "cancelled_by"])
    name, words = "connection.maintenance_cancelled", "cancelled the maintenance"
    _record_of(connection, name, window, words, by=by, at=at, because=because)
    ring_on_commit()
    return window


@transaction.atomic
def send_again(connection_id: int, *, by: AbstractUser, at: datetime, because: str = "") -> Connection:
    """Close the breaker by hand, and forget that the target asked to wait. Raises NotPermitted."""
    connection = _locked(connection_id, by=by)
    if not gates.reset(connection.pk):
        return connection
    summary = f"{by} had sending to {connection} go on at once."
    _record("connection.breaker_reset", subject_of(connection), by=by, at=at, summary=summary, because=because)
    ring_on_commit()
    return connection


def _require_stopping(by: AbstractUser) -> None:
    if not (is_machine(by) or may_stop_sending(by)):
        raise NotPermitted(NOT_PERMITTED)


def _locked(connection_id: int, *, by: AbstractUser) -> Connection:
    connection = Connection.objects.select_for_update(no_key=True).get(pk=connection_id)
    if not (is_machine(by) or may_configure(by, connection)):
        raise NotPermitted(
            say("You may not configure {connection}. An administrator can grant it.", connection=connection)
        )
    return connection


def _record_of(
    connection: Connection,
    name: str,
    window: MaintenanceWindow,
    words: str,
    *,
    by: AbstractUser,
    at: datetime,
    because: str = "",
) -> None:
    data = {"window": window.pk, "starts_at": window.starts_at, "ends_at": window.ends_at}
    summary = f"{by} {words} at the target of {connection}: {window}."
    because = because or window.because
    _record(name, subject_of(connection), by=by, at=at, summary=summary, because=because, data=data)


def _record(
    name: str,
    subject: str,
    *,
    by: AbstractUser,
    at: datetime,
    summary: str,
    because: str,
    data: dict[str, object] | None = None,
) -> None:
    log.record(
        name,
        subject=subject,
        scope=SCOPE,
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=summary,
        because=because,
        data=data,
    )
