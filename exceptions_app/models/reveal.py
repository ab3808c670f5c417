"""Who saw the masked values of an exception in clear: when, until when, and what for."""

from datetime import timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from audit.guard import append_only, audit_required, truncate_refused
from exceptions_app.models.case import REF_PREFIX, ExceptionCase

LONGEST = timedelta(hours=8)
"""Whatever is configured: after a working day it is another purpose."""


class RevealQuerySet(models.QuerySet["Reveal"]):
    def running(self) -> Self:
        """Those that last at this moment, by the database's clock."""
        return self.filter(until__gt=Now())

    def of(self, person: AbstractUser) -> Self:
        return self.filter(person=person.pk)


class Reveal(models.Model):
    """For one person, on one exception, for some minutes. A further one begins anew; none is made longer."""

    class Purpose(models.TextChoices):
        CORRECT = "correct", "To correct it"
        DECIDE = "decide", "To decide on it"
        ASK = "ask", "To compare it with the supplier, the customer or the bank"
        FRAUD = "fraud", "To look into a suspicion of fraud"
        AUDIT = "audit", "For an audit or an authority"

    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="reveals")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    purpose = models.CharField(max_length=20, choices=Purpose.choices)
    because = models.CharField(max_length=300)
    revealed_at = models.DateTimeField(help_text="By the database's clock, as is the end.")
    until = models.DateTimeField()

    objects = RevealQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(until__gt=F("revealed_at"), until__lte=F("revealed_at") + LONGEST), name="reveal_ends_soon"
            ),
            models.CheckConstraint(condition=~Q(because=""), name="reveal_says_what_for"),
            models.CheckConstraint(
                condition=Q(purpose__in=["correct", "decide", "ask", "fraud", "audit"]), name="reveal_known_purpose"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["case", "person", "until"], name="reveal_running")]
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            audit_required(f"'case:{REF_PREFIX}' || NEW.case_id"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} on {REF_PREFIX}{self.case_id} until {self.until:%H:%M}"
