"""Rules of approval: from which amount on, and where, a proposal takes two approvers or approvers of a certain role."""

# ruff: noqa: S608 - made of constants of this module and of `duties`

from decimal import Decimal
from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q

from audit.guard import Guard, append_only, audit_required, frozen_columns, never_deleted, truncate_refused
from exceptions_app.amounts import in_its_decimals
from exceptions_app.models.duties import DECLARED, REFUSE_WHOEVER_MAY_NOT_RULE
from exceptions_app.models.organisation import LegalEntity
from exceptions_app.models.second_opinion import SecondOpinion, verdict_constraints

RULE_PREFIX = "AR-"
_SUBJECT = f"'approval_rule:{RULE_PREFIX}' || NEW."

# One who proposes and one who decides stand behind every state but the first.
_BY_TWO = Guard(
    name="by_two",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    declare=[("said", "TEXT")],
    func="""
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'proposed' THEN
            RAISE EXCEPTION 'four eyes: an approval rule begins as a proposal' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    SELECT d.verdict INTO said FROM public.exceptions_app_approvalruledecision d WHERE d.rule_id = NEW.id;
    IF OLD.state = 'proposed' AND (
        NEW.state = CASE WHEN NEW.is_end THEN 'ended' ELSE 'in_force' END AND said IS NOT DISTINCT FROM 'approved'
        OR NEW.state = 'rejected' AND said IS NOT DISTINCT FROM 'rejected'
        OR NEW.state = 'withdrawn' AND said IS NULL
    ) THEN
        RETURN NEW;
    END IF;
    IF OLD.state = 'in_force' AND NEW.state = 'ended' AND EXISTS (
        SELECT 1 FROM public.exceptions_app_approvalrule r
        JOIN public.exceptions_app_approvalruledecision d ON d.rule_id = r.id AND d.verdict = 'approved'
        WHERE r.replaces_id = NEW.id
    ) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'four eyes: approval rule % is % and nobody agreed that it becomes %', OLD.id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation';
    """,
)


class ApprovalRule(models.Model):
    """One version of one rule. A change is a row that replaces another one, and so is its end.

    What it asks is asked of every proposal about more than `above`, in that legal entity and of that kind of
    transaction where they are named. Of several rules that apply, all are obeyed.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", "Proposed"
        IN_FORCE = "in_force", "In force"
        ENDED = "ended", "Ended"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    state = models.CharField(max_length=10, choices=State, default=State.PROPOSED)
    replaces = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="changes")
    is_end = models.BooleanField(default=False, help_text="It asks nothing; it ends the rule that it replaces.")
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, null=True, related_name="+")
    object_type = models.CharField(max_length=40, blank=True, help_text="Kind of transaction; empty for all.")
    above = models.DecimalField(max_digits=21, decimal_places=6)
    currency = models.CharField(max_length=3, help_text="ISO 4217.")
    approvers = models.PositiveSmallIntegerField()
    role = models.ForeignKey(
        Group, on_delete=models.PROTECT, null=True, related_name="+", help_text="Which each of them must have."
    )
    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    because = models.CharField(max_length=500)
    proposed_at = models.DateTimeField()
    frozen_sha256 = models.CharField(max_length=64)
    closed_at = models.DateTimeField(null=True, help_text="When it was withdrawn, rejected or ended.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=["proposed", "in_force", "ended", "rejected", "withdrawn"]),
                name="approval_rule_known_state",
            ),
            models.CheckConstraint(condition=Q(approvers__in=[1, 2]), name="approval_rule_one_or_two"),
            models.CheckConstraint(condition=Q(above__gte=0), name="approval_rule_above_nought_or_more"),
            models.CheckConstraint(
                condition=Q(is_end=True, replaces__isnull=False)
                | Q(is_end=False, approvers=2)
                | Q(is_end=False, role__isnull=False),
                name="approval_rule_asks_something",
            ),
            models.UniqueConstraint(
                fields=["replaces"], condition=Q(state="proposed"), name="approval_rule_one_change_at_a_time"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(state__in=["proposed", "in_force"]), name="approval_rule_live")
        ]
        triggers: ClassVar = [
            _BY_TWO,
            frozen_columns(
                "replaces", "is_end", "entity", "object_type", "above", "currency", "approvers", "role", "proposer",
                "because", "proposed_at", "frozen_sha256",
            ),
            audit_required(f"{_SUBJECT}id"),
            never_deleted(),
            truncate_refused(),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.ref}: {self.words}"

    @property
    def ref(self) -> str:
        return f"{RULE_PREFIX}{self.pk}"

    @property
    def subject(self) -> str:
        return f"approval_rule:{self.ref}"

    @property
    def words(self) -> str:
        """What it asks, in one line."""
        if self.is_end:
            return f"ends {RULE_PREFIX}{self.replaces_id}"
        return rule_in_words(
            above=self.above, currency=self.currency, entity=self.entity.code if self.entity else "",
            object_type=self.object_type, approvers=self.approvers, role=self.role.name if self.role else "",
        )  # fmt: skip


def rule_in_words(*, above: Decimal, currency: str, entity: str, object_type: str, approvers: int, role: str) -> str:
    limit = f"{in_its_decimals(above, currency):,f}"
    where = f" in {entity}" if entity else ""
    what = f" of the kind {object_type}" if object_type else ""
    people = "2 approvers" if approvers > 1 else "1 approver"
    who = f"{', each' if approvers > 1 else ''} with the role {role}" if role else ""
    return f"above {limit} {currency}{where}{what}: {people}{who}"


class ApprovalRuleDecision(SecondOpinion):
    """What the second person said of a proposed rule, bound to its hash. Never changed."""

    rule = models.OneToOneField(ApprovalRule, on_delete=models.PROTECT, related_name="decision")

    class Meta(SecondOpinion.Meta):
        constraints: ClassVar = verdict_constraints("approval_rule_decision")
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            audit_required(f"{_SUBJECT}rule_id"),
            Guard(
                name="four_eyes",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=DECLARED,
                func=f"""
                SELECT r.* INTO proposed FROM public.exceptions_app_approvalrule r WHERE r.id = NEW.rule_id FOR UPDATE;
                IF proposed.state <> 'proposed' OR proposed.frozen_sha256 <> NEW.frozen_sha256 THEN
                    RAISE EXCEPTION 'approval rule % is no longer open, or is not what was shown', NEW.rule_id
                        USING ERRCODE = 'check_violation';
                END IF;
                {REFUSE_WHOEVER_MAY_NOT_RULE}
                RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {RULE_PREFIX}{self.rule_id}"
