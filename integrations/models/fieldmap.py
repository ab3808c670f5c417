"""Field maps: every version of a declaration, and which version of each map is in use."""

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from audit.guard import Guard, append_only, audit_required, frozen_columns, never_deleted, truncate_refused
from integrations.models.connection import Connection

_OF_ITS_CONNECTION = "'connection:' || (SELECT slug FROM public.integrations_connection WHERE id = NEW.connection_id)"
# What is in use is a version of this very map, and every switch is counted: two people cannot both be right.
_SWITCHED_IN_ORDER = Guard(
    name="switched_in_order",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    func="""
    IF NEW.version_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM public.integrations_fieldmap
        WHERE id = NEW.version_id AND connection_id = NEW.connection_id
            AND direction = NEW.direction AND object_type = NEW.object_type
    ) THEN
        RAISE EXCEPTION 'version % belongs to another field map', NEW.version_id USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.revision <> OLD.revision + 1 THEN
        RAISE EXCEPTION 'revision % does not follow %', NEW.revision, OLD.revision USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class Direction(models.TextChoices):
    INBOUND = "inbound", "Source to canonical"
    OUTBOUND = "outbound", "Canonical to target"


class FieldMap(models.Model):
    """One version of a map of a connection. Written once; a change is a new version.

    `declared` is the JSON text as its author wrote it; `fieldmaps.declaration` reads it.
    """

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="field_maps")
    direction = models.CharField(max_length=10, choices=Direction)
    object_type = models.CharField(max_length=40, help_text="Kind of canonical document: invoice, journal, payment.")
    number = models.PositiveIntegerField(help_text="1 and up, for each connection, direction and kind.")
    declared = models.TextField()
    note = models.CharField(max_length=500, help_text="What this version changes, and why.")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["connection", "direction", "object_type", "number"], name="field_map_version_once"
            ),
            models.CheckConstraint(condition=Q(number__gte=1), name="field_map_numbered_from_one"),
            models.CheckConstraint(
                condition=Q(direction__in=["inbound", "outbound"]), name="field_map_known_direction"
            ),
        ]
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            audit_required(_OF_ITS_CONNECTION, operation=pgtrigger.Insert),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.object_type} {self.number}"


class ActiveFieldMap(models.Model):
    """Which version of a map translates messages now; none while it is switched off. `revision` counts the switches."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="active_field_maps")
    direction = models.CharField(max_length=10, choices=Direction)
    object_type = models.CharField(max_length=40)
    version = models.ForeignKey(FieldMap, on_delete=models.PROTECT, null=True, related_name="+")
    revision = models.PositiveIntegerField(default=1)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField()
    because = models.CharField(max_length=500)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connection", "direction", "object_type"], name="active_field_map_once"),
        ]
        triggers: ClassVar = [
            _SWITCHED_IN_ORDER,
            frozen_columns("connection", "direction", "object_type"),
            never_deleted(),
            truncate_refused(),
            audit_required(_OF_ITS_CONNECTION),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.object_type}: {self.version_id or 'none'}"
