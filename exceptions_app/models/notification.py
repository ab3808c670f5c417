"""What people are told, what they asked to be told about, and files that they put beside an exception."""

from typing import ClassVar, Final

from django.conf import settings
from django.db import models
from django.db.models import Q

from audit.guard import (
    append_only_until_erased,
    audit_required,
    frozen_columns,
    never_deleted,
    truncate_refused,
)
from exceptions_app.models.case import REF_PREFIX, Comment, ExceptionCase


class Notification(models.Model):
    """One thing that one person is told. It names what it is about and holds no payload and no amount.

    Who lost sight of the exception meanwhile is not shown it any more; the words alone would tell nothing of it.
    """

    class Kind(models.TextChoices):
        MENTION = "mention", "Mentioned"
        ASSIGNED = "assigned", "Assigned to you"
        DECIDED = "decided", "Decided"
        CHANGED = "changed", "Subscribed"
        BATCH = "batch", "Your batch"
        ARRIVED = "arrived", "Arrived"
        EMERGENCY = "emergency", "Emergency"
        ARCHIVE = "archive", "Archive"

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind)
    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, null=True, related_name="+")
    reference = models.CharField(max_length=40, help_text="What it is about: EX-1042, B-7.")
    words = models.CharField(max_length=300)
    told_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=["mention", "assigned", "decided", "changed", "batch", "arrived", "emergency", "archive"]
                ),
                name="notification_known_kind",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["person", "-id"], name="notification_of_person"),
            models.Index(fields=["person"], condition=Q(read_at__isnull=True), name="notification_unread"),
        ]
        triggers: ClassVar = [
            frozen_columns("person_id", "kind", "case_id", "reference", "words", "told_at"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.words}"


class Subscription(models.Model):
    """Whether one person wants to be told about one exception. Without a row, only about what is theirs."""

    class Wants(models.TextChoices):
        CHANGES = "changes", "Every change"
        USUAL = "usual", "What is theirs"
        NOTHING = "nothing", "Nothing but what is assigned to them and where they are mentioned"

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="subscriptions")
    wants = models.CharField(max_length=10, choices=Wants)
    changed_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "person"], name="subscription_one_per_person"),
            models.CheckConstraint(
                condition=Q(wants__in=["changes", "usual", "nothing"]), name="subscription_known_wish"
            ),
        ]
        triggers: ClassVar = [frozen_columns("person_id", "case_id"), never_deleted(), truncate_refused()]

    def __str__(self) -> str:
        return f"{self.wants} of {REF_PREFIX}{self.case_id} for {self.person_id}"


class Expectation(models.Model):
    """Something that a person waits for by its source's identifier, told once when it is there.

    The connection is kept as it was named, known or not, so that asking tells nothing about what there is.
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    connection = models.CharField(max_length=50, help_text="The name in its address.")
    external_id = models.CharField(max_length=200)
    asked_at = models.DateTimeField()
    looked_at = models.DateTimeField()
    arrived_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["person", "connection", "external_id"], name="expectation_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["looked_at"], condition=Q(arrived_at__isnull=True), name="expectation_waiting")
        ]
        triggers: ClassVar = [
            frozen_columns("person_id", "connection", "external_id"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"{self.external_id} of {self.connection} for {self.person_id}"


_CONTENT: Final = {"content": b""}


class Attachment(models.Model):
    """A file that came with a comment. Never changed; its bytes are read only when they are asked for."""

    comment = models.OneToOneField(Comment, on_delete=models.PROTECT, related_name="attachment")
    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="attachments")
    file_name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=100, help_text="By the ending of the name, which fits the content.")
    size = models.PositiveIntegerField(help_text="In bytes.")
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()

    class Meta:
        default_permissions = ()
        triggers: ClassVar = [
            append_only_until_erased(_CONTENT),
            truncate_refused(),
            audit_required(f"'case:{REF_PREFIX}' || NEW.case_id"),
        ]

    def __str__(self) -> str:
        return self.file_name
