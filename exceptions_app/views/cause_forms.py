"""What people type on the pages of causes. What is possible and permitted, the actions decide."""

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet

from exceptions_app.actions.causes import LONGEST_NOTE, LONGEST_TEAM
from exceptions_app.cause_states import CauseState
from exceptions_app.form_fields import ActionCheckedField
from exceptions_app.forms import PersonField


class CauseFilterForm(forms.Form):
    use_required_attribute = False
    contains = forms.CharField(
        label="Code, field or words", required=False, max_length=100, widget=forms.TextInput(attrs={"type": "search"})
    )
    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[("", "All"), *((state.value, state.value.capitalize()) for state in CauseState)],
        widget=forms.HiddenInput,
    )


class NoteForm(forms.Form):
    use_required_attribute = False
    text = ActionCheckedField(
        label="Note",
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Whoever sees an exception of this cause reads it, also when it comes back. It cannot be changed.",
    )


class OwnerForm(forms.Form):
    use_required_attribute = False
    seen = forms.IntegerField(widget=forms.HiddenInput)
    person = PersonField(queryset=get_user_model().objects.none(), required=False, label="A person here")
    team = forms.CharField(
        label="Or a team upstream",
        required=False,
        max_length=LONGEST_TEAM,
        help_text="As it is known in the company, such as Billing master data. Leave both empty for nobody.",
    )
    because = forms.CharField(label="Reason", required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args: Any, people: QuerySet[AbstractUser], **more: Any) -> None:
        super().__init__(*args, **more)
        field = self.fields["person"]
        if isinstance(field, PersonField):
            field.queryset = people
            field.empty_label = "Nobody"
