"""The open exceptions that go with a proposed value mapping, while they are prepared in the background."""

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q

from audit.guard import Guard, append_only, audit_required, frozen_columns, never_deleted, truncate_refused
from exceptions_app.models.case import REF_PREFIX, ExceptionCase
from exceptions_app.models.decision import Proposal
from exceptions_app.models.mapping_proposal import PROPOSAL_PREFIX, MappingProposal

_IN_ITS_PLACE = Guard(
    name="in_its_place",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
    IF NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_mappingproposal p
        WHERE p.id = NEW.proposal_id AND p.state = 'preparing' AND NEW.position BETWEEN 1 AND p.mends
    ) THEN
        RAISE EXCEPTION 'item % has no place in mapping proposal %', NEW.position, NEW.proposal_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class MappingMend(models.Model):
    """One line of the list that a person asked for. Never changed; what came of it is its outcome."""

    proposal = models.ForeignKey(MappingProposal, on_delete=models.PROTECT, related_name="mend_items")
    position = models.PositiveIntegerField(help_text="From 1, in the order in which they came.")
    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="+")
    revision = models.PositiveIntegerField(help_text="Of the exception, as the person saw it.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["proposal", "position"], name="mend_one_a_place"),
            models.UniqueConstraint(fields=["proposal", "case"], name="mend_case_once"),
        ]
        triggers: ClassVar = [append_only(), truncate_refused(), _IN_ITS_PLACE]

    def __str__(self) -> str:
        return f"{PROPOSAL_PREFIX}{self.proposal_id} item {self.position}"


# A withdrawal and an outcome wait for each other: once it is committed, nothing more is prepared.
_WHILE_IT_IS_PREPARED = Guard(
    name="preparing",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[("asked", "RECORD")],
    func="""
    SELECT p.id, p.state, p.proposer_id, m.case_id INTO asked FROM public.exceptions_app_mappingproposal p
    JOIN public.exceptions_app_mappingmend m ON m.proposal_id = p.id WHERE m.id = NEW.item_id FOR SHARE OF p;
    IF asked.state <> 'preparing' THEN
        RAISE EXCEPTION 'mapping proposal % is %', asked.id, asked.state USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.proposal_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_proposal r WHERE r.id = NEW.proposal_id AND r.state = 'open'
            AND r.kind = 'replay' AND (r.case_id, r.proposer_id) = (asked.case_id, asked.proposer_id)
    ) THEN
        RAISE EXCEPTION 'item % of mapping proposal % was not proposed', NEW.item_id, asked.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class MendOutcome(models.Model):
    """What came of one item, in the transaction that corrected and proposed it: its proposal, or why there is none."""

    item = models.OneToOneField(MappingMend, on_delete=models.PROTECT, primary_key=True, related_name="outcome")
    proposal = models.OneToOneField(Proposal, on_delete=models.PROTECT, null=True, related_name="mend_outcome")
    detail = models.CharField(max_length=500, blank=True, help_text="Why it was left out, in words for the person.")
    at = models.DateTimeField()
    returned_at = models.DateTimeField(null=True, help_text="When it was given back, the mapping being withdrawn.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(proposal__isnull=False) | ~Q(detail=""), name="mend_outcome_has_reason"),
        ]
        triggers: ClassVar = [
            _WHILE_IT_IS_PREPARED,
            frozen_columns("item", "proposal", "detail", "at"),
            # What was prepared has its events in the trail of the exception, in the same transaction.
            audit_required(
                f"'case:{REF_PREFIX}' || (SELECT m.case_id FROM public.exceptions_app_mappingmend m WHERE m.id = NEW.item_id)",  # noqa: E501, S608 - constants of this module
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.proposal_id IS NOT NULL"),
            ),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"outcome of item {self.item_id}"
