"""What came in: the message as it was handed in, and files that could not even be taken in."""

from typing import ClassVar, Final

from django.db import models
from django.db.models import Q

from audit.guard import (
    append_only,
    append_only_until_erased,
    audit_required,
    frozen_columns,
    never_deleted,
    truncate_refused,
)
from integrations.models.connection import Connection


class InboxMessage(models.Model):
    """A message as it came in, durable before it was answered. Narrow: the bytes are in `InboxContent`."""

    class Status(models.TextChoices):
        PENDING = "pending", "Waiting to be read"
        PROCESSED = "processed", "Read"
        FAILED = "failed", "Could not be read"
        SET_ASIDE = "set_aside", "Set aside by a person"

    class Via(models.TextChoices):
        API = "api", "API"
        HOOK = "hook", "Webhook"
        FOLDER = "folder", "Watched folder"
        SFTP = "sftp", "SFTP"
        PULL = "pull", "Scheduled pull"

    class Purpose(models.TextChoices):
        REFUSED = "refused", "Refused or held by the target"
        DELIVER = "deliver", "To be delivered to the target"

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="inbox_messages")
    external_id = models.CharField(max_length=200, help_text="The sender's own identifier of the message.")
    content_sha256 = models.CharField(max_length=64)
    conflict = models.BooleanField(default=False, help_text="Its identifier came before with other content.")
    ordering_key = models.CharField(
        max_length=200, blank=True, default="", help_text="Messages of one connection and key are read in their order."
    )
    waits_its_turn = models.BooleanField(
        default=False, help_text="A reader found an earlier message of its key that is not read yet."
    )
    via = models.CharField(max_length=10, choices=Via)
    purpose = models.CharField(max_length=10, choices=Purpose, default=Purpose.REFUSED)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=150, help_text="Account or folder that handed it in.")
    correlation_id = models.CharField(max_length=100, blank=True)
    repeats = models.PositiveIntegerField(default=0, help_text="How often the same message came again.")
    claims = models.PositiveSmallIntegerField(default=0, help_text="How often a reader took it up.")
    claimed_until = models.DateTimeField(null=True, help_text="Until then no other reader takes it up.")
    processed_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)
    problem_field = models.CharField(max_length=100, blank=True)
    remedy = models.TextField(blank=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["connection", "external_id", "content_sha256"], name="inbox_same_message_once"
            ),
            models.UniqueConstraint(
                fields=["connection", "external_id"], condition=Q(conflict=False), name="inbox_identifier_once"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["pending", "processed", "failed", "set_aside"]), name="inbox_known_status"
            ),
            models.CheckConstraint(condition=Q(purpose__in=["refused", "deliver"]), name="inbox_known_purpose"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(status="pending", waits_its_turn=False), name="inbox_ready"),
            models.Index(fields=["connection", "id"], condition=Q(status="pending"), name="inbox_pending_of"),
            models.Index(
                fields=["connection", "ordering_key", "id"],
                condition=Q(status="pending") & ~Q(ordering_key=""),
                name="inbox_turns",
            ),
            models.Index(fields=["-received_at", "-id"], condition=Q(status="failed"), name="inbox_failed"),
        ]
        triggers: ClassVar = [
            frozen_columns(
                "connection_id",
                "external_id",
                "content_sha256",
                "conflict",
                "ordering_key",
                "purpose",
                "received_at",
                "received_by",
                "via",
                "correlation_id",
            ),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id}:{self.external_id}"


_HANDED_IN: Final[dict[str, object]] = {"payload": b"", "refusal": b"", "refusal_headers": {}, "context": {}}


class InboxContent(models.Model):
    """The bytes of an incoming message exactly as they were handed in."""

    message = models.OneToOneField(InboxMessage, on_delete=models.PROTECT, primary_key=True, related_name="content")
    payload = models.BinaryField()
    payload_media_type = models.CharField(max_length=100)
    refusal = models.BinaryField(default=b"")
    refusal_media_type = models.CharField(max_length=100, blank=True)
    refusal_status = models.PositiveSmallIntegerField(null=True)
    refusal_headers = models.JSONField(default=dict)
    context = models.JSONField(default=dict)

    class Meta:
        default_permissions = ()
        triggers: ClassVar = [append_only_until_erased(_HANDED_IN), truncate_refused()]

    def __str__(self) -> str:
        return f"content of message {self.message_id}"


class IntakeRate(models.Model):
    """How many messages a connection has taken since its present minute began; only where a limit is set."""

    connection = models.OneToOneField(
        Connection, on_delete=models.CASCADE, primary_key=True, related_name="intake_rate"
    )
    began_at = models.DateTimeField()
    taken = models.PositiveIntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"rate of connection {self.connection_id}"


class MessageBatch(models.Model):
    """What became of the batch that a message answers, as a whole: the control totals, and whether they agree."""

    message = models.OneToOneField(InboxMessage, on_delete=models.PROTECT, primary_key=True, related_name="batch")
    reference = models.CharField(max_length=200, blank=True, help_text="What the sender called the batch.")
    unit = models.CharField(max_length=40, help_text="The plural of what it holds: payments.")
    sent = models.JSONField(help_text="How many, and how much in each currency.")
    outcomes = models.JSONField(help_text="The same for each outcome.")
    findings = models.JSONField(default=list, help_text="What does not agree or is not sure, one sentence each.")
    agree = models.BooleanField()
    recorded_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        triggers: ClassVar = [append_only(), truncate_refused(), audit_required("'message:' || NEW.message_id")]

    def __str__(self) -> str:
        return f"batch of message {self.message_id}"


class FolderProblem(models.Model):
    """A file or an item that could not even be taken in; a file of a folder is in quarantine there."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="folder_problems")
    pull_source = models.ForeignKey("integrations.PullSource", on_delete=models.PROTECT, null=True, related_name="+")
    file_name = models.CharField(max_length=255)
    quarantined_as = models.CharField(max_length=500)
    problem = models.TextField()
    remedy = models.TextField(blank=True)
    found_at = models.DateTimeField()
    set_aside_at = models.DateTimeField(null=True, help_text="When a person said that nothing is to be done about it.")

    class Meta:
        default_permissions = ()
        indexes: ClassVar = [
            models.Index(fields=["connection"], condition=Q(set_aside_at=None), name="folder_problem_to_do"),
        ]

    def __str__(self) -> str:
        return self.file_name
