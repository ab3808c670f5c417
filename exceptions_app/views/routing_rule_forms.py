"""What a person types to propose a routing rule."""

from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, Q
from django.http import QueryDict
from django.utils.translation import gettext_lazy

from exceptions_app.actions.routing_rules import MOST_POSITION, Routing, asks
from exceptions_app.amounts import in_its_decimals
from exceptions_app.filters import CATEGORY_CHOICES, PRIORITY_CHOICES
from exceptions_app.models import Cause, LegalEntity, Queue, RoutingRule
from exceptions_app.models.organisation import known_country
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.triage.rules import rules_in_force
from exceptions_app.views.kept_rule_forms import KeptRuleForm, reason, replaces
from exceptions_app.wording import offered, say
from integrations.models import Connection

# Long enough for the name that somebody types instead of the code: a browser that cut it off would make another code
# of it, such as that of Niger of “Netherlands”.
_TYPED_LENGTH = 60


class RoutingForm(KeptRuleForm):
    """Of what it is, and where that goes. Three queries, for the connections, legal entities and queues.

    `seen` are the connections that the person may name beside those of rules in force, by primary key; None for all.
    """

    position = forms.IntegerField(
        label=gettext_lazy("Place in the order"), min_value=1, max_value=MOST_POSITION,
        help_text=gettext_lazy("The rule with the lowest number is tried first, and the first that fits wins."),
    )  # fmt: skip
    connection = forms.ChoiceField(label=gettext_lazy("Connection"), required=False)
    entity = forms.ChoiceField(label=gettext_lazy("Legal entity"), required=False)
    object_type = forms.ChoiceField(label=gettext_lazy("Kind of transaction"), required=False)
    category = forms.ChoiceField(label=gettext_lazy("Category"), required=False)
    code = forms.CharField(
        label=gettext_lazy("Error code"),
        required=False,
        max_length=100,
        help_text=gettext_lazy("That of the first error, such as BR-03."),
    )
    cause = forms.CharField(
        label=gettext_lazy("Cause"),
        required=False,
        max_length=30,
        help_text=gettext_lazy("Its number, such as CA-12."),
    )
    country = forms.CharField(
        label=gettext_lazy("Country of the counterparty"), required=False, max_length=_TYPED_LENGTH,
        help_text=gettext_lazy("Two letters, such as NL."),
    )  # fmt: skip
    above = forms.CharField(
        label=gettext_lazy("Above"),
        required=False,
        max_length=30,
        help_text=gettext_lazy("An amount such as 10,000.00."),
    )
    currency = forms.CharField(
        label=gettext_lazy("Currency"),
        required=False,
        max_length=_TYPED_LENGTH,
        help_text=gettext_lazy("Only amounts in this currency are compared."),
    )
    queue = forms.ChoiceField(
        label=gettext_lazy("Queue"), required=False, help_text=gettext_lazy("The legal entity stays that of the route.")
    )
    priority = forms.ChoiceField(
        label=gettext_lazy("Priority"), choices=PRIORITY_CHOICES, initial="3",
        help_text=gettext_lazy("In the place of the route's. What is due within two days is P2 at least."),
    )  # fmt: skip
    because = reason()
    replaces = replaces()

    def __init__(
        self, data: QueryDict | None, *, reach: Reach, seen: Collection[int] | None,
        initial: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(data, initial=initial)
        self.reach = reach
        connections = Connection.objects.order_by("name")
        if seen is not None:
            connections = connections.filter(Q(pk__in=seen) | Q(pk__in=_in_force("connection")))
        self.connections = {one.slug: one for one in connections}
        self.entities = {one.code: one for one in LegalEntity.objects.order_by("name")}
        self.queues = {one.slug: one for one in Queue.objects.order_by("name")}
        self.choose("connection", say("All"), {slug: one.name for slug, one in self.connections.items()})
        self.choose("entity", say("All"), {code: one.name for code, one in self.entities.items()})
        self.choose("queue", say("As the route leads"), {slug: one.name for slug, one in self.queues.items()})
        self.choose("category", say("All"), dict(offered(CATEGORY_CHOICES)))
        self.choose_kinds()

    def clean_country(self) -> str:
        typed = str(self.cleaned_data["country"]).strip().upper()
        if typed:
            known_country(typed)
        return typed

    def clean_cause(self) -> Cause | None:
        """One that the person knows of: by an exception of it, or by a rule in force."""
        typed = str(self.cleaned_data["cause"]).strip()
        if not typed:
            return None
        seen = Exists(cases_within(self.reach).filter(cause=OuterRef("pk")))
        found: Cause | None = Cause.objects.with_ref(typed).filter(Q(seen) | Q(pk__in=_in_force("cause"))).first()
        if found is None:
            raise forms.ValidationError(
                gettext_lazy("You see no exception of such a cause. Write the number of one, such as CA-12.")
            )
        return found

    def asked(self) -> Routing:
        typed = self.cleaned_data
        return Routing(
            position=typed["position"],
            connection=self.connections.get(typed["connection"]),
            entity=self.entities.get(typed["entity"]),
            object_type=typed["object_type"],
            category=typed["category"],
            code=typed["code"],
            cause=typed["cause"],
            country=typed["country"],
            above=typed["above"],
            currency=typed["currency"],
            queue=self.queues.get(typed["queue"]),
            priority=int(typed["priority"]),
        )


def _in_force(name: str) -> Any:
    """What rules in force name, which everybody who keeps them reads; a part of a query."""
    return rules_in_force().order_by().select_related(None).filter(**{f"{name}__isnull": False}).values(name)


def as_typed(rule: RoutingRule) -> dict[str, Any]:
    """What stands in the form when a rule is to be changed."""
    above = "" if rule.above is None else f"{in_its_decimals(rule.above, rule.currency):f}"
    return {**asks(rule), "above": above, "priority": str(rule.priority), "replaces": rule.pk}
