"""Connections to other systems, what came in from them (inbox) and what goes out to them (outbox)."""

from pathlib import PurePosixPath
from typing import ClassVar
from urllib.parse import urlsplit

import pgtrigger
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase
from simple_history.models import HistoricalRecords

from audit.guard import Guard, append_only, audit_required, frozen_columns, never_deleted, truncate_refused
from integrations.secret_box import SealedTextField

# A claim may ask, send and compare, each for at most twice this long, within the time limit of a worker's task.
LONGEST_TIMEOUT = 30  # seconds


class Connection(models.Model):
    """One connected system: where messages come from, where corrected ones go, whom to tell.

    Changes are configuration: the database asks for an audit event in the same transaction.
    """

    slug = models.SlugField(unique=True, help_text="Used in addresses and in messages, never changed.")
    name = models.CharField(max_length=100)
    connector = models.CharField(max_length=40, help_text="Which connector understands its messages.")
    owner = models.CharField(max_length=100, blank=True, help_text="Who to call when it breaks.")
    target_url = models.URLField(blank=True, help_text="Where corrected documents are sent.")
    target_token = SealedTextField(blank=True)
    write_back_url = models.URLField(blank=True, help_text="Where the source is told how it ended.")
    write_back_secret = SealedTextField(blank=True)
    watched_folder = models.CharField(max_length=200, blank=True, help_text="Folder below the intake folder.")
    refusal_optional = models.BooleanField(default=False, help_text="A file is complete without a refusal beside it.")
    max_bytes = models.PositiveIntegerField(default=5_000_000, help_text="Largest payload accepted, in bytes.")
    timeout_seconds = models.PositiveSmallIntegerField(
        default=10, validators=[MinValueValidator(1), MaxValueValidator(LONGEST_TIMEOUT)]
    )
    resend_when_absent = models.BooleanField(
        default=False, help_text="Opt-in: send again by itself when a target that can only be asked has nothing."
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_because = models.CharField(max_length=300, blank=True)
    _history_user: AbstractBaseUser  # what django-simple-history writes beside the next row of the history
    history = HistoricalRecords(excluded_fields=["target_token", "write_back_secret"])

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
        for name in ("target_url", "write_back_url"):
            if "@" in urlsplit(getattr(self, name)).netloc:
                problem = "Write the address without user and password; a token has a field of its own."
                raise ValidationError({name: problem})
        if not self.watched_folder:
            return
        path = PurePosixPath(self.watched_folder.strip())
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ValidationError({"watched_folder": "Name a folder below the intake folder, such as billing-nl."})
        self.watched_folder = str(path)
        if Connection.objects.filter(watched_folder=self.watched_folder).exclude(pk=self.pk).exists():
            raise ValidationError({"watched_folder": "Another connection watches this folder; name one of its own."})

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


class InboxMessage(models.Model):
    """A message as it came in, durable before it was answered. Narrow: the bytes are in `InboxContent`."""

    class Status(models.TextChoices):
        PENDING = "pending", "Waiting to be read"
        PROCESSED = "processed", "Became an exception"
        FAILED = "failed", "Could not be read"
        SET_ASIDE = "set_aside", "Set aside by a person"

    class Via(models.TextChoices):
        API = "api", "API"
        FOLDER = "folder", "Watched folder"

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="inbox_messages")
    external_id = models.CharField(max_length=200, help_text="The sender's own identifier of the message.")
    content_sha256 = models.CharField(max_length=64)
    via = models.CharField(max_length=10, choices=Via)
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
            models.CheckConstraint(
                condition=Q(status__in=["pending", "processed", "failed", "set_aside"]), name="inbox_known_status"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(status="pending"), name="inbox_pending"),
            models.Index(fields=["-received_at", "-id"], condition=Q(status="failed"), name="inbox_failed"),
        ]
        triggers: ClassVar = [
            frozen_columns("connection_id", "external_id", "content_sha256", "received_at"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id}:{self.external_id}"


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
        triggers: ClassVar = [append_only(), truncate_refused()]

    def __str__(self) -> str:
        return f"content of message {self.message_id}"


# What was confirmed stays confirmed, and what was refused is never revived: a new attempt is a new row. What was sent
# is given up only after the target was asked and did not have it.
_FINAL_STATES_ARE_FINAL = Guard(
    name="final",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
    IF OLD.state IN ('confirmed', 'already_there', 'refused', 'conflict', 'cancelled') AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'delivery % is % and stays so', OLD.id, OLD.state USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'cancelled' AND OLD.state <> 'cancelled' AND OLD.sends > 0 AND NOT EXISTS (
        SELECT 1 FROM public.integrations_deliveryattempt t
        JOIN public.integrations_deliveryanswer a ON a.attempt_id = t.id
        WHERE t.delivery_id = OLD.id AND t.phase = 'probe' AND a.outcome = 'absent'
            AND t.started_at >= OLD.last_sent_at
    ) THEN
        RAISE EXCEPTION 'delivery % may have been booked and cannot be cancelled', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class Delivery(models.Model):
    """One thing to be brought about at another system exactly once; the outbox row and its whole state."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        PROBING = "probing", "Asking the target"
        SENDING = "sending", "Sending"
        CONFIRMED = "confirmed", "Confirmed"
        ALREADY_THERE = "already_there", "Already there"
        REFUSED = "refused", "Refused"
        CONFLICT = "conflict", "Conflict"
        UNKNOWN = "unknown", "Outcome unknown"
        CANCELLED = "cancelled", "Cancelled"

    LIVE: ClassVar = (State.QUEUED, State.PROBING, State.SENDING, State.UNKNOWN)
    BOOKED: ClassVar = (State.CONFIRMED, State.ALREADY_THERE)

    class Operation(models.TextChoices):
        SUBMIT = "submit", "Submit the document"
        WRITE_BACK = "write_back", "Tell the source"

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="deliveries")
    operation = models.CharField(max_length=20, choices=Operation)
    object_type = models.CharField(max_length=40)
    business_key = models.CharField(max_length=300)
    key = models.CharField(max_length=64, help_text="Idempotency key, the same for every attempt of this version.")
    content_sha256 = models.CharField(max_length=64)
    subject = models.CharField(max_length=100, help_text="What it is for, in the audit's words: case:EX-1042.")
    correlation_id = models.CharField(max_length=100, blank=True)
    probe_first = models.BooleanField(default=False)
    state = models.CharField(max_length=20, choices=State, default=State.QUEUED)
    epoch = models.PositiveIntegerField(default=0, help_text="Fencing token: raised by every claim.")
    lease_until = models.DateTimeField(null=True)
    due_at = models.DateTimeField()
    claims = models.PositiveSmallIntegerField(default=0, help_text="Claims since something last came of one.")
    sends = models.PositiveSmallIntegerField(default=0, help_text="Sends that may have reached the target.")
    failures = models.PositiveSmallIntegerField(default=0, help_text="Tries in a row that came to nothing.")
    last_sent_at = models.DateTimeField(null=True)
    reference = models.CharField(max_length=200, blank=True, help_text="The target's own reference.")
    detail = models.TextField(blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "queued",
                        "probing",
                        "sending",
                        "confirmed",
                        "already_there",
                        "refused",
                        "conflict",
                        "unknown",
                        "cancelled",
                    ]
                ),
                name="delivery_known_state",
            ),
            models.CheckConstraint(
                condition=Q(operation__in=["submit", "write_back"]), name="delivery_known_operation"
            ),
            models.UniqueConstraint(
                fields=["connection", "operation", "object_type", "business_key"],
                condition=Q(state__in=["queued", "probing", "sending", "unknown"]),
                name="delivery_one_live",
            ),
            models.UniqueConstraint(
                fields=["key"],
                condition=Q(state__in=["queued", "probing", "sending", "unknown"]),
                name="delivery_key_live_once",
            ),
            models.UniqueConstraint(fields=["key"], condition=Q(state="confirmed"), name="delivery_key_confirmed_once"),
            models.UniqueConstraint(
                fields=["connection", "operation", "object_type", "business_key"],
                condition=Q(state="confirmed"),
                name="delivery_one_confirmed",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["due_at", "id"],
                condition=Q(state__in=["queued", "probing", "sending", "unknown"]),
                name="delivery_due",
            ),
            models.Index(fields=["subject", "-id"], name="delivery_by_subject"),
        ]
        triggers: ClassVar = [
            frozen_columns(
                "connection_id", "operation", "object_type", "business_key", "key", "content_sha256", "subject"
            ),
            _FINAL_STATES_ARE_FINAL,
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk} ({self.state})"

    @property
    def is_live(self) -> bool:
        return self.state in self.LIVE


class DeliveryContent(models.Model):
    """The bytes that are sent, rendered once."""

    delivery = models.OneToOneField(Delivery, on_delete=models.PROTECT, primary_key=True, related_name="content")
    body = models.BinaryField()
    media_type = models.CharField(max_length=100)

    class Meta:
        default_permissions = ()
        triggers: ClassVar = [append_only(), truncate_refused()]

    def __str__(self) -> str:
        return f"content of delivery {self.delivery_id}"


class DeliveryAttempt(models.Model):
    """The intent to ask or to send, committed before the first byte leaves."""

    class Phase(models.TextChoices):
        PROBE = "probe", "Asked"
        SEND = "send", "Sent"
        COMPARE = "compare", "Compared"

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="attempts")
    phase = models.CharField(max_length=10, choices=Phase)
    epoch = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    content_sha256 = models.CharField(max_length=64)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["delivery", "epoch", "phase"], name="attempt_once_per_claim")
        ]
        triggers: ClassVar = [append_only(), truncate_refused()]

    def __str__(self) -> str:
        return f"{self.phase} {self.epoch} of delivery {self.delivery_id}"


class DeliveryAnswer(models.Model):
    """What came back for an attempt. An attempt without an answer is one whose outcome we never learned."""

    attempt = models.OneToOneField(DeliveryAttempt, on_delete=models.PROTECT, primary_key=True, related_name="answer")
    outcome = models.CharField(max_length=20)
    http_status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    reference = models.CharField(max_length=200, blank=True)
    detail = models.TextField(blank=True)
    finished_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        triggers: ClassVar = [append_only(), truncate_refused()]

    def __str__(self) -> str:
        return f"answer {self.outcome}"


class FolderProblem(models.Model):
    """A file in a watched folder that could not even be taken in; the file is in quarantine."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="folder_problems")
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
