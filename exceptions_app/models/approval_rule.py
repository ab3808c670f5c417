"""Rules of approval: from which amount on, and where, a proposal takes two approvers or approvers of a certain role."""

from decimal import Decimal
from typing import ClassVar

from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q

from exceptions_app.amounts import in_its_decimals
from exceptions_app.models.kept_rule import (
    KeptRule,
    decision_constraints,
    decision_triggers,
    live_rules,
    rule_constraints,
    rule_triggers,
)
from exceptions_app.models.organisation import LegalEntity
from exceptions_app.models.second_opinion import SecondOpinion
from exceptions_app.wording import say

RULE_PREFIX = "AR-"
_KIND = "approval_rule"


class ApprovalRule(KeptRule):
    """What it asks is asked of every proposal about more than `above`, in that legal entity and of that kind of
    transaction where they are named. Of several rules that apply, all are obeyed.
    """

    prefix = RULE_PREFIX
    kind = _KIND

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, null=True, related_name="+")
    object_type = models.CharField(max_length=40, blank=True, help_text="Kind of transaction; empty for all.")
    above = models.DecimalField(max_digits=21, decimal_places=6)
    currency = models.CharField(max_length=3, help_text="ISO 4217.")
    approvers = models.PositiveSmallIntegerField()
    role = models.ForeignKey(
        Group, on_delete=models.PROTECT, null=True, related_name="+", help_text="Which each of them must have."
    )

    class Meta(KeptRule.Meta):
        constraints: ClassVar = [
            *rule_constraints(_KIND),
            models.CheckConstraint(condition=Q(approvers__in=[1, 2]), name="approval_rule_one_or_two"),
            models.CheckConstraint(condition=Q(above__gte=0), name="approval_rule_above_nought_or_more"),
            models.CheckConstraint(
                condition=Q(is_end=True, replaces__isnull=False)
                | Q(is_end=False, approvers=2)
                | Q(is_end=False, role__isnull=False),
                name="approval_rule_asks_something",
            ),
        ]
        indexes: ClassVar = [live_rules(_KIND)]
        triggers: ClassVar = rule_triggers(
            _KIND, RULE_PREFIX, "entity", "object_type", "above", "currency", "approvers", "role",
            a_rule="an approval rule",
        )  # fmt: skip

    @property
    def asks(self) -> str:
        return rule_in_words(
            above=self.above, currency=self.currency, entity=self.entity.code if self.entity else "",
            object_type=self.object_type, approvers=self.approvers, role=self.role.name if self.role else "",
        )  # fmt: skip


def rule_in_words(*, above: Decimal, currency: str, entity: str, object_type: str, approvers: int, role: str) -> str:
    limit = f"{in_its_decimals(above, currency):,f} {currency}"
    if entity and object_type:
        of = say("above {limit} in {entity} of the kind {kind}", limit=limit, entity=entity, kind=object_type)
    elif entity:
        of = say("above {limit} in {entity}", limit=limit, entity=entity)
    elif object_type:
        of = say("above {limit} of the kind {kind}", limit=limit, kind=object_type)
    else:
        of = say("above {limit}", limit=limit)
    if role:
        many, one = (
            say("2 approvers, each with the role {role}", role=role),
            say("1 approver with the role {role}", role=role),
        )
    else:
        many, one = say("2 approvers"), say("1 approver")
    return say("{conditions}: {outcome}", conditions=of, outcome=many if approvers > 1 else one)


class ApprovalRuleDecision(SecondOpinion):
    """What the second person said of a proposed rule, bound to its hash. Never changed."""

    rule = models.OneToOneField(ApprovalRule, on_delete=models.PROTECT, related_name="decision")

    class Meta(SecondOpinion.Meta):
        constraints: ClassVar = decision_constraints(_KIND)
        triggers: ClassVar = decision_triggers(_KIND, RULE_PREFIX)

    def __str__(self) -> str:
        return f"{self.verdict} {RULE_PREFIX}{self.rule_id}"
