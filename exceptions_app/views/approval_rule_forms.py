"""What a person types to propose a rule of approval."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext, gettext_lazy

from exceptions_app.actions.approval_rules import Asked
from exceptions_app.amounts import in_its_decimals
from exceptions_app.models import ApprovalRule, LegalEntity
from exceptions_app.queries.approval_reach import Role, roles_for_rules
from exceptions_app.views.kept_rule_forms import KeptRuleForm, reason, replaces
from exceptions_app.wording import say


class RuleForm(KeptRuleForm):
    """What it asks, and of what. Two queries, for the legal entities and the roles."""

    above = forms.CharField(
        label=gettext_lazy("Above"),
        max_length=30,
        help_text=gettext_lazy("An amount such as 10,000.00. What is more than that is asked for more."),
    )
    currency = forms.CharField(
        label=gettext_lazy("Currency"),
        max_length=3,
        help_text=gettext_lazy("Other currencies are converted at the rates of the day."),
    )
    entity = forms.ChoiceField(label=gettext_lazy("Legal entity"), required=False)
    object_type = forms.ChoiceField(label=gettext_lazy("Kind of transaction"), required=False)
    approvers = forms.ChoiceField(label=gettext_lazy("Approvers"), choices=[("1", "1"), ("2", "2")], initial="2")
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        required=False,
        help_text=gettext_lazy(
            "That each approver must have beside the right to approve there, since before the proposal."
        ),
    )
    because = reason()
    replaces = replaces()

    def __init__(self, data: QueryDict | None, *, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        self.entities = {one.code: one for one in LegalEntity.objects.order_by("name")}
        roles = roles_for_rules()
        self.roles = {role.name: role.group for role in roles}
        self.choose("entity", say("All"), {code: one.name for code, one in self.entities.items()})
        self.choose("role", say("Any"), {role.name: _named(role) for role in roles})
        self.choose_kinds()

    def asked(self) -> Asked:
        typed = self.cleaned_data
        return Asked(
            above=typed["above"],
            currency=typed["currency"],
            approvers=int(typed["approvers"]),
            role=self.roles.get(typed["role"]),
            entity=self.entities.get(typed["entity"]),
            object_type=typed["object_type"],
        )


def _named(role: Role) -> str:
    if role.approves:
        return role.name
    return gettext("%(role)s (nobody who has it may approve anywhere)") % {"role": role.name}


def as_typed(rule: ApprovalRule) -> dict[str, Any]:
    """What stands in the form when a rule is to be changed."""
    return {
        "above": f"{in_its_decimals(rule.above, rule.currency):f}",
        "currency": rule.currency,
        "entity": rule.entity.code if rule.entity else "",
        "object_type": rule.object_type,
        "approvers": str(rule.approvers),
        "role": rule.role.name if rule.role else "",
        "replaces": rule.pk,
    }
