"""Where messages are fetched: the source, how far it was read, and the numbers that are missing."""

from typing import ClassVar

import pgtrigger
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from simple_history.models import HistoricalRecords

from audit.guard import audit_required, frozen_columns, never_deleted, truncate_refused
from integrations.models.connection import Connection
from integrations.pull_settings import SettingsRefused, read_settings
from integrations.secret_box import SealedTextField

SHORTEST_INTERVAL, LONGEST_INTERVAL = 5, 86_400  # seconds
_CONFIGURED = ("name", "settings", "secret", "every_seconds", "paused_at", "paused_because")
_CONFIGURATION_CHANGES = pgtrigger.Condition(
    " OR ".join(f'OLD."{column}" IS DISTINCT FROM NEW."{column}"' for column in _CONFIGURED)
)


class PullSource(models.Model):
    """A folder or a feed from which a connection's messages are fetched at intervals.

    What is configured changes only with an audit event. What the puller notes, such as the cursor, is its own business.
    """

    class Kind(models.TextChoices):
        SFTP = "sftp", "SFTP folder"
        REST = "rest", "REST feed"

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="pull_sources")
    slug = models.SlugField(unique=True, help_text="Used in addresses and in commands, never changed.")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=Kind)
    settings = models.JSONField(default=dict, help_text="Where it is and how it is read; docs/operations.md lists all.")
    secret = SealedTextField(blank=True, help_text="The password, private key or token.")
    every_seconds = models.PositiveIntegerField(
        default=300,
        validators=[MinValueValidator(SHORTEST_INTERVAL), MaxValueValidator(LONGEST_INTERVAL)],
        help_text="How long to wait between two looks, in seconds.",
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_because = models.CharField(max_length=500, blank=True)

    cursor = models.JSONField(default=dict, blank=True, help_text="How far it was read.")
    next_due_at = models.DateTimeField(db_default=Now())
    last_ok_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0, help_text="Tries in a row that came to nothing.")
    last_problem = models.TextField(blank=True)
    _history_user: AbstractBaseUser
    history = HistoricalRecords(
        excluded_fields=["secret", "cursor", "next_due_at", "last_ok_at", "failures", "last_problem"]
    )

    class Meta:
        default_permissions = ()
        verbose_name = "pull source"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(kind__in=["sftp", "rest"]), name="pull_source_known_kind"),
            models.CheckConstraint(
                condition=Q(every_seconds__range=(SHORTEST_INTERVAL, LONGEST_INTERVAL)),
                name="pull_source_interval_in_range",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_due_at"], condition=Q(paused_at=None), name="pull_source_due"),
        ]
        triggers: ClassVar = [
            audit_required("'pull_source:' || NEW.slug", name="audit_required_new", operation=pgtrigger.Insert),
            audit_required("'pull_source:' || NEW.slug", operation=pgtrigger.Update, condition=_CONFIGURATION_CHANGES),
            frozen_columns("slug", "kind", "connection"),
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
            read = read_settings(self.kind, self.settings)
        except SettingsRefused as refused:
            raise ValidationError({"settings": refused.faults}) from refused
        if read.needs_secret and not self.secret:
            raise ValidationError({"secret": f"Give the {read.needs_secret} with which the workbench signs in."})

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None


class SequenceGap(models.Model):
    """Numbers that a source passed over. `missing` are the ranges of them that have not come late since."""

    source = models.ForeignKey(PullSource, on_delete=models.PROTECT, related_name="gaps")
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    missing = models.JSONField(help_text="Ranges [first, last] that are still missing.")
    seen_at = models.DateTimeField()
    overdue_at = models.DateTimeField(help_text="From then on it is before a person.")
    asked_at = models.DateTimeField(null=True, help_text="When the source was last asked for them again.")
    asks = models.PositiveIntegerField(default=0)
    closed_at = models.DateTimeField(null=True, help_text="When the last of them had come.")
    set_aside_at = models.DateTimeField(null=True, help_text="When a person said that nothing is to be done about it.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(first__lte=models.F("last")), name="sequence_gap_in_order"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["source", "overdue_at"],
                condition=Q(closed_at=None, set_aside_at=None),
                name="sequence_gap_to_do",
            ),
        ]
        triggers: ClassVar = [
            audit_required(
                "'pull_source:' || (SELECT slug FROM public.integrations_pullsource WHERE id = NEW.source_id)",
                name="audit_required_new",
                operation=pgtrigger.Insert,
            ),
            audit_required(
                "'pull_source:' || (SELECT slug FROM public.integrations_pullsource WHERE id = NEW.source_id)",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.closed_at IS DISTINCT FROM NEW.closed_at OR OLD.set_aside_at IS DISTINCT FROM NEW.set_aside_at"
                ),
            ),
            frozen_columns("source", "first", "last", "seen_at", "overdue_at"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"

    @property
    def number_missing(self) -> int:
        return sum(int(last) - int(first) + 1 for first, last in self.missing)
