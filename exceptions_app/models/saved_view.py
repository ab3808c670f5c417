"""Lists that somebody keeps: filters, order, columns and density under a name."""

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from audit.guard import audit_required, frozen_columns, truncate_refused
from exceptions_app.models.organisation import Queue

LONGEST_NAME = 80  # characters
REF_PREFIX = "VW-"
_SUBJECT = f"'view:{REF_PREFIX}' || NEW.id"


class SavedView(models.Model):
    """The address of a work list under a name. What it shows, and how much, is looked up by whoever opens it.

    A view of one's own is nobody's business; what others work by has an audit event for every change.
    """

    class Sharing(models.TextChoices):
        OWNER = "owner", "Only me"
        QUEUE = "queue", "Everybody who sees a queue"
        EVERYONE = "everyone", "Everyone"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=LONGEST_NAME)
    query = models.CharField(max_length=2_000, blank=True, help_text="As `list_layout.canonical_query` writes it.")
    sharing = models.CharField(max_length=10, choices=Sharing, default=Sharing.OWNER)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint("owner", Lower("name"), name="view_name_once_per_owner"),
            models.CheckConstraint(condition=~Q(name=""), name="view_has_name"),
            models.CheckConstraint(
                condition=Q(sharing="queue", queue__isnull=False)
                | Q(sharing__in=["owner", "everyone"], queue__isnull=True),
                name="view_known_sharing",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["sharing", "queue"], name="view_shared_with")]
        triggers: ClassVar = [
            audit_required(
                _SUBJECT,
                name="audit_required_new",
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.sharing <> 'owner'"),
            ),
            audit_required(
                _SUBJECT,
                name="audit_required_changed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition("NEW.sharing <> 'owner' OR OLD.sharing <> 'owner'"),
            ),
            audit_required(
                _SUBJECT,
                name="audit_required_gone",
                operation=pgtrigger.Delete,
                condition=pgtrigger.Condition("OLD.sharing <> 'owner'"),
            ),
            frozen_columns("owner_id", "created_at"),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        """Its name in the audit trail."""
        return f"view:{REF_PREFIX}{self.pk}"

    @property
    def is_shared(self) -> bool:
        return self.sharing != self.Sharing.OWNER


class PinnedView(models.Model):
    """A view that a person has at the head of their lists. Theirs alone, like a bookmark."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    view = models.ForeignKey(SavedView, on_delete=models.CASCADE, related_name="pins")
    position = models.PositiveIntegerField(help_text="Lower is shown first.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["person", "view"], name="view_pinned_once")]
        triggers: ClassVar = [frozen_columns("person_id", "view_id"), truncate_refused()]

    def __str__(self) -> str:
        return f"{self.position}: {self.view}"
