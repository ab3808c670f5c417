"""What the target will get, version by version, and what came in. Wide, cold and append-only."""

from typing import ClassVar, Final

from django.conf import settings
from django.db import models
from django.db.models import Q, Value

from audit.guard import append_only_until_erased, audit_required, truncate_refused
from exceptions_app.models.case import REF_PREFIX, ExceptionCase
from integrations.models import InboxMessage

_ERRORS: Final[dict[str, object]] = {"errors": []}


class Occurrence(models.Model):
    """One arrival of the same transaction, with what was refused then."""

    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="occurrences")
    inbox_message = models.ForeignKey(InboxMessage, on_delete=models.PROTECT, related_name="+")
    arrived_at = models.DateTimeField()
    payload_sha256 = models.CharField(max_length=64)
    definitive = models.BooleanField(help_text="Whether the refusal means that the target has booked nothing.")
    errors = models.JSONField(help_text="The refusal's errors: code, severity, text, plain words, field, path.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "inbox_message"], name="occurrence_once_per_message")
        ]
        triggers: ClassVar = [
            append_only_until_erased(_ERRORS),
            truncate_refused(),
            audit_required(f"'case:{REF_PREFIX}' || NEW.case_id"),
        ]

    def __str__(self) -> str:
        return f"occurrence {self.pk}"


_CONTENT: Final[dict[str, object]] = {"content": b"", "operations": [], "changes": [], "check_errors": []}


class PayloadVersion(models.Model):
    """One version of the payload bound for the target. Version 1 is what was received, byte for byte."""

    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.BinaryField()
    media_type = models.CharField(max_length=100)
    sha256 = models.CharField(max_length=64)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    operations = models.JSONField(default=list, help_text="What was changed, as test, replace, add and remove.")
    changes = models.JSONField(default=list, help_text="The same in business fields: label, was, will be.")
    reason = models.CharField(max_length=500, blank=True)
    check_name = models.CharField(max_length=200, blank=True)
    check_passed = models.BooleanField(null=True)
    check_errors = models.JSONField(default=list)
    field_maps = models.JSONField(
        default=list,
        help_text="The versions of the field maps that made it when it was translated again, each with its author and "
        "who put it to use.",
    )
    hands = models.JSONField(
        default=list,
        db_default=Value([], output_field=models.JSONField()),
        help_text="Who made a value in it beside its author: person, part and what, such as a row of a value mapping.",
    )
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "number"], name="version_number_once"),
            models.CheckConstraint(
                condition=Q(number=1, author__isnull=True) | Q(number__gt=1, author__isnull=False),
                name="version_correction_has_author",
            ),
        ]
        triggers: ClassVar = [
            append_only_until_erased(_CONTENT),
            truncate_refused(),
            audit_required(f"'case:{REF_PREFIX}' || NEW.case_id"),
        ]

    def __str__(self) -> str:
        return f"version {self.number} of {REF_PREFIX}{self.case_id}"


class Draft(models.Model):
    """What a person has typed and not yet saved: kept so that nothing typed is ever lost."""

    case = models.ForeignKey(ExceptionCase, on_delete=models.CASCADE, related_name="drafts")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    base_version = models.PositiveIntegerField()
    typed = models.JSONField(help_text="Form names and what was typed.")
    saved_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["case", "author"], name="draft_one_per_person")]

    def __str__(self) -> str:
        return f"draft of {self.author_id} on {self.case_id}"
