"""Deliveries of closed evidence to the archive: which exceptions, of which day, and how far each is."""

from datetime import UTC
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from audit.guard import Guard, append_only, audit_required, frozen_columns, never_deleted, truncate_refused
from exceptions_app.archive_states import AGAIN_FROM, ARCHIVE_WORDS, ArchiveState
from exceptions_app.models.audit_export import AuditExport
from exceptions_app.models.case import ExceptionCase
from exceptions_app.models.references import Numbered, NumberedQuerySet
from integrations.models import Archive

DELIVERY_PREFIX = "AD-"
DELIVERY_SUBJECT = f"archive_delivery:{DELIVERY_PREFIX}"

_ON_ITS_WAY = Guard(
    name="on_its_way",
    level=pgtrigger.Row,
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    declare=[("pack", "TEXT")],
    func="""
    IF NEW.state <> OLD.state AND NOT (
        OLD.state = 'waiting' AND NEW.state IN ('delivering', 'failed')
        OR OLD.state = 'delivering' AND NEW.state IN ('waiting', 'delivered', 'failed')
        OR OLD.state IN ('delivered', 'failed') AND NEW.state = 'waiting'
    ) THEN
        RAISE EXCEPTION 'archive delivery % is % and cannot become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.export_id IS NOT NULL AND NEW.export_id IS NULL THEN
        RAISE EXCEPTION 'archive delivery % has a pack already', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = 'delivered' AND NEW.state = 'delivered' AND (
        NEW.export_id, NEW.sha256, NEW.size, NEW.file_name, NEW.archive_id, NEW.delivered_at
    ) IS DISTINCT FROM (OLD.export_id, OLD.sha256, OLD.size, OLD.file_name, OLD.archive_id, OLD.delivered_at)
    THEN
        RAISE EXCEPTION 'archive delivery % is over: what it says of its file stays', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'delivered' AND OLD.state <> 'delivered' THEN
        SELECT e.sha256 INTO pack FROM public.exceptions_app_auditexport e WHERE e.id = NEW.export_id;
        IF pack IS DISTINCT FROM NEW.sha256 THEN
            RAISE EXCEPTION 'archive delivery % is not of its pack', OLD.id USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
    """,
)

_BEGINS_WAITING = Guard(
    name="begins_waiting",
    level=pgtrigger.Row,
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
    IF NEW.state <> 'waiting' OR NEW.export_id IS NOT NULL THEN
        RAISE EXCEPTION 'an archive delivery begins with waiting for its pack' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class ArchiveDeliveryQuerySet(NumberedQuerySet["ArchiveDelivery"]):
    prefix = DELIVERY_PREFIX


class ArchiveDelivery(Numbered):
    """The evidence of exceptions that were closed on one day, on its way to the archive. Only `actions` change it."""

    ref_prefix = DELIVERY_PREFIX
    subject_prefix = DELIVERY_SUBJECT

    since = models.DateTimeField(help_text="The day on which they were closed: its beginning, in UTC.")
    until = models.DateTimeField()
    count = models.PositiveIntegerField(help_text="Exceptions.")
    export = models.ForeignKey(
        AuditExport, on_delete=models.PROTECT, null=True, related_name="+", help_text="The pack; a new one when gone."
    )
    planned_at = models.DateTimeField()
    state = models.CharField(max_length=10, default=ArchiveState.WAITING)
    asked_at = models.DateTimeField(help_text="When it was planned, or a person had it delivered again.")
    changed_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0, help_text="Begun. A worker settles only the one that it began.")
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    problem = models.CharField(max_length=500, blank=True, default="")
    next_at = models.DateTimeField(db_default=Now(), help_text="By the database's clock.")
    lease_until = models.DateTimeField(null=True, help_text="By the database's clock: then its worker is dead.")
    told_at = models.DateTimeField(null=True, help_text="When administrators were told that it is late.")
    archive = models.ForeignKey(Archive, on_delete=models.PROTECT, null=True, related_name="deliveries")
    file_name = models.CharField(max_length=200, blank=True, default="")
    sha256 = models.CharField(max_length=64, blank=True, default="")
    size = models.PositiveBigIntegerField(null=True, help_text="In bytes, as read back.")
    delivered_at = models.DateTimeField(null=True)

    objects = ArchiveDeliveryQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in ArchiveState]), name="archive_delivery_known_state"
            ),
            models.CheckConstraint(condition=Q(count__gte=1), name="archive_delivery_of_something"),
            models.CheckConstraint(
                condition=~Q(state="delivered")
                | Q(
                    sha256__regex="^[0-9a-f]{64}$", size__isnull=False, delivered_at__isnull=False,
                    archive__isnull=False, export__isnull=False,
                ) & ~Q(file_name=""),
                name="archive_delivered_with_its_digest",
            ),
            models.CheckConstraint(
                condition=Q(state="delivering", lease_until__isnull=False, archive__isnull=False)
                | ~Q(state="delivering") & Q(lease_until__isnull=True),
                name="archive_delivering_for_a_while",
            ),
            models.CheckConstraint(condition=~Q(state="failed") | ~Q(problem=""), name="archive_failed_with_reason"),
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="delivering"), name="archive_one_delivery_at_a_time"
            ),
        ]  # fmt: skip
        indexes: ClassVar = [
            models.Index(
                fields=["id"], condition=Q(state__in=["waiting", "delivering", "failed"]), name="archive_undelivered"
            ),
        ]
        triggers: ClassVar = [
            audit_required(f"'{DELIVERY_SUBJECT}' || NEW.id", operation=pgtrigger.Insert),
            # That its turn has come changes nothing; everything else that becomes of it is told.
            audit_required(
                f"'{DELIVERY_SUBJECT}' || NEW.id",
                name="audit_required_to_move",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "NOT (OLD.state = 'waiting' AND NEW.state = 'delivering')"
                    " AND (OLD.state IS DISTINCT FROM NEW.state OR OLD.export_id IS DISTINCT FROM NEW.export_id)"
                ),
            ),
            frozen_columns("since", "until", "count", "planned_at"),
            _BEGINS_WAITING,
            _ON_ITS_WAY,
            never_deleted(),
            truncate_refused(),
        ]

    @property
    def state_words(self) -> str:
        return ARCHIVE_WORDS[ArchiveState(self.state)]

    @property
    def day(self) -> str:
        """The day whose exceptions it holds: one of UTC, whoever reads it."""
        return f"{self.since.astimezone(UTC):%Y-%m-%d}"

    @property
    def may_go_again(self) -> bool:
        return self.state in AGAIN_FROM


_LISTED_BEFORE_IT_IS_PACKED = Guard(
    name="before_it_is_packed",
    level=pgtrigger.Row,
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
    IF NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_archivedelivery d JOIN public.exceptions_app_exceptioncase c
            ON c.id = NEW.case_id AND c.closed_at = NEW.closed_at
        WHERE d.id = NEW.delivery_id AND d.export_id IS NULL
    ) THEN
        RAISE EXCEPTION 'exception % was not closed so, or archive delivery % is packed', NEW.case_id, NEW.delivery_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class ArchivedCase(models.Model):
    """An exception whose evidence a delivery holds, up to its closing at that time. Closed again, it goes again."""

    delivery = models.ForeignKey(ArchiveDelivery, on_delete=models.PROTECT, related_name="cases")
    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "closed_at"], name="archived_once"),
        ]
        triggers: ClassVar = [_LISTED_BEFORE_IT_IS_PACKED, append_only(), truncate_refused()]

    def __str__(self) -> str:
        return f"EX-{self.case_id} in {DELIVERY_PREFIX}{self.delivery_id}"


NOT_LISTED = """NOT EXISTS (
    SELECT 1 FROM public.exceptions_app_archivedcase i WHERE i.case_id = c.id AND i.closed_at = c.closed_at
)"""
# There is an archive, and it has not the evidence of `c`, an exception, up to its closing.
NOT_DELIVERED = """(
    EXISTS (SELECT 1 FROM public.integrations_archive a WHERE a.in_use) AND NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_archivedcase i
        JOIN public.exceptions_app_archivedelivery d ON d.id = i.delivery_id AND d.state = 'delivered'
        WHERE i.case_id = c.id AND i.closed_at = c.closed_at
    )
)"""
