"""Field rules: which business fields are released for correction, and to whom."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from exceptions_app.models.kept_rule import (
    KeptRule,
    decision_constraints,
    decision_triggers,
    live_rules,
    rule_constraints,
    rule_triggers,
)
from exceptions_app.models.organisation import Queue
from exceptions_app.models.routing_rule import word_of
from exceptions_app.models.second_opinion import SecondOpinion
from exceptions_app.wording import say

FIELD_PREFIX = "FR-"
_KIND = "field_rule"


class FieldRule(KeptRule):
    """Of the rules in force the first that fits a field of an exception says who may change it.

    What is not named fits everything; a field that no rule fits may be changed by whoever may correct. How a field is
    compared with a rule stands in `releases`.
    """

    class Who(models.TextChoices):
        EVERYBODY = "everybody", "Everybody who may correct"
        ROLES = "roles", "Who has one of the roles"
        NOBODY = "nobody", "Nobody"

    class Values(models.TextChoices):
        AMOUNT = "amount", "Amounts and their currencies"
        QUANTITY = "quantity", "Quantities and rates"
        DATE = "date", "Dates"
        BANK = "bank", "Bank details"
        PERSONAL = "personal", "Personal data"

    prefix = FIELD_PREFIX
    kind = _KIND

    position = models.PositiveSmallIntegerField(help_text="Lower is tried first; of equal ones the older.")
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, null=True, related_name="+")
    object_type = models.CharField(max_length=40, blank=True, help_text="Kind of transaction; empty for all.")
    part = models.CharField(max_length=100, blank=True, help_text="Group of fields, without a number: “Line”.")
    field = models.CharField(max_length=200, blank=True, help_text="By its label or its term; empty for all.")
    sort = models.CharField(max_length=10, blank=True, choices=Values, help_text="Of values; empty for all.")
    who = models.CharField(max_length=10, choices=Who)
    roles = models.JSONField(default=list, help_text="Names of roles, any of which is enough.")

    class Meta(KeptRule.Meta):
        constraints: ClassVar = [
            *rule_constraints(_KIND),
            models.CheckConstraint(condition=Q(who__in=["everybody", "roles", "nobody"]), name="field_rule_known_who"),
            models.CheckConstraint(
                condition=Q(who="roles") & ~Q(roles=[]) | ~Q(who="roles") & Q(roles=[]),
                name="field_rule_names_its_roles",
            ),
            models.CheckConstraint(
                condition=Q(sort__in=["", "amount", "quantity", "date", "bank", "personal"]),
                name="field_rule_known_sort",
            ),
            models.CheckConstraint(
                condition=Q(is_end=False) | Q(replaces__isnull=False), name="field_rule_ends_another"
            ),
        ]
        indexes: ClassVar = [live_rules(_KIND)]
        triggers: ClassVar = rule_triggers(
            _KIND, FIELD_PREFIX, "position", "queue", "object_type", "part", "field", "sort", "who", "roles",
            a_rule="a field rule",
        )  # fmt: skip

    @property
    def asks(self) -> str:
        """Of what, and who may: “10. E-invoicing, invoice, Line, amounts and their currencies: controller”."""
        conditions = [
            str(self.queue) if self.queue else "", word_of(self.object_type), say(self.part), say(self.field),
            say(str(self.get_sort_display()).lower()),
        ]  # fmt: skip
        of, *rest = [one for one in conditions if one] or [say("every field")]
        for one in rest:
            of = say("{first}, {then}", first=of, then=one)
        who, *others = self.roles or [say(str(self.get_who_display()).lower())]
        for one in others:
            who = say("{first} or {then}", first=who, then=one)
        return say("{place}. {conditions}: {who}", place=self.position, conditions=of, who=who)


class FieldRuleDecision(SecondOpinion):
    """What the second person said of a proposed rule, bound to its hash. Never changed."""

    rule = models.OneToOneField(FieldRule, on_delete=models.PROTECT, related_name="decision")

    class Meta(SecondOpinion.Meta):
        constraints: ClassVar = decision_constraints(_KIND)
        triggers: ClassVar = decision_triggers(_KIND, FIELD_PREFIX)

    def __str__(self) -> str:
        return f"{self.verdict} {FIELD_PREFIX}{self.rule_id}"
