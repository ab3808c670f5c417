"""The audit log's tables. Rows of the first three are written once; the database refuses anything else."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from audit.fields import CurrentTransactionId, TransactionIdField
from audit.guard import append_only, audit_required, truncate_refused
from audit.notes import SignedNote


class AuditEvent(models.Model):
    """One thing that somebody did. ``body`` is the evidence; the other columns repeat it for searching."""

    class ActorKind(models.TextChoices):
        PERSON = "person", "Person"
        MACHINE = "machine", "Machine"
        SERVICE = "service", "Service"

    id = models.BigAutoField(primary_key=True)
    transaction_id = TransactionIdField(db_default=CurrentTransactionId(), editable=False)
    event_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    at = models.DateTimeField()
    action = models.CharField(max_length=80)
    actor = models.CharField(max_length=254)
    actor_kind = models.CharField(max_length=8, choices=ActorKind.choices)
    subject = models.CharField(max_length=200)
    scope = models.CharField(max_length=200, blank=True)
    summary = models.TextField()
    because = models.TextField(blank=True)
    correlation_id = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict)
    body = models.BinaryField()
    leaf = models.BinaryField(max_length=32)

    class Meta:
        db_table = "audit_event"
        verbose_name = "audit event"
        indexes = [
            models.Index(fields=["transaction_id", "subject"], name="audit_event_transaction"),
            models.Index(fields=["subject", "at", "id"], name="audit_event_timeline"),
            models.Index(fields=["at", "id"], name="audit_event_at"),
            models.Index(fields=["actor", "at", "id"], name="audit_event_actor"),
        ]
        constraints = [
            models.CheckConstraint(
                name="audit_event_actor_kind_known", condition=Q(actor_kind__in=["person", "machine", "service"])
            ),
            models.CheckConstraint(
                name="audit_event_says_who_what_and_whereof",
                condition=~Q(actor="") & ~Q(action="") & ~Q(subject="") & ~Q(summary=""),
            ),
        ]
        triggers = [append_only(), truncate_refused()]

    def __str__(self) -> str:
        return self.summary


class AuditBacklog(models.Model):
    """Events not sealed yet: filled by a trigger on ``audit_event``, emptied by the sealer.

    A queue of rows misses nothing, whereas a cursor over ids skips the events of transactions that commit late.
    """

    event = models.OneToOneField(
        AuditEvent, primary_key=True, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False
    )
    transaction_id = TransactionIdField()

    class Meta:
        db_table = "audit_backlog"
        verbose_name = "unsealed audit event"
        indexes = [models.Index(fields=["transaction_id", "event"], name="audit_backlog_order")]

    def __str__(self) -> str:
        return f"event {self.event_id}"


class AuditSeal(models.Model):
    """The place of an event in the sealed order, and the hash of everything up to and including it."""

    event = models.OneToOneField(AuditEvent, on_delete=models.PROTECT, related_name="seal")
    sequence = models.BigIntegerField(primary_key=True)
    chain_hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "audit_seal"
        verbose_name = "audit seal"
        constraints = [
            models.CheckConstraint(name="audit_seal_sequence_positive", condition=Q(sequence__gte=1)),
        ]
        triggers = [append_only(), truncate_refused()]

    def __str__(self) -> str:
        return f"seal {self.sequence}"


class AuditCheckpoint(models.Model):
    """A signed statement of the log up to ``size`` events. ``note`` is the evidence and is kept outside as well."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField(max_length=32)
    chain_head = models.BinaryField(max_length=32)
    frontier = models.BinaryField()
    at = models.DateTimeField()
    previous_digest = models.BinaryField(max_length=32)
    note = models.TextField()
    signature = models.BinaryField(max_length=64)
    key_id = models.CharField(max_length=8)

    class Meta:
        db_table = "audit_checkpoint"
        verbose_name = "audit checkpoint"
        constraints = [
            models.CheckConstraint(name="audit_checkpoint_size_positive", condition=Q(size__gte=1)),
        ]
        triggers = [append_only(), truncate_refused()]

    def __str__(self) -> str:
        return f"checkpoint at {self.size}"

    @property
    def signed_note(self) -> SignedNote:
        """The checkpoint as it is kept outside."""
        return SignedNote(text=self.note, key_id=self.key_id, signature=bytes(self.signature))


class Erased(models.Model):
    """That what a row held was taken away: which row, how much, and its hash, so that it can be told what it was.

    The row itself stays, with what is not erased. ``under`` says by what it was: a run, which knows its policy.
    """

    transaction_id = TransactionIdField(db_default=CurrentTransactionId(), editable=False)
    subject = models.CharField(max_length=200, help_text="What it belonged to, as the events name it.")
    table_name = models.CharField(max_length=63)
    row_key = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, help_text="Of what was there.")
    size = models.BigIntegerField(help_text="In bytes.")
    under = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        db_table = "audit_erased"
        verbose_name = "erasure"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["table_name", "row_key"], name="audit_erased_once")]
        indexes = [
            models.Index(fields=["subject"], name="audit_erased_subject"),
            models.Index(fields=["under"], name="audit_erased_under"),
        ]
        triggers = [append_only(), truncate_refused(), audit_required("NEW.subject")]

    def __str__(self) -> str:
        return f"{self.table_name} {self.row_key} of {self.subject}"
