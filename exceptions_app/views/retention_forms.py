"""What a person types to propose a policy of retention, to decide on one, and to place and lift a legal hold."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy

from exceptions_app.actions.retention import Asked
from exceptions_app.form_fields import ActionCheckedField
from exceptions_app.forms import REASON_LENGTH
from exceptions_app.models import ExceptionCase, LegalEntity, LegalHold, RetentionPolicy
from exceptions_app.models.case import number_of
from exceptions_app.models.retention import LONGEST_DAYS, SHORTEST_DAYS, RecordClass
from exceptions_app.wording import offered, say, shown_later

_BIGGEST = 2**62


def _reason() -> ActionCheckedField:
    return ActionCheckedField(
        label=gettext_lazy("Reason"), max_length=REASON_LENGTH, widget=forms.Textarea(attrs={"rows": 2})
    )


class PolicyForm(forms.Form):
    """One query, for the legal entities, unless they are given."""

    use_required_attribute = False
    record_class = forms.ChoiceField(label=gettext_lazy("What"), choices=offered(RecordClass.choices))
    entity = forms.ChoiceField(label=gettext_lazy("Legal entity"), required=False)
    days = forms.IntegerField(
        label=gettext_lazy("Days after the end"),
        min_value=SHORTEST_DAYS,
        max_value=LONGEST_DAYS,
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"),
            shown_later(
                say("Write a number of days, {least} to {most}.", least=SHORTEST_DAYS, most=f"{LONGEST_DAYS:,}"),
            ),
        ),
        help_text=gettext_lazy("Ask who keeps the books: in many countries they are kept for six to ten years."),
    )
    because = _reason()

    def __init__(self, data: QueryDict | None, *, entities: list[LegalEntity]) -> None:
        super().__init__(data, auto_id="policy-%s")
        self.entities = {one.code: one for one in entities}
        _choose(self, "entity", say("All"), self.entities)

    def what_and_where(self) -> list[forms.BoundField]:
        """What stands side by side in the page: all but the reason."""
        return [field for field in self.visible_fields() if field.name != "because"]

    def asked(self) -> Asked:
        typed = self.cleaned_data
        return Asked(
            record_class=RecordClass(typed["record_class"]), days=typed["days"],
            entity=self.entities.get(typed["entity"]),
        )  # fmt: skip


class PolicyMoveForm(forms.Form):
    """Approve, reject, withdraw or end one policy. `policy` is its number, so that one address serves for all."""

    use_required_attribute = False
    policy = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=_BIGGEST)
    move = forms.ChoiceField(choices=[(one, one) for one in ("approve", "reject", "withdraw", "end")])
    frozen_sha256 = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    because = _reason()

    def __init__(self, data: QueryDict | None, *, policy: RetentionPolicy | None = None) -> None:
        number = policy.pk if policy else data.get("policy", "") if data else ""
        initial = {"policy": policy.pk, "frozen_sha256": policy.frozen_sha256} if policy else {}
        super().__init__(data, auto_id=f"policy-{number}-%s", initial=initial)


class HoldForm(forms.Form):
    """One of the three is named."""

    use_required_attribute = False
    case = forms.CharField(
        label=gettext_lazy("Exception"), required=False, max_length=20, help_text=gettext_lazy("Such as EX-1042.")
    )
    entity = forms.ChoiceField(label=gettext_lazy("Legal entity"), required=False)
    counterparty = forms.CharField(
        label=gettext_lazy("Counterparty"), required=False, max_length=200,
        help_text=gettext_lazy("Its name or a number of it, by which exceptions are found."),
    )  # fmt: skip
    because = _reason()

    def __init__(self, data: QueryDict | None, *, entities: list[LegalEntity]) -> None:
        super().__init__(data, auto_id="hold-%s")
        self.entities = {one.code: one for one in entities}
        _choose(self, "entity", say("None"), self.entities)

    def what(self) -> list[forms.BoundField]:
        return [field for field in self.visible_fields() if field.name != "because"]

    def clean_case(self) -> ExceptionCase | None:
        typed = str(self.cleaned_data["case"]).strip()
        if not typed:
            return None
        number = number_of(typed)
        found = ExceptionCase.objects.filter(pk=number).first() if number is not None else None
        if found is None:
            raise forms.ValidationError(gettext_lazy("There is no such exception."))
        return found

    def named(self) -> dict[str, Any]:
        typed = self.cleaned_data
        return {
            "case": typed["case"], "entity": self.entities.get(typed["entity"]),
            "counterparty": typed["counterparty"],
        }  # fmt: skip


class LiftForm(forms.Form):
    use_required_attribute = False
    hold = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=_BIGGEST)
    because = _reason()

    def __init__(self, data: QueryDict | None, *, hold: LegalHold | None = None) -> None:
        number = hold.pk if hold else data.get("hold", "") if data else ""
        super().__init__(data, auto_id=f"lift-{number}-%s", initial={"hold": hold.pk} if hold else {})


def _choose(form: forms.Form, name: str, empty: str, entities: dict[str, LegalEntity]) -> None:
    field = form.fields[name]
    if isinstance(field, forms.ChoiceField):
        field.choices = [("", shown_later(empty)), *((code, one.name) for code, one in entities.items())]
