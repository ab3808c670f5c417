"""What people type on the pages of causes. What is possible and permitted, the actions decide."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from exceptions_app.actions.cause_joins import LONGEST_REASON, LONGEST_TITLE
from exceptions_app.actions.causes import LONGEST_NOTE, LONGEST_TEAM
from exceptions_app.cause_states import CauseState
from exceptions_app.form_fields import ActionCheckedField
from exceptions_app.forms import PersonField
from exceptions_app.models import Cause
from exceptions_app.tag_form import WithSuggestions


class CauseFilterForm(forms.Form):
    use_required_attribute = False
    contains = forms.CharField(
        label=gettext_lazy("Code, field or words"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[("", gettext_lazy("All")), *((state.value, state.value.capitalize()) for state in CauseState)],
        widget=forms.HiddenInput,
    )


class NoteForm(forms.Form):
    use_required_attribute = False
    text = ActionCheckedField(
        label=gettext_lazy("Note"),
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy(
            "Whoever sees an exception of this cause reads it, also when it comes back. It cannot be changed."
        ),
    )


class OwnerForm(forms.Form):
    use_required_attribute = False
    seen = forms.IntegerField(widget=forms.HiddenInput)
    person = PersonField(queryset=get_user_model().objects.none(), required=False, label=gettext_lazy("A person here"))
    team = forms.CharField(
        label=gettext_lazy("Or a team upstream"),
        required=False,
        max_length=LONGEST_TEAM,
        help_text=gettext_lazy(
            "As it is known in the company, such as Billing master data. Leave both empty for nobody."
        ),
    )
    because = forms.CharField(
        label=gettext_lazy("Reason"), required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, people: QuerySet[AbstractUser], **more: Any) -> None:
        super().__init__(*args, **more)
        field = self.fields["person"]
        if isinstance(field, PersonField):
            field.queryset = people
            field.empty_label = gettext_lazy("Nobody")


class IntoForm(forms.Form):
    """With which cause; what it would come to is shown before it is done."""

    use_required_attribute = False
    into = forms.CharField(
        label=gettext_lazy("Is the same cause as"), max_length=30, required=False,
        help_text=gettext_lazy("Its number, such as CA-12. You see what moves before anything does."),
    )  # fmt: skip

    def __init__(self, *args: Any, offered: Sequence[Cause] = (), **more: Any) -> None:
        super().__init__(*args, **more)
        words = [(one.ref, f"{one.code} · {one.title}") for one in offered]
        widget = WithSuggestions(attrs={"autocomplete": "off"})
        widget.suggestions = words
        self.fields["into"].widget = widget


def _reason() -> ActionCheckedField:
    return ActionCheckedField(
        label=gettext_lazy("Reason"), max_length=LONGEST_REASON, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Kept with the cause and in the audit trail."),
    )  # fmt: skip


class TakeBackForm(forms.Form):
    """`ref` is the cause that is to stand by itself again."""

    use_required_attribute = False
    because = _reason()

    def __init__(self, *args: Any, ref: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self.ref = ref


class JoinForm(forms.Form):
    use_required_attribute = False
    into = forms.CharField(max_length=30, widget=forms.HiddenInput)
    because = _reason()


class SplitForm(forms.Form):
    use_required_attribute = False
    frozen_sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)
    title = ActionCheckedField(
        label=gettext_lazy("Name of the new cause"), max_length=LONGEST_TITLE,
        help_text=gettext_lazy("What they have in common. No name, amount or value of a document: others read it."),
    )  # fmt: skip
    because = _reason()
