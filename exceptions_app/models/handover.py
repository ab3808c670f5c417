"""Transactions that a source handed over for delivery, and what they wait for."""

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
from exceptions_app.handover_states import SETTLED, STATE_WORDS, TransactionState
from exceptions_app.models.case import REF_PREFIX, ExceptionCase
from exceptions_app.models.organisation import LegalEntity, Queue
from exceptions_app.models.references import NumberedQuerySet
from exceptions_app.states import Outcome
from integrations.models import Connection, Delivery, InboxMessage

TX_PREFIX = "TX-"
SUBJECT_PREFIX = f"transaction:{TX_PREFIX}"
SET_ASIDE = "set_aside"
"""How a transaction ends that could not even be read, beside the outcomes of exceptions."""

_SUBJECT = f"'{SUBJECT_PREFIX}' || NEW.id"

# What it holds is read once. A delivered one has a document at the target, and a repeat is never more than that.
_READ_ONCE_AND_FINAL = Guard(
    name="read_once",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
    IF OLD.content_sha256 <> '' AND (NEW.content_sha256, NEW.object_type, NEW.business_key)
        IS DISTINCT FROM (OLD.content_sha256, OLD.object_type, OLD.business_key)
    THEN
        RAISE EXCEPTION 'transaction % is about another document', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state IN ('delivered', 'duplicate') AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'transaction % is % and stays so', OLD.id, OLD.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)
# By a delivery of its own with these very bytes, or by one of the exception that took it up, which has the approval of
# two people for what it sent.
_DELIVERED_IS_CONFIRMED = Guard(
    name="confirmed",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    func=f"""
    IF NEW.state = 'delivered' AND NOT EXISTS (
        SELECT 1 FROM public.integrations_delivery d
        WHERE d.operation = 'submit' AND d.state IN ('confirmed', 'already_there')
            AND d.connection_id = NEW.connection_id AND d.reference = NEW.reference
            AND (d.subject = {_SUBJECT} AND d.content_sha256 = NEW.content_sha256
                 OR d.subject = 'case:{REF_PREFIX}' || NEW.case_id)
    ) THEN
        RAISE EXCEPTION 'transaction % has no confirmed delivery', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,  # noqa: S608 - constants of this module
)
_REPEATS_THE_SAME = Guard(
    name="repeats_the_same",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    func="""
    IF NEW.state = 'duplicate' AND NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_transaction t
        WHERE t.id = NEW.duplicate_of_id AND t.id <> NEW.id AND t.state <> 'duplicate'
            AND (t.connection_id, t.object_type, t.business_key, t.content_sha256)
                = (NEW.connection_id, NEW.object_type, NEW.business_key, NEW.content_sha256)
    ) THEN
        RAISE EXCEPTION 'transaction % repeats none with the same content', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class TransactionQuerySet(NumberedQuerySet["Transaction"]):
    prefix = TX_PREFIX


class Transaction(models.Model):
    """One transaction on its way from a source to the target, from the moment it was handed over.

    What it holds is known once it is read. Only the functions in `exceptions_app.actions.handover` change a row.
    """

    inbox_message = models.OneToOneField(InboxMessage, on_delete=models.PROTECT, related_name="transaction")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    external_id = models.CharField(max_length=200, help_text="The sender's own identifier of the transaction.")
    state = models.CharField(max_length=20, default=TransactionState.CHECKING)
    object_type = models.CharField(max_length=40, blank=True)
    business_key = models.CharField(max_length=300, blank=True)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, null=True, related_name="+")
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, null=True, related_name="+")
    document_number = models.CharField(max_length=200, blank=True)
    amount = models.DecimalField(max_digits=21, decimal_places=6, null=True)
    currency = models.CharField(max_length=3, blank=True)
    content_sha256 = models.CharField(max_length=64, blank=True, help_text="Of what the target is to get.")
    reference = models.CharField(max_length=200, blank=True, help_text="The target's own document reference.")
    problem = models.CharField(max_length=300, blank=True, help_text="Why it is held or waits, in plain words.")
    outcome = models.CharField(max_length=20, blank=True, help_text="How it ended when it was not delivered.")
    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, null=True, related_name="transactions")
    duplicate_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="repeats")
    wait_until = models.DateTimeField(null=True, help_text="When a person is told that its predecessor is missing.")
    revision = models.PositiveIntegerField(default=1, help_text="Raised by every change.")
    handed_over_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    objects = TransactionQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in TransactionState]), name="transaction_known_state"
            ),
            models.CheckConstraint(
                condition=Q(state="duplicate", duplicate_of__isnull=False)
                | ~Q(state="duplicate") & Q(duplicate_of__isnull=True),
                name="transaction_repeats_another",
            ),
            models.CheckConstraint(
                condition=Q(state="closed", outcome__in=[*(outcome.value for outcome in Outcome), SET_ASIDE])
                | ~Q(state="closed") & Q(outcome=""),
                name="transaction_closed_with_outcome",
            ),
            models.CheckConstraint(
                condition=~Q(state="held") | Q(case__isnull=False) | ~Q(problem=""), name="transaction_held_with_reason"
            ),
            models.CheckConstraint(
                condition=~Q(state="waiting") | Q(wait_until__isnull=False), name="transaction_waits_until"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["connection", "object_type", "business_key"], name="transaction_document"),
            models.Index(fields=["connection", "external_id"], name="transaction_external_id"),
            models.Index(fields=["external_id"], name="transaction_by_id", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["connection", "-id"], name="transaction_of_connection"),
            models.Index(fields=["queue", "entity", "-id"], name="transaction_of_queue"),
            models.Index(fields=["wait_until"], condition=Q(state="waiting"), name="transaction_waiting"),
        ]
        triggers: ClassVar = [
            audit_required(_SUBJECT),
            frozen_columns("inbox_message_id", "connection_id", "external_id", "handed_over_at"),
            _READ_ONCE_AND_FINAL,
            _DELIVERED_IS_CONFIRMED,
            _REPEATS_THE_SAME,
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"{self.ref} {self.external_id}"

    @property
    def ref(self) -> str:
        return f"{TX_PREFIX}{self.pk}"

    @property
    def subject(self) -> str:
        """Its name in the audit trail and in the outbox."""
        return f"{SUBJECT_PREFIX}{self.pk}"

    @property
    def is_settled(self) -> bool:
        return TransactionState(self.state) in SETTLED

    @property
    def present_problem(self) -> str:
        """Why it is held as its exception stands now: the target may have refused a replay since."""
        if self.state == TransactionState.HELD and self.case is not None:
            return self.case.problem or self.problem
        return self.problem

    @property
    def state_words(self) -> str:
        return STATE_WORDS[TransactionState(self.state)]


_PAYLOAD: Final = {"payload": b""}


class TransactionContent(models.Model):
    """What the target is to get, of a transaction that waits: kept as it was when it was read and checked."""

    transaction = models.OneToOneField(Transaction, on_delete=models.PROTECT, primary_key=True, related_name="content")
    payload = models.BinaryField()
    media_type = models.CharField(max_length=100)

    class Meta:
        default_permissions = ()
        triggers: ClassVar = [append_only_until_erased(_PAYLOAD), truncate_refused()]

    def __str__(self) -> str:
        return f"content of {TX_PREFIX}{self.transaction_id}"


class Predecessor(models.Model):
    """What must be delivered first, by its sender's identifier: it may not have been handed over yet."""

    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, related_name="predecessors")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    external_id = models.CharField(max_length=200)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["transaction", "connection", "external_id"], name="predecessor_once")
        ]
        indexes: ClassVar = [models.Index(fields=["connection", "external_id"], name="predecessor_named")]
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            audit_required(f"'{SUBJECT_PREFIX}' || NEW.transaction_id"),
        ]

    def __str__(self) -> str:
        return f"{self.external_id} before {TX_PREFIX}{self.transaction_id}"


class HandedOverDelivery(Delivery):
    """The deliveries as this room guards them: nothing leaves for a transaction but what was handed over."""

    class Meta:
        proxy = True
        default_permissions = ()
        triggers: ClassVar = [
            Guard(
                name="handed_over",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func=f"""
                IF NEW.operation = 'submit' AND NEW.subject LIKE 'transaction:%' AND NOT EXISTS (
                    SELECT 1 FROM public.exceptions_app_transaction t
                    WHERE '{SUBJECT_PREFIX}' || t.id = NEW.subject AND t.state = 'delivering'
                        AND (t.connection_id, t.object_type, t.business_key, t.content_sha256)
                            = (NEW.connection_id, NEW.object_type, NEW.business_key, NEW.content_sha256)
                ) THEN
                    RAISE EXCEPTION 'the delivery for % is not what was handed over', NEW.subject
                        USING ERRCODE = 'check_violation';
                END IF;
                RETURN NEW;
                """,  # noqa: S608 - constants of this module
            )
        ]
