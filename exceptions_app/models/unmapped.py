"""Values for which an exception was refused or held, and that a value mapping could give: what links the two."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from audit.guard import append_only, audit_required, truncate_refused
from exceptions_app.mapping_states import LONGEST_VALUE
from exceptions_app.models.case import REF_PREFIX, ExceptionCase
from integrations.value_kinds import ValueKind


class UnmappedValue(models.Model):
    """A value of the source that stood in the way of one exception. Written once, when it is seen.

    `path` is where the target's value belongs in the payload bound for the target; empty where a field map has more to
    do with it, so that the document is translated again instead of corrected.
    """

    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="unmapped_values")
    kind = models.CharField(max_length=20)
    value = models.CharField(max_length=LONGEST_VALUE)
    on = models.DateField(null=True, help_text="The day of the document for which it was looked up.")
    path = models.CharField(max_length=500, blank=True)
    seen_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "kind", "value", "path"], name="unmapped_value_once"),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in ValueKind]), name="unmapped_value_known_kind"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["kind", "value", "case"], name="unmapped_value_found")]
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            audit_required(f"'case:{REF_PREFIX}' || NEW.case_id"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.value} of {REF_PREFIX}{self.case_id}"
