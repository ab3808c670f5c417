"""What rehearsals showed, for those who answer for replay."""

from typing import ClassVar

from django.db import models

from audit.guard import append_only, truncate_refused


class Rehearsal(models.Model):
    """One storm over a private installation, and what the targets had booked in the end. Written once."""

    class Engine(models.TextChoices):
        WORKBENCH = "workbench", "The workbench"
        NAIVE = "naive", "The naive engine"

    began_at = models.DateTimeField()
    engine = models.CharField(max_length=20, choices=Engine)
    seed = models.BigIntegerField()
    without = models.CharField(max_length=20, blank=True, help_text="The safeguard that was left out.")
    passed = models.BooleanField(help_text="Whether every check held for every kind of target.")
    replays = models.PositiveIntegerField()
    lost = models.PositiveIntegerField()
    doubled = models.PositiveIntegerField()
    false_resolved = models.PositiveIntegerField()
    waiting_for_person = models.PositiveIntegerField()
    figures = models.JSONField(help_text="All of it: kinds of targets, blows, checks, machine.")
    kept_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        indexes: ClassVar = [models.Index(fields=["engine", "without", "-id"], name="rehearsal_latest")]
        triggers: ClassVar = [append_only(), truncate_refused()]

    def __str__(self) -> str:
        return f"rehearsal {self.pk}"
