"""What goes out: each thing to be brought about at another system, its attempts and what was answered."""

from typing import ClassVar, Final

import pgtrigger
from django.db import models
from django.db.models import Q

from audit.guard import (
    Guard,
    append_only,
    append_only_until_erased,
    audit_required,
    frozen_columns,
    never_deleted,
    truncate_refused,
)
from integrations.models.connection import Connection

# What was confirmed stays confirmed, and what was refused is never revived: a new attempt is a new row. What was sent
# is given up only after the target was asked and did not have it, or two people stated it with proof.
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
    ) AND NOT EXISTS (
        SELECT 1 FROM public.integrations_deliverystatement s WHERE s.delivery_id = OLD.id AND s.says = 'absent'
    ) THEN
        RAISE EXCEPTION 'delivery % may have been booked and cannot be cancelled', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


# What would let a document be sent once more: the place of a later claim, or a doubt that is forgotten.
_NEVER_BACK = Guard(
    name="never_back",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
    IF NEW.epoch < OLD.epoch OR OLD.probe_first AND NOT NEW.probe_first THEN
        RAISE EXCEPTION 'UPDATE on % refused: claims and doubts of delivery % are never taken back',
            TG_TABLE_NAME, OLD.id USING ERRCODE = '23000';
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
        REVERSE = "reverse", "Reverse what was booked"
        WRITE_BACK = "write_back", "Tell the source"

    BOOKING: ClassVar = (Operation.SUBMIT, Operation.REVERSE)

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="deliveries")
    operation = models.CharField(max_length=20, choices=Operation)
    object_type = models.CharField(max_length=40)
    business_key = models.CharField(max_length=300)
    key = models.CharField(max_length=64, help_text="Idempotency key, the same for every attempt of this version.")
    content_sha256 = models.CharField(max_length=64)
    subject = models.CharField(max_length=100, help_text="What it is for, in the audit's words: case:EX-1042.")
    correlation_id = models.CharField(max_length=100, blank=True)
    amount = models.DecimalField(
        max_digits=21, decimal_places=6, null=True, help_text="How much it moves, for control totals; empty: unknown."
    )
    currency = models.CharField(max_length=3, blank=True, default="", db_default="", help_text="ISO 4217.")
    probe_first = models.BooleanField(default=False)
    is_change = models.BooleanField(
        default=False,
        db_default=False,
        help_text="One of many changes of an object that the target keeps, each of which is an effect of its own.",
    )
    despite_warnings = models.BooleanField(
        default=False, help_text="People who saw the warnings decided it; else a warning alone stops it."
    )
    state = models.CharField(max_length=20, choices=State, default=State.QUEUED)
    epoch = models.PositiveIntegerField(default=0, help_text="Fencing token: raised by every claim.")
    lease_until = models.DateTimeField(null=True)
    due_at = models.DateTimeField()
    waiting_for = models.CharField(
        max_length=500, blank=True, help_text="What must happen before it is sent, in a sentence; empty: nothing."
    )
    waits_until = models.DateTimeField(null=True, help_text="Then a person has it, when it still waits.")
    claims = models.PositiveSmallIntegerField(default=0, help_text="Claims since something last came of one.")
    sends = models.PositiveSmallIntegerField(default=0, help_text="Sends that may have reached the target.")
    failures = models.PositiveSmallIntegerField(default=0, help_text="Tries in a row that came to nothing.")
    failing_since = models.DateTimeField(null=True, help_text="The first of the technical failures in a row.")
    given_up_at = models.DateTimeField(null=True, help_text="Its tries were spent; from then on a person has it.")
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
                condition=Q(operation__in=["submit", "reverse", "write_back"]), name="delivery_known_operation"
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | ~Q(currency=""), name="delivery_amount_has_currency"
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
                condition=Q(state="confirmed", is_change=False),
                name="delivery_one_confirmed",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["due_at", "id"],
                condition=Q(state__in=["queued", "probing", "sending", "unknown"]),
                name="delivery_due",
            ),
            # Of these, what may have been sent: claimed ahead of what goes for the first time.
            models.Index(
                fields=["due_at", "id"],
                condition=Q(state__in=["queued", "probing", "sending", "unknown"], sends__gt=0),
                name="delivery_in_doubt",
            ),
            models.Index(
                fields=["waits_until"], condition=Q(state="queued") & ~Q(waiting_for=""), name="delivery_that_waits"
            ),
            models.Index(fields=["subject", "-id"], name="delivery_by_subject"),
            models.Index(fields=["content_sha256"], name="delivery_by_content"),
            models.Index(fields=["connection", "business_key"], name="delivery_by_document"),
            # The report of a period, which asks for what books something.
            models.Index(
                fields=["created_at", "id"], condition=Q(operation__in=["submit", "reverse"]), name="delivery_by_time"
            ),
        ]
        triggers: ClassVar = [
            frozen_columns(
                "connection_id",
                "operation",
                "object_type",
                "business_key",
                "key",
                "content_sha256",
                "subject",
                "correlation_id",
                "created_at",
                "amount",
                "currency",
                "despite_warnings",
                "is_change",
            ),
            _FINAL_STATES_ARE_FINAL,
            _NEVER_BACK,
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk} ({self.state})"

    @property
    def is_live(self) -> bool:
        return self.state in self.LIVE


_BODY: Final = {"body": b""}


class DeliveryContent(models.Model):
    """The bytes that are sent, rendered once."""

    delivery = models.OneToOneField(Delivery, on_delete=models.PROTECT, primary_key=True, related_name="content")
    body = models.BinaryField()
    media_type = models.CharField(max_length=100)

    class Meta:
        default_permissions = ()
        triggers: ClassVar = [append_only_until_erased(_BODY), truncate_refused()]

    def __str__(self) -> str:
        return f"content of delivery {self.delivery_id}"


class DeliveryStatement(models.Model):
    """What two people stated about a delivery of unknown outcome, on evidence from outside: it ends with that."""

    class Says(models.TextChoices):
        BOOKED = "booked", "The target has it"
        ABSENT = "absent", "The target does not have it, and will not"

    delivery = models.OneToOneField(Delivery, on_delete=models.PROTECT, primary_key=True, related_name="statement")
    says = models.CharField(max_length=10, choices=Says)
    reference = models.CharField(max_length=200, blank=True, help_text="The target's own reference.")
    evidence_sha256 = models.CharField(max_length=64)
    stated_by = models.CharField(max_length=150)
    agreed_by = models.CharField(max_length=150)
    stated_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(says__in=["booked", "absent"]), name="statement_known"),
            models.CheckConstraint(condition=~Q(stated_by=models.F("agreed_by")), name="statement_of_two_people"),
            models.CheckConstraint(
                condition=Q(says="absent") | ~Q(reference=""), name="statement_booked_has_reference"
            ),
        ]
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            audit_required("(SELECT subject FROM public.integrations_delivery WHERE id = NEW.delivery_id)"),
        ]

    def __str__(self) -> str:
        return f"{self.says}, of delivery {self.delivery_id}"


class DeliveryEnvelope(models.Model):
    """One file in which several deliveries, or one under a new name, were sent: stored before its first byte left.

    Its reference is the target's name for the file, and never used twice.
    """

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="envelopes")
    reference = models.CharField(max_length=100)
    body = models.BinaryField()
    media_type = models.CharField(max_length=100)
    content_sha256 = models.CharField(max_length=64)
    number = models.PositiveIntegerField(help_text="How many deliveries travel in it.")
    sums = models.JSONField(help_text="How much in each currency.")
    made_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connection", "reference"], name="envelope_reference_once")
        ]
        triggers: ClassVar = [append_only_until_erased(_BODY), truncate_refused()]

    def __str__(self) -> str:
        return self.reference


_ANSWER: Final[dict[str, object]] = {"body": b"", "headers": {}, "detail": ""}


class DeliveryEnvelopeAnswer(models.Model):
    """What came back for the whole file; each delivery of it has its own part as the answer of its attempt."""

    envelope = models.OneToOneField(DeliveryEnvelope, on_delete=models.PROTECT, primary_key=True, related_name="answer")
    outcome = models.CharField(max_length=20, help_text="That of every delivery, or mixed.")
    http_status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    detail = models.TextField(blank=True)
    finished_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        triggers: ClassVar = [append_only_until_erased(_ANSWER), truncate_refused()]

    def __str__(self) -> str:
        return f"answer {self.outcome} to envelope {self.envelope_id}"


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
    envelope = models.ForeignKey(
        DeliveryEnvelope,
        on_delete=models.PROTECT,
        null=True,
        related_name="attempts",
        help_text="The file in which it was sent, unless it was sent as it is.",
    )
    position = models.PositiveIntegerField(null=True, help_text="Its place among the deliveries of the file, from 1.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["delivery", "epoch", "phase"], name="attempt_once_per_claim"),
            models.UniqueConstraint(fields=["envelope", "position"], name="attempt_one_place_in_envelope"),
            models.CheckConstraint(
                condition=Q(envelope=None, position=None) | Q(envelope__isnull=False, phase="send", position__gte=1),
                name="attempt_in_envelope_has_place",
            ),
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
        triggers: ClassVar = [append_only_until_erased(_ANSWER), truncate_refused()]

    def __str__(self) -> str:
        return f"answer {self.outcome}"
