"""What people made of values that were suggested from precedents."""

from typing import ClassVar, Final

from django.db import models
from django.db.models import F, Q

from audit.guard import append_only_until_erased, audit_required, truncate_refused
from exceptions_app.models.case import REF_PREFIX, ExceptionCase
from exceptions_app.models.payload import PayloadVersion

_VALUES: Final = {"was": "", "value": ""}


class Suggestion(models.Model):
    """One value that was offered beside a field, and what the correction that was saved then did about it.

    Written with the version. A field that the correction left as it was has none: nothing was decided about it.
    """

    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="suggestions")
    version = models.ForeignKey(PayloadVersion, on_delete=models.PROTECT, related_name="suggestions")
    path = models.CharField(max_length=500)
    label = models.CharField(max_length=200)
    was = models.TextField(blank=True)
    value = models.TextField()
    agreeing = models.PositiveIntegerField(help_text="How many exceptions had been corrected to it.")
    of = models.PositiveIntegerField(help_text="Of how many that had the same value there.")
    accepted = models.BooleanField(help_text="Whether it was saved; if not, something else was.")
    recorded_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "path"], name="suggestion_once_per_version"),
            models.CheckConstraint(condition=Q(agreeing__gte=1, of__gte=F("agreeing")), name="suggestion_counts"),
        ]
        triggers: ClassVar = [
            append_only_until_erased(_VALUES),
            truncate_refused(),
            audit_required(f"'case:{REF_PREFIX}' || NEW.case_id"),
        ]

    def __str__(self) -> str:
        return f"{self.label} of {REF_PREFIX}{self.case_id}"
