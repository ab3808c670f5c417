"""A batch of replays: a frozen list that is approved as a whole and carried out step by step."""

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
from exceptions_app.batch_states import MOST_PREPARED, STATE_WORDS, BatchState, ItemState
from exceptions_app.models.batch_duties import REFUSE_WHOEVER_MAY_NOT_DECIDE_ON_BATCH
from exceptions_app.models.case import REF_PREFIX, ExceptionCase
from exceptions_app.models.decision import Proposal
from exceptions_app.models.references import Numbered, NumberedQuerySet
from exceptions_app.models.second_opinion import SecondOpinion, verdict_constraints
from integrations.models import Connection, Delivery

BATCH_PREFIX = "B-"
SUBJECT_PREFIX = f"batch:{BATCH_PREFIX}"

_DECIDED_BEFORE_IT_RUNS = Guard(
    name="decided",
    level=pgtrigger.Row,
    when=pgtrigger.After,
    operation=pgtrigger.Insert | pgtrigger.Update,
    timing=pgtrigger.Deferred,
    func="""
    IF NEW.state IN ('running', 'stopped', 'suspended', 'complete', 'ended') AND NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_batchdecision d WHERE d.batch_id = NEW.id AND d.verdict = 'approved'
    ) THEN
        RAISE EXCEPTION 'batch % cannot become % without an approved decision', NEW.id, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'complete' AND EXISTS (
        SELECT 1 FROM public.exceptions_app_batchitem i
        LEFT JOIN public.exceptions_app_batchprogress p ON p.item_id = i.id
        WHERE i.batch_id = NEW.id AND p.state IS DISTINCT FROM 'proven'
    ) THEN
        RAISE EXCEPTION 'batch % is not complete: not every item is proven', NEW.id
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
    IF NEW.state <> OLD.state AND (
        OLD.state IN ('complete', 'cancelled', 'rejected') OR OLD.state = 'ended' AND NEW.state <> 'complete'
        OR NEW.state = 'awaiting_approval'
    ) THEN
        RAISE EXCEPTION 'batch % is % and cannot become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class ReplayBatchQuerySet(NumberedQuerySet["ReplayBatch"]):
    prefix = BATCH_PREFIX


class ReplayBatch(Numbered):
    """What one person asks another to agree to as a whole: this list, in this order, to this target.

    `frozen_sha256` covers the list with the hash of each proposal, and the policy by which it grows and stops. Only the
    functions in `exceptions_app.actions` change a row.
    """

    ref_prefix = BATCH_PREFIX
    subject_prefix = SUBJECT_PREFIX

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=20, default=BatchState.AWAITING_APPROVAL)
    policy_version = models.CharField(max_length=60)
    count = models.PositiveIntegerField()
    money = models.JSONField(help_text="The sum in each currency, as text.")
    failure_limit = models.PositiveSmallIntegerField(help_text="Per cent of failed items above which it stops.")
    frozen_sha256 = models.CharField(max_length=64)
    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    because = models.CharField(max_length=500)
    proposed_at = models.DateTimeField()
    step = models.PositiveSmallIntegerField(default=0, help_text="The step under way; 0 before the first.")
    canary = models.PositiveIntegerField(default=0, help_text="The item that goes alone; 0 when one is to be chosen.")
    counted_from = models.DateTimeField(null=True, help_text="When it was approved or last resumed.")
    stopped_because = models.CharField(max_length=500, blank=True)
    cancelled_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    changed_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = ReplayBatchQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in BatchState]), name="batch_known_state"),
            models.CheckConstraint(condition=Q(count__range=(1, MOST_PREPARED)), name="batch_count_in_range"),
            models.CheckConstraint(condition=Q(failure_limit__lte=100), name="batch_failure_limit_in_range"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["id"],
                condition=Q(state__in=["awaiting_approval", "running", "stopped", "suspended"]),
                name="batch_live",
            ),
            models.Index(fields=["state", "id"], name="batch_by_state"),
        ]
        triggers: ClassVar = [
            audit_required(f"'{SUBJECT_PREFIX}' || NEW.id"),
            frozen_columns(
                "connection_id",
                "policy_version",
                "count",
                "money",
                "failure_limit",
                "frozen_sha256",
                "proposer_id",
                "because",
                "proposed_at",
            ),
            has_all_its_rows(
                "exceptions_app_batchitem", by="batch_id", called="batch", rows="items", name="whole_list"
            ),
            _DECIDED_BEFORE_IT_RUNS,
            _OVER_IS_OVER,
            never_deleted(),
            truncate_refused(),
        ]

    @property
    def state_words(self) -> str:
        return STATE_WORDS[BatchState(self.state)]


# What is frozen is what was proposed: this version of this exception, to the batch's target.
_IS_WHAT_WAS_PROPOSED = Guard(
    name="proposed",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
    IF NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_proposal p
        JOIN public.exceptions_app_replaybatch b ON b.id = NEW.batch_id
        WHERE p.id = NEW.proposal_id AND p.state = 'open' AND p.kind = 'replay' AND b.state = 'awaiting_approval'
            AND NEW.position BETWEEN 1 AND b.count
            AND (p.case_id, p.content_sha256, p.frozen_sha256, p.target_id, p.proposer_id)
                = (NEW.case_id, NEW.content_sha256, NEW.frozen_sha256, b.connection_id, b.proposer_id)
    ) THEN
        RAISE EXCEPTION 'item % of batch % is not what was proposed', NEW.position, NEW.batch_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class BatchItem(models.Model):
    """One line of the frozen list. Never changed; how far it is stands in its progress."""

    batch = models.ForeignKey(ReplayBatch, on_delete=models.PROTECT, related_name="items")
    position = models.PositiveIntegerField(help_text="From 1, in the order of sending.")
    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="batch_items")
    proposal = models.OneToOneField(Proposal, on_delete=models.PROTECT, related_name="batch_item")
    content_sha256 = models.CharField(max_length=64)
    frozen_sha256 = models.CharField(max_length=64, help_text="That of the proposal.")
    amount = models.DecimalField(max_digits=21, decimal_places=6, null=True)
    currency = models.CharField(max_length=3, blank=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["batch", "position"], name="batch_one_item_a_place"),
            models.UniqueConstraint(fields=["batch", "case"], name="batch_case_once"),
        ]
        triggers: ClassVar = [append_only(), truncate_refused(), _IS_WHAT_WAS_PROPOSED]

    def __str__(self) -> str:
        return f"{BATCH_PREFIX}{self.batch_id} item {self.position}"


_ONLY_FORWARD = Guard(
    name="only_forward",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    func=f"""
    IF TG_OP = 'UPDATE' AND NEW.state <> OLD.state AND (
        OLD.state IN ('proven', 'given_back') OR NEW.state = 'waiting'
        OR NEW.state = 'under_way' AND OLD.state <> 'waiting'
    ) THEN
        RAISE EXCEPTION 'batch item % is % and cannot become %', OLD.item_id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'proven' AND NOT EXISTS (
        SELECT 1 FROM public.integrations_delivery d
        JOIN public.exceptions_app_batchitem i ON i.id = NEW.item_id
        WHERE d.id = NEW.delivery_id AND d.subject = 'case:{REF_PREFIX}' || i.case_id
            AND d.operation = 'submit' AND d.state IN ('confirmed', 'already_there')
    ) THEN
        RAISE EXCEPTION 'batch item % is not proven', NEW.item_id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'under_way' AND NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_batchitem i
        JOIN public.exceptions_app_decision d ON d.proposal_id = i.proposal_id AND d.verdict = 'approved'
        JOIN public.integrations_delivery v ON v.id = NEW.delivery_id AND v.content_sha256 = i.content_sha256
            AND v.subject = 'case:{REF_PREFIX}' || i.case_id
        WHERE i.id = NEW.item_id
    ) THEN
        RAISE EXCEPTION 'batch item % was not approved', NEW.item_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,  # noqa: S608 - constants of this module
)


_SUBJECT_OF_PROGRESS = (
    f"'{SUBJECT_PREFIX}' || (SELECT i.batch_id FROM public.exceptions_app_batchitem i WHERE i.id = NEW.item_id)"  # noqa: S608 - constants of this module
)


class BatchProgress(models.Model):
    """How far one item of a batch is. What leads from one state to the next is in the trail of its exception."""

    item = models.OneToOneField(BatchItem, on_delete=models.PROTECT, primary_key=True, related_name="progress")
    state = models.CharField(max_length=20, default=ItemState.WAITING)
    by_batch = models.BooleanField(default=False, help_text="Whether it was this batch that had it sent.")
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, null=True, related_name="+")
    code = models.CharField(max_length=100, blank=True, help_text="The kind of error, by which a batch stops once.")
    detail = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in ItemState]), name="progress_known_state")
        ]
        indexes: ClassVar = [models.Index(fields=["state", "item"], name="progress_by_state")]
        triggers: ClassVar = [
            _ONLY_FORWARD,
            # The other ends have their event in the trail of the exception, or cannot be written without a proof.
            audit_required(_SUBJECT_OF_PROGRESS, condition=pgtrigger.Condition("NEW.state = 'skipped'")),
            frozen_columns("item_id"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"{self.state} of item {self.item_id}"


# As for the decision on one exception: it holds for pages, API, shell and SQL alike.
_FOUR_EYES = f"""
    SELECT b.* INTO listed FROM public.exceptions_app_replaybatch b WHERE b.id = NEW.batch_id FOR UPDATE;
    IF listed.state <> 'awaiting_approval' THEN
        RAISE EXCEPTION 'batch % is no longer open', NEW.batch_id USING ERRCODE = 'check_violation';
    END IF;
    IF listed.frozen_sha256 <> NEW.frozen_sha256 THEN
        RAISE EXCEPTION 'the decision is for other content than batch %', NEW.batch_id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.decider_id = listed.proposer_id
        OR EXISTS (SELECT 1 FROM public.exceptions_app_batchitem i
                   JOIN public.exceptions_app_contributor c ON c.proposal_id = i.proposal_id
                   WHERE i.batch_id = NEW.batch_id AND c.person_id = NEW.decider_id)
        OR EXISTS (SELECT 1 FROM public.exceptions_app_batchitem i
                   JOIN public.exceptions_app_proposal p ON p.id = i.proposal_id
                   JOIN public.exceptions_app_payloadversion w ON w.id = p.version_id
                   JOIN public.exceptions_app_payloadversion v ON v.case_id = p.case_id AND v.number <= w.number
                   WHERE i.batch_id = NEW.batch_id AND (v.author_id = NEW.decider_id
                       OR v.hands @> jsonb_build_array(jsonb_build_object('person', NEW.decider_id))
                       OR v.field_maps @> jsonb_build_array(jsonb_build_object('author', NEW.decider_id))
                       OR v.field_maps @> jsonb_build_array(jsonb_build_object('put_to_use_by', NEW.decider_id))))
    THEN
        RAISE EXCEPTION 'four eyes: user % contributed to batch % and cannot decide on it',
            NEW.decider_id, NEW.batch_id USING ERRCODE = 'check_violation';
    END IF;
    {REFUSE_WHOEVER_MAY_NOT_DECIDE_ON_BATCH}
    RETURN NEW;
"""  # noqa: S608 - constants of this room


# A batch that goes with a value mapping is decided on with it, in one transaction and in the same way.
_WITH_ITS_MAPPING = Guard(
    name="with_its_mapping",
    level=pgtrigger.Row,
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    timing=pgtrigger.Deferred,
    func="""
    IF EXISTS (
        SELECT 1 FROM public.exceptions_app_mappingproposal p
        WHERE p.batch_id = NEW.batch_id AND p.state IS DISTINCT FROM NEW.verdict
    ) THEN
        RAISE EXCEPTION 'batch % is decided on with its value mapping', NEW.batch_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
    """,
)


class BatchDecision(SecondOpinion):
    """What the second person said of the whole list, bound to its hash. Never changed.

    Each item is decided with it by a decision of its own, at the moment when its turn comes.
    """

    batch = models.OneToOneField(ReplayBatch, on_delete=models.PROTECT, related_name="decision")

    class Meta(SecondOpinion.Meta):
        constraints: ClassVar = verdict_constraints("batch_decision")
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            audit_required(f"'{SUBJECT_PREFIX}' || NEW.batch_id"),
            Guard(
                name="four_eyes",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=[("listed", "RECORD"), ("person", "RECORD"), ("looked", "RECORD")],
                func=_FOUR_EYES,
            ),
            _WITH_ITS_MAPPING,
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {BATCH_PREFIX}{self.batch_id}"
