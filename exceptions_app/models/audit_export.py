"""An export of the audit trail: what was asked for, how far it is, and its file in parts."""

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from audit.formats import ENDINGS, FORMATS
from audit.guard import Guard, audit_required, frozen_columns, never_deleted, truncate_refused
from exceptions_app.export_states import EXPORT_WORDS, UNFINISHED, ExportState
from exceptions_app.models.references import Numbered, NumberedQuerySet

EXPORT_PREFIX = "AX-"
EXPORT_SUBJECT = f"audit_export:{EXPORT_PREFIX}"

_ON_ITS_WAY = Guard(
    name="on_its_way",
    level=pgtrigger.Row,
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
    IF NEW.state <> OLD.state AND NOT (
        OLD.state = 'queued' AND NEW.state IN ('running', 'paused', 'cancelled', 'failed')
        OR OLD.state = 'running' AND NEW.state IN ('paused', 'done', 'failed', 'cancelled')
        OR OLD.state IN ('paused', 'failed') AND NEW.state IN ('queued', 'cancelled')
        OR OLD.state = 'done' AND NEW.state = 'gone'
    ) THEN
        RAISE EXCEPTION 'audit export % is % and cannot become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state IN ('done', 'gone', 'cancelled') AND (NEW.rows, NEW.size, NEW.parts, NEW.sha256, NEW.expires_at)
        IS DISTINCT FROM (OLD.rows, OLD.size, OLD.parts, OLD.sha256, OLD.expires_at)
    THEN
        RAISE EXCEPTION 'audit export % is over: what it says of its file stays', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class AuditExportQuerySet(NumberedQuerySet["AuditExport"]):
    prefix = EXPORT_PREFIX


class AuditExport(Numbered):
    """What one person wants to take home of the log. Only `actions` change a row."""

    ref_prefix = EXPORT_PREFIX
    subject_prefix = EXPORT_SUBJECT

    key = models.UUIDField(unique=True, help_text="Of the form that asked for it: sent twice, it starts once.")
    form = models.CharField(max_length=10)
    wanted = models.JSONField(help_text="The filter, with the scopes that the person could read, as lists and text.")
    scopes = models.JSONField(help_text="What one has to read, all of it, to see this export.")
    expected = models.PositiveBigIntegerField(help_text="Events that the filter let through when it was asked for.")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=10, default=ExportState.QUEUED)
    rows = models.PositiveBigIntegerField(default=0)
    size = models.PositiveBigIntegerField(default=0, help_text="In bytes.")
    parts = models.PositiveIntegerField(default=0)
    after_at = models.DateTimeField(null=True, help_text="The last event that was written.")
    after_id = models.BigIntegerField(null=True)
    failures = models.PositiveSmallIntegerField(default=0, help_text="In a row.")
    problem = models.CharField(max_length=500, blank=True, default="")
    changed_at = models.DateTimeField()
    sha256 = models.CharField(max_length=64, blank=True, default="")
    checkpoint = models.TextField(blank=True, default="", help_text="The newest signed one when it was finished.")
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    objects = AuditExportQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in ExportState]), name="export_known_state"),
            models.CheckConstraint(condition=Q(form__in=list(FORMATS)), name="export_known_format"),
            models.CheckConstraint(
                condition=~Q(state__in=["done", "gone"])
                | Q(sha256__regex="^[0-9a-f]{64}$", finished_at__isnull=False, expires_at__isnull=False, parts__gte=1),
                name="export_done_with_its_digest",
            ),
            models.CheckConstraint(condition=~Q(state="failed") | ~Q(problem=""), name="export_failed_with_reason"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(state__in=["queued", "running"]), name="export_being_made"),
            models.Index(fields=["expires_at"], condition=Q(state="done"), name="export_expires"),
            models.Index(fields=["by", "-id"], name="export_by_person"),
        ]
        triggers: ClassVar = [
            audit_required(f"'{EXPORT_SUBJECT}' || NEW.id", operation=pgtrigger.Insert),
            # That its turn has come changes nothing; everything else that happens to an export is told.
            audit_required(
                f"'{EXPORT_SUBJECT}' || NEW.id",
                name="audit_required_to_move",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.state IS DISTINCT FROM NEW.state AND NOT (OLD.state = 'queued' AND NEW.state = 'running')"
                ),
            ),
            frozen_columns("key", "form", "wanted", "scopes", "expected", "by_id", "asked_at"),
            _ON_ITS_WAY,
            never_deleted(),
            truncate_refused(),
        ]

    @property
    def state_words(self) -> str:
        return EXPORT_WORDS[ExportState(self.state)]

    @property
    def format_words(self) -> str:
        return FORMATS[self.form]

    @property
    def is_unfinished(self) -> bool:
        return self.state in UNFINISHED

    @property
    def percent(self) -> int:
        if self.state in (ExportState.DONE, ExportState.GONE):
            return 100
        return min(99, 100 * self.rows // self.expected) if self.expected else 0

    @property
    def file_name(self) -> str:
        return f"{self.ref}-audit-trail.{ENDINGS.get(self.form, self.form)}"


# A pause and a part wait for each other: once the pause is committed, nothing more is written.
_WHILE_IT_IS_MADE = Guard(
    name="being_made",
    level=pgtrigger.Row,
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[("stands", "TEXT")],
    func="""
    SELECT e.state INTO stands FROM public.exceptions_app_auditexport e WHERE e.id = NEW.export_id FOR SHARE;
    IF stands IS DISTINCT FROM 'running' THEN
        RAISE EXCEPTION 'audit export of part % is %', NEW.number, stands USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)
_WRITTEN_ONCE = Guard(
    name="written_once",
    level=pgtrigger.Row,
    when=pgtrigger.Before,
    operation=pgtrigger.Update | pgtrigger.Delete,
    declare=[("stands", "TEXT")],
    func="""
    SELECT e.state INTO stands FROM public.exceptions_app_auditexport e WHERE e.id = OLD.export_id;
    IF TG_OP = 'UPDATE' OR stands NOT IN ('cancelled', 'gone') THEN
        RAISE EXCEPTION '% on % refused: a part of a file is written once, and goes with the file', TG_OP, TG_TABLE_NAME
            USING ERRCODE = '23000';
    END IF;
    RETURN OLD;
    """,
)


class AuditExportPart(models.Model):
    """Some bytes of the file. All parts of an export, in their order, are its file."""

    export = models.ForeignKey(AuditExport, on_delete=models.PROTECT, related_name="file_parts")
    number = models.PositiveIntegerField(help_text="From 1.")
    body = models.BinaryField()
    told = models.JSONField(default=dict, help_text="What the writer has to know for the next parts.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["export", "number"], name="export_one_part_a_place"),
            models.CheckConstraint(condition=Q(number__gte=1), name="export_parts_from_one"),
        ]
        triggers: ClassVar = [_WHILE_IT_IS_MADE, _WRITTEN_ONCE, truncate_refused()]

    def __str__(self) -> str:
        return f"{EXPORT_PREFIX}{self.export_id} part {self.number}"
