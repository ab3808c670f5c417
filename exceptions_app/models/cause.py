"""What people know of a cause and who upstream has to mend it. Both outlive the exceptions: nothing is ever changed."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from audit.guard import append_only, audit_required, truncate_refused
from exceptions_app.models.case import CAUSE_PREFIX, Cause

_SUBJECT = f"'cause:{CAUSE_PREFIX}' || NEW.cause_id"


class CauseNote(models.Model):
    """What somebody found out about a cause. Whoever sees one of its exceptions reads it."""

    cause = models.ForeignKey(Cause, on_delete=models.PROTECT, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    written_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(text=""), name="cause_note_says_something")]
        triggers: ClassVar = [append_only(), truncate_refused(), audit_required(_SUBJECT)]

    def __str__(self) -> str:
        return self.text[:60]


class CauseOwner(models.Model):
    """Who has to mend the cause from then on: a person here, a team upstream, or nobody any more. The newest holds."""

    cause = models.ForeignKey(Cause, on_delete=models.PROTECT, related_name="owners")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    team = models.CharField(max_length=100, blank=True)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    because = models.CharField(max_length=500, blank=True)
    set_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(person__isnull=True) | Q(team=""), name="cause_owner_is_one")
        ]
        triggers: ClassVar = [append_only(), truncate_refused(), audit_required(_SUBJECT)]

    def __str__(self) -> str:
        """The name; empty for nobody."""
        return str(self.person) if self.person is not None else self.team
