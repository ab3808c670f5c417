"""Where closed evidence is delivered to: an archive outside, of which one at most is switched on."""

from typing import ClassVar

import pgtrigger
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from audit.guard import audit_required, frozen_columns, never_deleted, truncate_refused
from integrations.archive_settings import read_archive_settings
from integrations.pull_settings import SettingsRefused
from integrations.secret_box import SealedTextField

ARCHIVE_SUBJECT = "archive:"
LONGEST_WAIT = 120  # seconds
_CONFIGURED = ("name", "settings", "secret", "timeout_seconds", "in_use", "paused_at", "paused_because")
_CONFIGURATION_CHANGES = pgtrigger.Condition(
    " OR ".join(f'OLD."{column}" IS DISTINCT FROM NEW."{column}"' for column in _CONFIGURED)
)


class Archive(models.Model):
    """A folder, a server or an object store that takes evidence packs of closed exceptions.

    What is configured changes only with an audit event. `looked_until` is the planner's own note.
    """

    class Kind(models.TextChoices):
        FOLDER = "folder", "Folder"
        SFTP = "sftp", "SFTP folder"
        S3 = "s3", "S3 bucket"

    slug = models.SlugField(unique=True, help_text="Used in the audit trail, never changed.")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=Kind)
    settings = models.JSONField(default=dict, help_text="Where it is; docs/operations.md lists all.")
    secret = SealedTextField(blank=True, help_text="The password, private key or secret key.")
    timeout_seconds = models.PositiveIntegerField(
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_WAIT)],
        help_text="How long to wait for the server each time, in seconds.",
    )
    in_use = models.BooleanField(
        default=False,
        verbose_name="switched on",
        help_text="Evidence of closed exceptions is delivered here, and what they hold is erased only afterwards. "
        "One archive at most.",
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_because = models.CharField(max_length=500, blank=True)
    looked_until = models.DateTimeField(
        null=True, blank=True, help_text="Nothing that was closed before is still to be planned."
    )
    _history_user: AbstractBaseUser
    history = HistoricalRecords(excluded_fields=["secret", "looked_until"])

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(kind__in=["folder", "sftp", "s3"]), name="archive_known_kind"),
            models.CheckConstraint(
                condition=Q(timeout_seconds__range=(1, LONGEST_WAIT)), name="archive_timeout_in_range"
            ),
            models.UniqueConstraint(
                fields=["in_use"],
                condition=Q(in_use=True),
                name="archive_one_in_use",
                violation_error_message="Another archive is switched on. Switch that one off first.",
            ),
        ]
        triggers: ClassVar = [
            audit_required(f"'{ARCHIVE_SUBJECT}' || NEW.slug", name="audit_required_new", operation=pgtrigger.Insert),
            audit_required(
                f"'{ARCHIVE_SUBJECT}' || NEW.slug", operation=pgtrigger.Update, condition=_CONFIGURATION_CHANGES
            ),
            frozen_columns("slug", "kind"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """The settings fit the kind, each fault in words. Raises ValidationError."""
        super().clean()
        if self.kind not in self.Kind.values:
            return  # which is said of the field itself
        try:
            read = read_archive_settings(self.kind, self.settings)
        except SettingsRefused as refused:
            raise ValidationError({"settings": refused.faults}) from refused
        if read.needs_secret and not self.secret:
            raise ValidationError({"secret": f"Give the {read.needs_secret} with which the workbench signs in."})

    @property
    def subject(self) -> str:
        """Its name in the audit trail."""
        return f"{ARCHIVE_SUBJECT}{self.slug}"

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None
