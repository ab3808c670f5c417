"""What people type for a playbook: one row for each step, and rows that are free."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext_lazy

from exceptions_app.actions.cause_joins import LONGEST_REASON
from exceptions_app.form_fields import ActionCheckedField
from exceptions_app.playbook_steps import LONGEST_FIELD, LONGEST_VALUE, MOST_STEPS, STEP_WORDS, Step, StepKind
from exceptions_app.queries.playbooks import STATE_WORDS
from exceptions_app.wording import offered, say, shown_later
from integrations.connectors.registry import CONNECTORS

FREE_ROWS = 3
_KINDS = [("", gettext_lazy("No step")), *offered((kind.value, words) for kind, words in STEP_WORDS.items())]


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    kind: BoundField
    value: BoundField
    field: BoundField
    was: BoundField


class PlaybookFilterForm(forms.Form):
    use_required_attribute = False
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[("", gettext_lazy("All")), *offered((one.value, words) for one, words in STATE_WORDS.items())],
    )
    connector = forms.ChoiceField(
        label=gettext_lazy("Kind of connection"), required=False,
        choices=[("", gettext_lazy("All")), *offered((slug, one.title) for slug, one in CONNECTORS.items())],
    )  # fmt: skip
    contains = forms.CharField(
        label=gettext_lazy("Code or words"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search"}),
    )


class PlaybookForm(forms.Form):
    """`steps` are those to begin with, beside what `initial` says of rows."""

    use_required_attribute = False
    seen = forms.IntegerField(widget=forms.HiddenInput)
    because = ActionCheckedField(
        label=gettext_lazy("Why"), max_length=LONGEST_REASON, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Whoever decides and whoever uses it read this."),
    )  # fmt: skip

    def __init__(self, *args: Any, steps: Sequence[Step] = (), **more: Any) -> None:
        super().__init__(*args, **more)
        typed = sum(name.startswith("kind_") for name in self.initial)
        rows = MOST_STEPS if self.is_bound else min(MOST_STEPS, max(typed, len(steps) + FREE_ROWS))
        self.numbers = range(1, rows + 1)
        for number in self.numbers:
            step = steps[number - 1].masked if number <= len(steps) else None
            self._add_row(number, step)

    def _add_row(self, number: int, step: Step | None) -> None:
        fields = {
            "kind": forms.ChoiceField(
                label=shown_later(say("Step {number}", number=number)), choices=_KINDS, required=False
            ),
            "value": forms.CharField(label=gettext_lazy("What"), required=False, max_length=LONGEST_VALUE),
            "field": forms.CharField(label=gettext_lazy("Field"), required=False, max_length=LONGEST_FIELD),
            "was": forms.CharField(label=gettext_lazy("Old value"), required=False, max_length=LONGEST_VALUE),
        }
        for name, field in fields.items():
            self.fields[f"{name}_{number}"] = field
            if step is not None:
                self.initial.setdefault(f"{name}_{number}", str(getattr(step, name)))

    @property
    def rows(self) -> list[Row]:
        return [
            Row(number, *(self[f"{name}_{number}"] for name in ("kind", "value", "field", "was")))
            for number in self.numbers
        ]

    def steps(self) -> list[Step]:
        """Of the rows that name a kind, in their order."""
        given = self.cleaned_data
        return [
            Step(
                kind=StepKind(given[f"kind_{number}"]), value=given[f"value_{number}"], field=given[f"field_{number}"],
                was=given[f"was_{number}"],
            )
            for number in self.numbers
            if given.get(f"kind_{number}")
        ]  # fmt: skip

    def name_of(self, step: str) -> str | None:
        """The input of “step-2”, to put an error beside it."""
        word, _, position = step.partition("-")
        named = [number for number in self.numbers if self.cleaned_data.get(f"kind_{number}")]
        is_known = word == "step" and position.isdigit() and 1 <= int(position) <= len(named)
        return f"value_{named[int(position) - 1]}" if is_known else (step if step in self.fields else None)


class DecidePlaybookForm(forms.Form):
    use_required_attribute = False
    version = forms.IntegerField(widget=forms.HiddenInput)
    verdict = forms.ChoiceField(
        label=gettext_lazy("What you say"),
        choices=[
            ("", gettext_lazy("Choose")),
            ("approve", gettext_lazy("I agree to it")),
            ("reject", gettext_lazy("Not like this")),
        ],
        error_messages={"required": gettext_lazy("Choose what you say.")},
    )
    because = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Needed when you do not agree."),
    )


class UseForm(forms.Form):
    use_required_attribute = False
    version = forms.IntegerField(widget=forms.HiddenInput)
    revision = forms.IntegerField(widget=forms.HiddenInput, required=False)
    positions = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Steps"),
        coerce=int,
        required=False,
        choices=[(number, number) for number in range(1, MOST_STEPS + 1)],
    )
