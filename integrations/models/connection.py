"""Connections to other systems, and who may hand in or configure there."""

from datetime import datetime
from pathlib import PurePosixPath
from typing import ClassVar
from urllib.parse import urlsplit

import pgtrigger
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase
from simple_history.models import HistoricalRecords

from audit.guard import audit_required, frozen_columns, never_deleted, truncate_refused
from integrations.secret_box import SealedTextField

# A claim may ask, send and compare, each for at most twice this long, within the time limit of a worker's task.
LONGEST_TIMEOUT = 30  # seconds
LONGEST_COLLECTING = 3600  # seconds
MOST_FAILURES = 1000  # in a row, before the breaker opens
SECRETS = ("target_token", "write_back_secret", "webhook_secret", "webhook_secret_previous")


class Connection(models.Model):
    """One connected system: where messages come from, where corrected ones go, whom to tell.

    Changes are configuration: the database asks for an audit event in the same transaction.
    """

    class TargetKind(models.TextChoices):
        """What this target keeps of what its connector declares, where it keeps less."""

        ASKABLE = "askable", "Can only be asked"
        NEITHER = "neither", "Neither recognises a repeat nor can be asked"

    slug = models.SlugField(unique=True, help_text="Used in addresses and in messages, never changed.")
    name = models.CharField(max_length=100)
    connector = models.CharField(max_length=40, help_text="Which connector understands its messages.")
    owner = models.CharField(max_length=100, blank=True, help_text="Who to call when it breaks.")
    target_url = models.URLField(blank=True, help_text="Where corrected documents are sent.")
    target_token = SealedTextField(blank=True)
    write_back_url = models.URLField(blank=True, help_text="Where the source is told how it ended.")
    write_back_secret = SealedTextField(blank=True)
    webhook_secret = SealedTextField(blank=True)
    webhook_secret_previous = SealedTextField(blank=True)
    webhook_previous_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then what was signed with the previous secret is taken too."
    )
    webhook_envelope = models.JSONField(
        default=dict, blank=True, help_text="What stands where in the source's own webhooks, as JSON Pointers."
    )
    watched_folder = models.CharField(max_length=200, blank=True, help_text="Folder below the intake folder.")
    refusal_optional = models.BooleanField(default=False, help_text="A file is complete without a refusal beside it.")
    max_bytes = models.PositiveIntegerField(default=5_000_000, help_text="Largest payload accepted, in bytes.")
    most_pending = models.PositiveIntegerField(
        default=100_000,
        validators=[MinValueValidator(1)],
        help_text="Messages that may wait to be read; beyond it senders are told to wait.",
    )
    per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="New messages taken in a minute; empty for as many as come.",
    )
    timeout_seconds = models.PositiveSmallIntegerField(
        default=10, validators=[MinValueValidator(1), MaxValueValidator(LONGEST_TIMEOUT)]
    )
    resend_when_absent = models.BooleanField(
        default=False, help_text="Opt-in: send again by itself when a target that can only be asked has nothing."
    )
    target_kind = models.CharField(
        max_length=20,
        blank=True,
        choices=TargetKind,
        help_text="Only where this target keeps less than its connector declares, such as one that ignores keys.",
    )
    collect_seconds = models.PositiveSmallIntegerField(
        default=0,
        blank=True,
        validators=[MaxValueValidator(LONGEST_COLLECTING)],
        help_text="How long an approved document waits for others to travel in one file, where the target takes "
        "several at once; 0: each travels alone.",
    )
    sends_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Documents taken up for the target in any minute, by all workers together; empty for no limit.",
    )
    breaker_after = models.PositiveSmallIntegerField(
        default=10,
        blank=True,
        validators=[MaxValueValidator(MOST_FAILURES)],
        help_text="After so many technical failures in a row nothing more is sent but one document now and then, until "
        "one goes through; 0: never.",
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_because = models.CharField(max_length=300, blank=True)
    _history_user: AbstractBaseUser  # what django-simple-history writes beside the next row of the history
    history = HistoricalRecords(excluded_fields=list(SECRETS))

    class Meta:
        default_permissions = ()
        permissions: ClassVar = [
            ("ingest_messages", "Hand messages of this connection to the workbench"),
            ("configure_connection", "Change, pause and resume this connection"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(timeout_seconds__range=(1, LONGEST_TIMEOUT)), name="connection_timeout_in_range"
            ),
            models.CheckConstraint(
                condition=Q(target_kind__in=["", "askable", "neither"]), name="connection_known_target_kind"
            ),
            models.CheckConstraint(
                condition=Q(collect_seconds__lte=LONGEST_COLLECTING), name="connection_collecting_in_range"
            ),
            models.CheckConstraint(
                condition=Q(sends_per_minute__isnull=True) | Q(sends_per_minute__gte=1),
                name="connection_sends_at_all",
            ),
            models.UniqueConstraint(
                fields=["watched_folder"],
                condition=~Q(watched_folder=""),
                name="connection_folder_once",
                violation_error_message="Another connection watches this folder.",
            ),
        ]
        triggers: ClassVar = [
            audit_required("'connection:' || NEW.slug"),
            frozen_columns("slug"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """No secret in an address, and one spelling per folder, so that no two connections share one.

        Raises ValidationError.
        """
        super().clean()
        problem = "Write the address without user and password; a token has a field of its own."
        secret = [name for name in ("target_url", "write_back_url") if "@" in urlsplit(getattr(self, name)).netloc]
        if secret:
            raise ValidationError(dict.fromkeys(secret, problem))
        if not self.watched_folder:
            return
        path = PurePosixPath(self.watched_folder.strip())
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ValidationError({"watched_folder": "Name a folder below the intake folder, such as billing-nl."})
        self.watched_folder = str(path)
        if Connection.objects.filter(watched_folder=self.watched_folder).exclude(pk=self.pk).exists():
            raise ValidationError({"watched_folder": "Another connection watches this folder; name one of its own."})

    def webhook_secrets(self, *, at: datetime) -> list[str]:
        """Those with which its source may sign at that moment, the present one first; none when it may not."""
        until = self.webhook_previous_until
        previous = self.webhook_secret_previous if until is not None and at < until else ""
        return [secret for secret in (self.webhook_secret, previous) if secret]

    @property
    def previous_webhook_secret_counts(self) -> bool:
        return self.webhook_previous_until is not None and self.webhook_previous_until > now()

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None


_OF_CONNECTION = "'connection:' || (SELECT slug FROM public.integrations_connection WHERE id = NEW.content_object_id)"
GIVEN_OR_TAKEN = pgtrigger.Insert | pgtrigger.Delete


class ConnectionUserGrant(UserObjectPermissionBase):
    content_object = models.ForeignKey(Connection, on_delete=models.CASCADE)

    class Meta(UserObjectPermissionBase.Meta):
        triggers: ClassVar = [
            audit_required(_OF_CONNECTION, operation=GIVEN_OR_TAKEN),
            frozen_columns("permission", "content_object", "user"),
        ]


class ConnectionGroupGrant(GroupObjectPermissionBase):
    content_object = models.ForeignKey(Connection, on_delete=models.CASCADE)

    class Meta(GroupObjectPermissionBase.Meta):
        triggers: ClassVar = [
            audit_required(_OF_CONNECTION, operation=GIVEN_OR_TAKEN),
            frozen_columns("permission", "content_object", "group"),
        ]
