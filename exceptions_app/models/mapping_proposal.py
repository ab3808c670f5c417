"""Proposed changes of value mappings: rows that wait for a second person, and what that person said of them."""

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from audit.guard import (
    Guard,
    append_only,
    audit_required,
    frozen_columns,
    has_all_its_rows,
    never_deleted,
    truncate_refused,
)
from exceptions_app.mapping_states import MAPPING_STATE_WORDS, MOST_MENDS, MOST_ROWS, MappingState
from exceptions_app.models.duties import DECLARED, REFUSE_WHOEVER_MAY_NOT_MAP
from exceptions_app.models.references import NumberedQuerySet
from exceptions_app.models.replay_batch import ReplayBatch
from exceptions_app.models.second_opinion import SecondOpinion, verdict_constraints
from exceptions_app.models.value_mapping import SUBJECT_PREFIX, Period, ValueMapping

PROPOSAL_PREFIX = "MP-"


class MappingProposalQuerySet(NumberedQuerySet["MappingProposal"]):
    prefix = PROPOSAL_PREFIX


_DECIDED_ONCE = Guard(
    name="decided",
    level=pgtrigger.Row,
    when=pgtrigger.After,
    operation=pgtrigger.Insert | pgtrigger.Update,
    timing=pgtrigger.Deferred,
    func="""
    IF TG_OP = 'UPDATE' AND OLD.state NOT IN ('preparing', 'awaiting_approval') THEN
        RAISE EXCEPTION 'mapping proposal % is % and stays so', OLD.id, OLD.state USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state IN ('approved', 'rejected') AND NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_mappingdecision d WHERE d.proposal_id = NEW.id AND d.verdict = NEW.state
    ) THEN
        RAISE EXCEPTION 'mapping proposal % cannot become % without such a decision', NEW.id, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'approved' AND NEW.batch_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_batchdecision b
        JOIN public.exceptions_app_mappingdecision d ON d.proposal_id = NEW.id AND d.decider_id = b.decider_id
        WHERE b.batch_id = NEW.batch_id AND b.verdict = 'approved'
    ) THEN
        RAISE EXCEPTION 'mapping proposal % cannot be approved without its batch', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
    """,
)
# What a decision is bound to is written once, when all that goes with the mapping was prepared; nothing else joins it.
_PREPARED_ONCE = Guard(
    name="prepared_once",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    func="""
    IF TG_OP = 'INSERT' THEN
        IF (NEW.state = 'preparing') <> (NEW.mends > 0) THEN
            RAISE EXCEPTION 'a mapping proposal is prepared when exceptions go with it, and only then'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state <> OLD.state AND (
        NEW.state = 'preparing' OR OLD.state = 'preparing' AND NEW.state NOT IN ('awaiting_approval', 'withdrawn')
    ) THEN
        RAISE EXCEPTION 'mapping proposal % is % and cannot become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF (NEW.batch_id, NEW.frozen_sha256) IS DISTINCT FROM (OLD.batch_id, OLD.frozen_sha256)
        AND NOT (OLD.state = 'preparing' AND NEW.state = 'awaiting_approval')
    THEN
        RAISE EXCEPTION 'mapping proposal %: batch and frozen_sha256 is never changed once prepared', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)
_ALL_OF_ITS_LIST = Guard(
    name="all_of_its_list",
    level=pgtrigger.Row,
    when=pgtrigger.After,
    operation=pgtrigger.Update,
    timing=pgtrigger.Deferred,
    func="""
    IF OLD.state <> 'preparing' OR NEW.state <> 'awaiting_approval' THEN
        RETURN NULL;
    END IF;
    IF EXISTS (
        SELECT 1 FROM public.exceptions_app_mappingmend m
        LEFT JOIN public.exceptions_app_mendoutcome o ON o.item_id = m.id
        WHERE m.proposal_id = NEW.id AND o.item_id IS NULL
    ) THEN
        RAISE EXCEPTION 'mapping proposal % is not prepared: not every exception has an outcome', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (
        SELECT 1 FROM public.exceptions_app_batchitem i WHERE i.batch_id = NEW.batch_id AND i.proposal_id NOT IN (
            SELECT o.proposal_id FROM public.exceptions_app_mendoutcome o
            JOIN public.exceptions_app_mappingmend m ON m.id = o.item_id
            WHERE m.proposal_id = NEW.id AND o.proposal_id IS NOT NULL
        )
    ) THEN
        RAISE EXCEPTION 'the batch of mapping proposal % has what was not prepared for it', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
    """,
)
_SUBJECT_OF_PROPOSAL = f"'{SUBJECT_PREFIX}' || NEW.mapping_id"
_SUBJECT_BY_PROPOSAL = f"'{SUBJECT_PREFIX}' || (SELECT p.mapping_id FROM public.exceptions_app_mappingproposal p WHERE p.id = NEW.proposal_id)"  # noqa: E501, S608 - constants of this module


class MappingProposal(models.Model):
    """What one person asks another to agree to: these rows, and the batch of replays that they make possible.

    `frozen_sha256` covers the rows with what each replaces, and the hash of the batch. While it is prepared there is
    no batch yet; `mends` exceptions are its list, see `mapping_mend`.
    """

    mapping = models.ForeignKey(ValueMapping, on_delete=models.PROTECT, related_name="proposals")
    state = models.CharField(max_length=20, default=MappingState.AWAITING_APPROVAL)
    policy_version = models.CharField(max_length=60)
    count = models.PositiveIntegerField()
    mends = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Exceptions that are prepared for it in the background."
    )
    batch = models.OneToOneField(ReplayBatch, on_delete=models.PROTECT, null=True, related_name="mapping_proposal")
    frozen_sha256 = models.CharField(max_length=64)
    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    because = models.CharField(max_length=500)
    proposed_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_because = models.CharField(max_length=500, blank=True)

    objects = MappingProposalQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in MappingState]), name="mapping_proposal_known_state"
            ),
            models.CheckConstraint(condition=Q(count__range=(1, MOST_ROWS)), name="mapping_proposal_count_in_range"),
            models.CheckConstraint(condition=Q(mends__lte=MOST_MENDS), name="mapping_proposal_mends_in_range"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(state="awaiting_approval"), name="mapping_proposal_waiting"),
            models.Index(fields=["id"], condition=Q(state="preparing"), name="mapping_proposal_preparing"),
        ]
        triggers: ClassVar = [
            has_all_its_rows(
                "exceptions_app_mappingrow", by="proposal_id", called="proposal", rows="rows", name="all_rows"
            ),
            has_all_its_rows(
                "exceptions_app_mappingmend",
                by="proposal_id",
                called="proposal",
                rows="mends",
                name="all_mends",
                count="mends",
            ),
            _DECIDED_ONCE,
            _PREPARED_ONCE,
            _ALL_OF_ITS_LIST,
            frozen_columns("mapping", "policy_version", "count", "mends", "proposer", "because", "proposed_at"),
            audit_required(_SUBJECT_OF_PROPOSAL),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        return f"{PROPOSAL_PREFIX}{self.pk}"

    @property
    def what_next(self) -> str:
        if self.state == MappingState.PREPARING:
            return f"{self.mends:,} exceptions are prepared now; then it waits for somebody else's decision."
        return "It waits for somebody else's decision."

    @property
    def state_words(self) -> str:
        return MAPPING_STATE_WORDS[MappingState(self.state)]


class MappingRow(Period):
    """One row of a proposal. Without a target value it ends what holds on these days."""

    proposal = models.ForeignKey(MappingProposal, on_delete=models.PROTECT, related_name="rows")
    position = models.PositiveIntegerField(help_text="From 1, in the order in which they were written.")
    replaces = models.JSONField(default=list, help_text="The entries that held then, as the proposer saw them.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["proposal", "position"], name="mapping_one_row_a_place"),
            models.CheckConstraint(condition=~Q(source_value=""), name="mapping_row_has_source"),
            models.CheckConstraint(
                condition=Q(valid_from__isnull=True) | Q(valid_to__isnull=True) | Q(valid_from__lte=F("valid_to")),
                name="mapping_row_dates_in_order",
            ),
        ]
        triggers: ClassVar = [append_only(), truncate_refused()]

    def __str__(self) -> str:
        return f"{self.source_value} → {self.target_value}"


class MappingDecision(SecondOpinion):
    """What the second person said of a proposal, bound to its hash. Never changed."""

    proposal = models.OneToOneField(MappingProposal, on_delete=models.PROTECT, related_name="decision")

    class Meta(SecondOpinion.Meta):
        constraints: ClassVar = verdict_constraints("mapping_decision")
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            audit_required(_SUBJECT_BY_PROPOSAL),
            Guard(
                name="four_eyes",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=DECLARED,
                func=f"""
                SELECT p.* INTO proposed FROM public.exceptions_app_mappingproposal p
                    WHERE p.id = NEW.proposal_id FOR UPDATE;
                IF proposed.state <> 'awaiting_approval' THEN
                    RAISE EXCEPTION 'mapping proposal % is no longer open', NEW.proposal_id
                        USING ERRCODE = 'check_violation';
                END IF;
                IF proposed.frozen_sha256 <> NEW.frozen_sha256 THEN
                    RAISE EXCEPTION 'the decision is for other rows than mapping proposal %', NEW.proposal_id
                        USING ERRCODE = 'check_violation';
                END IF;
                IF NEW.decider_id = proposed.proposer_id THEN
                    RAISE EXCEPTION 'four eyes: user % proposed mapping proposal % and cannot decide on it',
                        NEW.decider_id, NEW.proposal_id USING ERRCODE = 'check_violation';
                END IF;
                {REFUSE_WHOEVER_MAY_NOT_MAP}
                RETURN NEW;
                """,  # noqa: S608 - constants of `duties`
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {PROPOSAL_PREFIX}{self.proposal_id}"
