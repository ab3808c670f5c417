"""What a person types of any rule that two people keep: what they propose, and what they say of one."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from babel import Locale
from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy

from exceptions_app.amounts import read_amount
from exceptions_app.form_fields import ActionCheckedField
from exceptions_app.forms import REASON_LENGTH
from exceptions_app.models import KeptRule
from exceptions_app.two_amounts import read_two_ways
from exceptions_app.wording import offered, say, shown, shown_later
from integrations.connectors.registry import CONNECTORS

_CURRENCIES = frozenset(Locale("en").currencies)


def reason() -> ActionCheckedField:
    return ActionCheckedField(
        label=gettext_lazy("Reason"), max_length=REASON_LENGTH, widget=forms.Textarea(attrs={"rows": 2})
    )


def replaces() -> forms.IntegerField:
    return forms.IntegerField(required=False, widget=forms.HiddenInput, min_value=1, max_value=2**62)


class KeptRuleForm(forms.Form):
    """What the kinds of rules have in common; each adds what it asks."""

    use_required_attribute = False

    def __init__(self, data: QueryDict | None, *, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, auto_id="rule-%s", initial=dict(initial or {}))

    def choose(self, name: str, empty: str, choices: Mapping[str, str]) -> None:
        field = self.fields[name]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", shown_later(empty)), *choices.items()]

    def choose_kinds(self) -> None:
        kinds = {kind: words for one in CONNECTORS.values() for kind, words in one.object_types.items()}
        self.choose("object_type", say("All"), dict(offered(sorted(kinds.items()))))

    def where_and_what(self) -> list[forms.BoundField]:
        """What stands side by side in the page: all but the reason."""
        return [field for field in self.visible_fields() if field.name != "because"]

    def clean_above(self) -> Decimal | None:
        if not self.cleaned_data["above"]:
            return None
        text = str(self.cleaned_data["above"])
        typed = read_amount(text)
        if typed is None or typed.currency:
            raise forms.ValidationError(gettext_lazy("Write an amount such as 10,000.00."))
        if not typed.is_clear:
            raise forms.ValidationError(shown(read_two_ways(text, typed)))
        return typed.values[0]

    def clean_currency(self) -> str:
        typed = str(self.cleaned_data["currency"]).strip().upper()
        if typed and typed not in _CURRENCIES:
            raise forms.ValidationError(gettext_lazy("Write the three letters of a currency, such as EUR."))
        return typed


class RuleMoveForm(forms.Form):
    """Approve, reject, withdraw or end one rule. `rule` is its number, so that one address serves for all."""

    use_required_attribute = False
    rule = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**62)
    move = forms.ChoiceField(choices=[(one, one) for one in ("approve", "reject", "withdraw", "end")])
    frozen_sha256 = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    because = reason()

    def __init__(self, data: QueryDict | None, *, rule: KeptRule | None = None) -> None:
        number = rule.pk if rule else data.get("rule", "") if data else ""
        initial = {"rule": rule.pk, "frozen_sha256": rule.frozen_sha256} if rule else {}
        super().__init__(data, auto_id=f"rule-{number}-%s", initial=initial)
