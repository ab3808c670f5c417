"""What an administrator types to open a review of access, to end something in one, and to cancel it."""

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.timezone import get_current_timezone_name, make_aware
from django.utils.translation import gettext_lazy

from exceptions_app.form_fields import ActionCheckedField
from exceptions_app.forms import REASON_LENGTH
from exceptions_app.queries.access_review import ALL, ROLE_SCOPE
from exceptions_app.views.access import place_choices, role_names
from exceptions_app.wording import say, shown

_LAST_YEAR = 2999  # near the end of the calendar a day has no next one


class OpenReviewForm(forms.Form):
    """Four queries for what can be chosen."""

    use_required_attribute = False
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    until = forms.DateField(
        label=gettext_lazy("Confirm by"),
        help_text=gettext_lazy("That day included. What nobody confirmed by then ends by itself."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    scope = forms.ChoiceField(label=gettext_lazy("What is reviewed"))

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id="review-%s")
        field = self.fields["scope"]
        if isinstance(field, forms.ChoiceField):
            roles = [(f"{ROLE_SCOPE}{role}", role) for role in role_names()]
            field.choices = [(ALL, gettext_lazy("All access")), (gettext_lazy("Roles"), roles), *place_choices()]
        zone = say("The day ends in {zone}.", zone=get_current_timezone_name())
        self.fields["until"].help_text += f" {shown(zone)}"

    def due_at(self) -> datetime:
        day = self.cleaned_data["until"]
        return make_aware(datetime.combine(day + timedelta(days=1), time.min))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("until") is not None and cleaned["until"].year > _LAST_YEAR:
            self.add_error("until", shown(say("Choose a day before the year {year}.", year=_LAST_YEAR + 1)))
        return cleaned


class CancelForm(forms.Form):
    """Why a review is cancelled."""

    use_required_attribute = False
    because = ActionCheckedField(
        label=gettext_lazy("Reason"), max_length=REASON_LENGTH, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id="cancel-%s")


class EndForm(forms.Form):
    """Why one line ends."""

    use_required_attribute = False
    because = ActionCheckedField(
        label=gettext_lazy("Reason"), max_length=REASON_LENGTH, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, position: int, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id=f"end-{position}-%s")
