"""When nothing is sent: stopped for all, maintenance at a target, and what its door says at the moment."""

from datetime import UTC
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from audit.guard import append_only, audit_required, frozen_columns, never_deleted, truncate_refused
from integrations.models.connection import Connection

ALL_SENDING = "sending:all"
"""The subject of a stop for all in the audit trail."""
_OF_CONNECTION = "'connection:' || (SELECT slug FROM public.integrations_connection WHERE id = NEW.connection_id)"


class SendingStop(models.Model):
    """Somebody stopped all sending, to every target and every source; over once it is lifted."""

    stopped_at = models.DateTimeField()
    because = models.CharField(max_length=300)
    stopped_by = models.CharField(max_length=150)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=150, blank=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                models.Value(1), condition=Q(lifted_at__isnull=True), name="sending_stop_one_at_a_time"
            ),
        ]
        triggers: ClassVar = [
            audit_required(f"'{ALL_SENDING}'"),
            frozen_columns("stopped_at", "because", "stopped_by"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"stop of {self.stopped_at:%Y-%m-%d %H:%M} UTC"


class Restoration(models.Model):
    """The database was restored from a backup: what was sent after the backup was made has left no trace in it."""

    restored_at = models.DateTimeField(help_text="Nothing was sent by the lost installation after it.")
    repeats_until = models.DateTimeField(
        help_text="What comes in before it may have come in before, and been sent, without a trace."
    )
    because = models.CharField(max_length=300)
    noted_by = models.CharField(max_length=150)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(repeats_until__gte=F("restored_at")), name="restoration_repeats_end_after_it"
            ),
        ]
        triggers: ClassVar = [audit_required(f"'{ALL_SENDING}'"), append_only(), truncate_refused()]

    def __str__(self) -> str:
        return f"restored {self.restored_at:%Y-%m-%d %H:%M} UTC"


class MaintenanceWindow(models.Model):
    """A time in which nothing is sent to the target of a connection, as its operator announced it."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="maintenance_windows")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    because = models.CharField(max_length=300)
    planned_by = models.CharField(max_length=150)
    planned_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True, help_text="From then on it keeps nothing back.")
    cancelled_by = models.CharField(max_length=150, blank=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="maintenance_ends_after_start"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["connection", "ends_at"], condition=Q(cancelled_at__isnull=True), name="maintenance_to_come"
            ),
        ]
        triggers: ClassVar = [
            audit_required(_OF_CONNECTION),
            frozen_columns("connection_id", "starts_at", "ends_at", "because", "planned_by", "planned_at"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        # What was just planned still has the zone in which it was typed.
        starts_at, ends_at = self.starts_at.astimezone(UTC), self.ends_at.astimezone(UTC)
        return f"{starts_at:%Y-%m-%d %H:%M} to {ends_at:%Y-%m-%d %H:%M} UTC"


class Gate(models.Model):
    """What all workers know of the moment at the door of one target. No configuration: it changes with every failure.

    The token bucket is kept as two moments: when it holds a token again, and when it is full. The breaker is open while
    `opened_at` is set; one delivery is let through at `canary_at`.
    """

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, primary_key=True, related_name="gate")
    token_at = models.DateTimeField(null=True)
    full_at = models.DateTimeField(null=True)
    failed = models.JSONField(default=list, help_text="What failed technically in a row, each named once.")
    opened_at = models.DateTimeField(null=True)
    opened_because = models.CharField(max_length=300, blank=True)
    canary_at = models.DateTimeField(null=True)
    canaries = models.PositiveIntegerField(default=0, help_text="Let through since it was opened.")
    quiet_until = models.DateTimeField(null=True, help_text="The target asked to wait.")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"gate of connection {self.connection_id}"
