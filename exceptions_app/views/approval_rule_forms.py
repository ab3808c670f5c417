"""What a person types to propose a rule of approval, and to decide on one."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from babel import Locale
from django import forms
from django.contrib.auth.models import Group
from django.http import QueryDict

from exceptions_app.actions.approval_rules import Asked
from exceptions_app.amounts import in_its_decimals, read_amount
from exceptions_app.form_fields import ActionCheckedField
from exceptions_app.forms import REASON_LENGTH
from exceptions_app.models import ApprovalRule, LegalEntity
from integrations.connectors.registry import CONNECTORS

_CURRENCIES = frozenset(Locale("en").currencies)


class RuleForm(forms.Form):
    """What it asks, and of what. Two queries, for the legal entities and the roles."""

    use_required_attribute = False
    above = forms.CharField(
        label="Above", max_length=30, help_text="An amount such as 10,000.00. What is more than that is asked for more."
    )
    currency = forms.CharField(
        label="Currency", max_length=3, help_text="Other currencies are converted at the rates of the day."
    )
    entity = forms.ChoiceField(label="Legal entity", required=False)
    object_type = forms.ChoiceField(label="Kind of transaction", required=False)
    approvers = forms.ChoiceField(label="Approvers", choices=[("1", "1"), ("2", "2")], initial="2")
    role = forms.ChoiceField(
        label="Role",
        required=False,
        help_text="That each approver must have beside the right to approve there, since before the proposal.",
    )
    because = ActionCheckedField(label="Reason", max_length=REASON_LENGTH, widget=forms.Textarea(attrs={"rows": 2}))
    replaces = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: QueryDict | None, *, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, auto_id="rule-%s", initial=dict(initial or {}))
        self.entities = {one.code: one for one in LegalEntity.objects.order_by("name")}
        self.roles = {one.name: one for one in Group.objects.order_by("name")}
        self._choose("entity", "All", {code: one.name for code, one in self.entities.items()})
        self._choose("role", "Any", {name: name for name in self.roles})
        kinds = {kind: words for one in CONNECTORS.values() for kind, words in one.object_types.items()}
        self._choose("object_type", "All", dict(sorted(kinds.items())))

    def _choose(self, name: str, empty: str, choices: Mapping[str, str]) -> None:
        field = self.fields[name]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", empty), *choices.items()]

    def where_and_what(self) -> list[forms.BoundField]:
        """What stands side by side in the page: all but the reason."""
        return [field for field in self.visible_fields() if field.name != "because"]

    def clean_above(self) -> Decimal:
        typed = read_amount(self.cleaned_data["above"])
        if typed is None or not typed.is_clear or typed.currency:
            raise forms.ValidationError("Write an amount such as 10,000.00.")
        return typed.values[0]

    def clean_currency(self) -> str:
        typed = str(self.cleaned_data["currency"]).strip().upper()
        if typed not in _CURRENCIES:
            raise forms.ValidationError("Write the three letters of a currency, such as EUR.")
        return typed

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


class RuleMoveForm(forms.Form):
    """Approve, reject, withdraw or end one rule. `rule` is its number, so that one address serves for all."""

    use_required_attribute = False
    rule = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**62)
    move = forms.ChoiceField(choices=[(one, one) for one in ("approve", "reject", "withdraw", "end")])
    frozen_sha256 = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    because = ActionCheckedField(label="Reason", max_length=REASON_LENGTH, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, data: QueryDict | None, *, rule: ApprovalRule | None = None) -> None:
        number = rule.pk if rule else data.get("rule", "") if data else ""
        initial = {"rule": rule.pk, "frozen_sha256": rule.frozen_sha256} if rule else {}
        super().__init__(data, auto_id=f"rule-{number}-%s", initial=initial)
