"""What a second person said of a frozen list or document: the same in kind, whatever it is about."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class SecondOpinion(models.Model):
    """Approved, or rejected with a reason, by one person, bound to the hash of what they were shown."""

    class Verdict(models.TextChoices):
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"

    verdict = models.CharField(max_length=10, choices=Verdict)
    decider = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    frozen_sha256 = models.CharField(max_length=64)
    because = models.CharField(max_length=500, blank=True)
    decided_at = models.DateTimeField()

    class Meta:
        abstract = True
        default_permissions = ()


def verdict_constraints(prefix: str) -> list[models.BaseConstraint]:
    """One of the two verdicts, and no rejection without its reason."""
    return [
        models.CheckConstraint(condition=Q(verdict__in=["approved", "rejected"]), name=f"{prefix}_known_verdict"),
        models.CheckConstraint(
            condition=~Q(verdict="rejected") | ~Q(because=""), name=f"{prefix}_rejection_has_reason"
        ),
    ]
