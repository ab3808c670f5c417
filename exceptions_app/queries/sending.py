"""How a connection sends, as its page shows it."""

from datetime import datetime

from django.db.models import QuerySet

from integrations.models import Connection, Gate, MaintenanceWindow

MOST_WINDOWS = 20


def windows_of(connection: Connection, *, at: datetime) -> list[MaintenanceWindow]:
    """Those that are running or to come, the next first."""
    return list(windows_to_come(connection, at=at)[:MOST_WINDOWS])


def windows_to_come(connection: Connection, *, at: datetime) -> QuerySet[MaintenanceWindow]:
    rows = MaintenanceWindow.objects.filter(connection=connection, cancelled_at__isnull=True, ends_at__gt=at)
    return rows.order_by("starts_at", "pk")


def gate_of(connection: Connection) -> Gate | None:
    return Gate.objects.filter(pk=connection.pk).first()
