"""One action on many exceptions: a frozen list, carried out in the background, with an outcome for each."""

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from audit.guard import (
    Guard,
    append_only,
    audit_required,
    frozen_columns,
    has_all_its_rows,
    never_deleted,
    truncate_refused,
)
from exceptions_app.bulk_states import (
    KIND_WORDS,
    MOST_ITEMS,
    OUTCOME_WORDS,
    RUN_WORDS,
    BulkKind,
    Instruction,
    OutcomeState,
    RunState,
)
from exceptions_app.models.case import REF_PREFIX, ExceptionCase
from exceptions_app.models.references import Numbered, NumberedQuerySet

BULK_PREFIX = "BU-"
BULK_SUBJECT = f"bulk:{BULK_PREFIX}"


class Pick(models.Model):
    """An exception that a person has ticked in a list, until they untick it: it outlasts pages, actions and visits."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    case = models.ForeignKey(ExceptionCase, on_delete=models.CASCADE, related_name="picks")
    picked_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["person", "case"], name="pick_once")]

    def __str__(self) -> str:
        return f"{self.person_id} picked {self.case_id}"


_FINISHED_WITH_ALL_OUTCOMES = Guard(
    name="finished",
    level=pgtrigger.Row,
    when=pgtrigger.After,
    operation=pgtrigger.Insert | pgtrigger.Update,
    timing=pgtrigger.Deferred,
    func="""
    IF NEW.state = 'finished' AND EXISTS (
        SELECT 1 FROM public.exceptions_app_bulkitem i
        LEFT JOIN public.exceptions_app_bulkoutcome o ON o.item_id = i.id
        WHERE i.run_id = NEW.id AND o.item_id IS NULL
    ) THEN
        RAISE EXCEPTION 'bulk run % is not finished: not every item has an outcome', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
    """,
)
_OVER_IS_OVER = Guard(
    name="over",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
    IF NEW.state <> OLD.state AND OLD.state IN ('finished', 'cancelled') THEN
        RAISE EXCEPTION 'bulk run % is % and cannot become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class BulkRunQuerySet(NumberedQuerySet["BulkRun"]):
    prefix = BULK_PREFIX


class BulkRun(Numbered):
    """What one person wants done with each exception of a list, in their name. Only `actions` change a row.

    `frozen_sha256` covers what is asked and the list, with the revision at which each exception was seen.
    """

    ref_prefix = BULK_PREFIX
    subject_prefix = BULK_SUBJECT

    key = models.UUIDField(unique=True, help_text="Of the form that started it: sent twice, it starts once.")
    kind = models.CharField(max_length=20)
    parameters = models.JSONField(default=dict)
    because = models.CharField(max_length=500, blank=True)
    count = models.PositiveIntegerField()
    money = models.JSONField(help_text="The sum in each currency, as text.")
    frozen_sha256 = models.CharField(max_length=64)
    starter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField()
    state = models.CharField(max_length=20, default=RunState.RUNNING)
    counted_from = models.DateTimeField(help_text="When it was started or last resumed.")
    changed_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = BulkRunQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in RunState]), name="bulk_known_state"),
            models.CheckConstraint(condition=Q(kind__in=[k.value for k in BulkKind]), name="bulk_known_kind"),
            models.CheckConstraint(condition=Q(count__range=(1, MOST_ITEMS)), name="bulk_count_in_range"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(state="running"), name="bulk_running"),
            models.Index(fields=["starter", "-id"], name="bulk_by_starter"),
        ]
        triggers: ClassVar = [
            audit_required(f"'{BULK_SUBJECT}' || NEW.id"),
            frozen_columns(
                "key", "kind", "parameters", "because", "count", "money", "frozen_sha256", "starter_id", "started_at"
            ),
            has_all_its_rows(
                "exceptions_app_bulkitem", by="run_id", called="bulk run", rows="items", name="whole_list"
            ),
            _FINISHED_WITH_ALL_OUTCOMES,
            _OVER_IS_OVER,
            never_deleted(),
            truncate_refused(),
        ]

    @property
    def state_words(self) -> str:
        return RUN_WORDS[RunState(self.state)]

    @property
    def kind_words(self) -> str:
        return KIND_WORDS[BulkKind(self.kind)]

    @property
    def instruction(self) -> Instruction:
        return Instruction.kept(self.kind, self.because, self.parameters)


_IN_ITS_PLACE = Guard(
    name="in_its_place",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
    IF NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_bulkrun r WHERE r.id = NEW.run_id AND NEW.position BETWEEN 1 AND r.count
    ) THEN
        RAISE EXCEPTION 'item % has no place in bulk run %', NEW.position, NEW.run_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class BulkItem(models.Model):
    """One line of the frozen list. Never changed; what came of it is its outcome."""

    run = models.ForeignKey(BulkRun, on_delete=models.PROTECT, related_name="items")
    position = models.PositiveIntegerField(help_text="From 1, in the order of their turns.")
    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="bulk_items")
    revision = models.PositiveIntegerField(help_text="Of the exception, as the person saw it.")
    amount = models.DecimalField(max_digits=21, decimal_places=6, null=True)
    currency = models.CharField(max_length=3, blank=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "position"], name="bulk_one_item_a_place"),
            models.UniqueConstraint(fields=["run", "case"], name="bulk_case_once"),
        ]
        triggers: ClassVar = [append_only(), truncate_refused(), _IN_ITS_PLACE]

    def __str__(self) -> str:
        return f"{BULK_PREFIX}{self.run_id} item {self.position}"


# A pause and an outcome wait for each other: once the pause is committed, no item of the run is done any more.
_WHILE_IT_RUNS = Guard(
    name="running",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[("stands", "TEXT")],
    func="""
    SELECT r.state INTO stands FROM public.exceptions_app_bulkrun r
    JOIN public.exceptions_app_bulkitem i ON i.run_id = r.id WHERE i.id = NEW.item_id FOR SHARE OF r;
    IF stands IS DISTINCT FROM 'running' THEN
        RAISE EXCEPTION 'bulk run of item % is %', NEW.item_id, stands USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class BulkOutcome(models.Model):
    """What came of one item, in the transaction that did it. Never changed."""

    item = models.OneToOneField(BulkItem, on_delete=models.PROTECT, primary_key=True, related_name="outcome")
    state = models.CharField(max_length=10)
    detail = models.CharField(max_length=500, blank=True, help_text="Why not, in words for the person.")
    at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in OutcomeState]), name="bulk_outcome_known_state"
            ),
            models.CheckConstraint(condition=Q(state="done") | ~Q(detail=""), name="bulk_outcome_has_reason"),
        ]
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            _WHILE_IT_RUNS,
            # What is called done has its event in the trail of the exception, in the same transaction.
            audit_required(
                f"'case:{REF_PREFIX}' || (SELECT i.case_id FROM public.exceptions_app_bulkitem i WHERE i.id = NEW.item_id)",  # noqa: E501, S608 - constants of this module
                condition=pgtrigger.Condition("NEW.state = 'done'"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state} of item {self.item_id}"

    @property
    def state_words(self) -> str:
        return OUTCOME_WORDS[self.state]
