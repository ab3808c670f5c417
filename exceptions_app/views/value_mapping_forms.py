"""What people type on the pages of value mappings. What is possible and permitted, the actions decide."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy
from django_stubs_ext import StrOrPromise

from exceptions_app.form_fields import NEEDED
from exceptions_app.mapping_states import LONGEST_VALUE, MappingAction
from exceptions_app.views.replay_batch_forms import ListField
from exceptions_app.wording import offered
from integrations.value_kinds import KIND_WORDS

REASON_LENGTH = 500
Choices = Sequence[tuple[str, str]]
_KINDS = offered((kind.value, words.title) for kind, words in KIND_WORDS.items())


def _offer(form: forms.Form, name: str, choices: Choices) -> None:
    field = form.fields[name]
    if isinstance(field, forms.ChoiceField):
        field.choices = list(choices)


def _day(label: StrOrPromise, help_text: StrOrPromise) -> forms.DateField:
    """ISO 8601 in every locale, as in the documents themselves."""
    return forms.DateField(
        label=label,
        required=False,
        help_text=help_text,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"invalid": gettext_lazy("Write the day as year, month and day: 2026-11-30.")},
    )


class MendsField(ListField):
    """The exceptions that were shown to go with a mapping; none before they were shown."""

    def to_python(self, value: object) -> dict[int, int]:  # type: ignore[override]
        return super().to_python(value) if value else {}


class MappingFilterForm(forms.Form):
    use_required_attribute = False
    kind = forms.ChoiceField(
        label=gettext_lazy("What is mapped"), required=False, choices=[("", gettext_lazy("All")), *_KINDS]
    )
    connection = forms.ChoiceField(label=gettext_lazy("Target"), required=False)
    contains = forms.CharField(label=gettext_lazy("A value contains"), required=False, max_length=LONGEST_VALUE)

    def __init__(self, *args: Any, connections: Choices, **more: Any) -> None:
        super().__init__(*args, **more)
        _offer(self, "connection", [("", gettext("All")), *connections])


class MappingScopeForm(forms.Form):
    """Which mapping, with the exceptions that go with what is proposed for it, and the reason."""

    use_required_attribute = False
    kind = forms.ChoiceField(
        label=gettext_lazy("What is mapped"),
        choices=_KINDS,
        error_messages={"required": gettext_lazy("Choose what is mapped.")},
    )
    connection = forms.ChoiceField(
        label=gettext_lazy("Target"),
        error_messages={"required": gettext_lazy("Choose the connection that leads to the target.")},
    )
    entity = forms.ChoiceField(
        label=gettext_lazy("Legal entity"),
        required=False,
        help_text=gettext_lazy("A row for one legal entity goes before a row for all of them."),
    )
    queue = forms.ChoiceField(
        label=gettext_lazy("Owner"),
        required=False,
        help_text=gettext_lazy("The team that owns the mapping. Only asked when there is none of this kind yet."),
    )
    items = MendsField(required=False)
    only_mapping = forms.BooleanField(
        label=gettext_lazy("Leave these exceptions out; propose the mapping alone"), required=False
    )
    because = forms.CharField(
        label=gettext_lazy("Why this is right"),
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2, **NEEDED}),
        help_text=gettext_lazy("The person who decides and the auditor read this."),
        error_messages={
            "required": gettext_lazy("Say why these values belong together; the person who decides will read it.")
        },
    )

    @staticmethod
    def written(cases: Mapping[int, int]) -> str:
        """The list of exceptions as the field reads it: number and revision of each."""
        return ",".join(f"{number}-{revision}" for number, revision in sorted(cases.items()))

    def __init__(self, *args: Any, connections: Choices, entities: Choices, queues: Choices, **more: Any) -> None:
        super().__init__(*args, **more)
        _offer(self, "connection", connections)
        _offer(self, "entity", [("", gettext("All of them")), *entities])
        _offer(self, "queue", [("", gettext("As it is")), *queues])


class ProposeMappingForm(MappingScopeForm):
    """One row of a mapping, with the mapping that it is for."""

    source_value = forms.CharField(
        label=gettext_lazy("Source value"),
        max_length=LONGEST_VALUE,
        help_text=gettext_lazy("As the source writes it, capitals included."),
        error_messages={"required": gettext_lazy("Write the value as the source sends it.")},
    )
    target_value = forms.CharField(
        label=gettext_lazy("Target value"),
        max_length=LONGEST_VALUE,
        required=False,
        help_text=gettext_lazy("What the target is to get. Left empty, what holds on these days ends."),
    )
    valid_from = _day(
        gettext_lazy("Valid from"),
        gettext_lazy("The first day, by the date of the document. Empty: from the beginning."),
    )
    valid_to = _day(gettext_lazy("Valid to"), gettext_lazy("The last day. Empty: until it is changed."))


class ImportMappingForm(MappingScopeForm):
    """Rows of a mapping as CSV: typed in, pasted, or in a file."""

    text = forms.CharField(
        label=gettext_lazy("Rows as CSV"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false"}),
        help_text=gettext_lazy("The first line names the columns: source_value, target_value, valid_from, valid_to."),
    )
    file = forms.FileField(
        label=gettext_lazy("Or a file"),
        required=False,
        help_text=gettext_lazy("UTF-8. It is read instead of the text above."),
    )


class MendsForm(forms.Form):
    use_required_attribute = False
    items = MendsField(required=False)
    because = forms.CharField(
        label=gettext_lazy("Why they are to be replayed"),
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("The person who decides and the auditor read this."),
        error_messages={
            "required": gettext_lazy("Say why these are to be replayed; the person who decides will read it.")
        },
    )


class ApproveMappingForm(forms.Form):
    use_required_attribute = False
    frozen_sha256 = forms.CharField(widget=forms.HiddenInput)
    agreed = forms.BooleanField(
        label=gettext_lazy("I have looked at these rows, and they may hold from now on."),
        widget=forms.CheckboxInput(attrs={**NEEDED}),
        error_messages={"required": gettext_lazy("Confirm that you looked at the rows. Nothing was approved.")},
    )
    because = forms.CharField(
        label=gettext_lazy("Comment"),
        max_length=REASON_LENGTH,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class RejectMappingForm(forms.Form):
    use_required_attribute = False
    frozen_sha256 = forms.CharField(widget=forms.HiddenInput)
    because = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("What has to change before you would approve it."),
        error_messages={
            "required": gettext_lazy("Say why you reject it; the person who proposed it needs to know what to change.")
        },
    )


class WithdrawMappingForm(forms.Form):
    use_required_attribute = False
    because = forms.CharField(
        label=gettext_lazy("Reason"), max_length=REASON_LENGTH, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )


MAPPING_FORMS: Mapping[MappingAction, type[forms.Form]] = {
    MappingAction.APPROVE: ApproveMappingForm,
    MappingAction.REJECT: RejectMappingForm,
    MappingAction.WITHDRAW: WithdrawMappingForm,
}
