"""Routing rules: to which queue, and how urgent, what arrives is, before its route says so."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from exceptions_app.amounts import in_its_decimals
from exceptions_app.models.cause import CAUSE_PREFIX, Cause
from exceptions_app.models.kept_rule import (
    KeptRule,
    decision_constraints,
    decision_triggers,
    live_rules,
    rule_constraints,
    rule_triggers,
)
from exceptions_app.models.organisation import LegalEntity, Queue
from exceptions_app.models.second_opinion import SecondOpinion
from exceptions_app.wording import say
from integrations.models import Connection

ROUTING_PREFIX = "RR-"
_KIND = "routing_rule"
_CONDITIONS = (
    "connection", "entity", "object_type", "category", "code", "cause", "country", "above", "currency",
)  # fmt: skip


class RoutingRule(KeptRule):
    """Of the rules in force the first that fits an arrival says its queue and priority; its route says the rest.

    What is not named fits everything. The legal entity is a condition and never an outcome: whose a transaction is,
    its route knows. What an exception is compared with stands in `triage.rules`.
    """

    prefix = ROUTING_PREFIX
    kind = _KIND

    position = models.PositiveSmallIntegerField(help_text="Lower is tried first; of equal ones the older.")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, null=True, related_name="+")
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, null=True, related_name="+")
    object_type = models.CharField(max_length=40, blank=True, help_text="Kind of transaction; empty for all.")
    category = models.CharField(max_length=30, blank=True)
    code = models.CharField(max_length=100, blank=True, help_text="The first error's; empty for all.")
    cause = models.ForeignKey(Cause, on_delete=models.PROTECT, null=True, related_name="+")
    country = models.CharField(max_length=2, blank=True, help_text="Of the counterparty, by ISO 3166-1 alpha-2.")
    above = models.DecimalField(max_digits=21, decimal_places=6, null=True)
    currency = models.CharField(max_length=3, blank=True, help_text="Of the amount; ISO 4217.")
    queue = models.ForeignKey(
        Queue, on_delete=models.PROTECT, null=True, related_name="+", help_text="NULL: that of the route."
    )
    priority = models.PositiveSmallIntegerField(help_text="1 is most urgent, 4 least.")

    class Meta(KeptRule.Meta):
        constraints: ClassVar = [
            *rule_constraints(_KIND),
            models.CheckConstraint(condition=Q(priority__range=(1, 4)), name="routing_rule_known_priority"),
            models.CheckConstraint(
                condition=Q(above__isnull=True, currency="") | Q(above__isnull=False, above__gte=0) & ~Q(currency=""),
                name="routing_rule_amount_has_currency",
            ),
            models.CheckConstraint(
                condition=Q(is_end=False) | Q(replaces__isnull=False), name="routing_rule_ends_another"
            ),
        ]
        indexes: ClassVar = [live_rules(_KIND)]
        triggers: ClassVar = rule_triggers(
            _KIND, ROUTING_PREFIX, "position", *_CONDITIONS, "queue", "priority", a_rule="a routing rule"
        )

    @property
    def place(self) -> tuple[int, float]:
        """Its place in the order; one that is not written yet is the newest."""
        return self.position, self.pk or float("inf")

    @property
    def asks(self) -> str:
        """Of what, and what then: “10. NL01, invoice, above 10,000.00 EUR: Treasury, P1”."""
        above = "" if self.above is None else f"{in_its_decimals(self.above, self.currency):,f} {self.currency}"
        conditions = [
            self.entity.code if self.entity else "",
            word_of(self.object_type),
            say("from {connection}", connection=self.connection) if self.connection else "",
            word_of(self.category),
            self.code,
            f"{CAUSE_PREFIX}{self.cause_id}" if self.cause_id else "",
            say("counterparty in {country}", country=self.country) if self.country else "",
            say("above {limit}", limit=above) if above else "",
        ]
        named = [one for one in conditions if one]
        of = named[0] if named else say("everything")
        for one in named[1:]:
            of = say("{first}, {then}", first=of, then=one)
        queue = str(self.queue) if self.queue else say("the queue of its route")
        return say(
            "{place}. {conditions}: {queue}, P{priority}",
            place=self.position,
            conditions=of,
            queue=queue,
            priority=self.priority,
        )


def word_of(name: str) -> str:
    """A kind of transaction or a category within a sentence: “credit note”. `worded` names them for the catalogue."""
    return say(name.replace("_", " "))


class RoutingRuleDecision(SecondOpinion):
    """What the second person said of a proposed rule, bound to its hash. Never changed."""

    rule = models.OneToOneField(RoutingRule, on_delete=models.PROTECT, related_name="decision")

    class Meta(SecondOpinion.Meta):
        constraints: ClassVar = decision_constraints(_KIND)
        triggers: ClassVar = decision_triggers(_KIND, ROUTING_PREFIX)

    def __str__(self) -> str:
        return f"{self.verdict} {ROUTING_PREFIX}{self.rule_id}"
