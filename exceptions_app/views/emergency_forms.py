"""What a person types to take emergency access, and what somebody else types who reviewed it."""

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy

from exceptions_app.actions.emergencies import MOST_MINUTES
from exceptions_app.form_fields import ActionCheckedField
from exceptions_app.forms import REASON_LENGTH
from exceptions_app.models import Emergency, LegalEntity, Queue
from exceptions_app.queries.emergencies import eligible_places
from exceptions_app.queries.reach import Reach
from exceptions_app.wording import offered, say, shown_later

_MINUTES = shown_later(say("Write a number of minutes, 1 to {most}.", most=MOST_MINUTES))


class EmergencyForm(forms.Form):
    """Where, as what, for how long and why. Two queries for the places."""

    use_required_attribute = False
    queue = forms.ModelChoiceField(
        Queue.objects.none(), label=gettext_lazy("Queue"), to_field_name="slug",
        empty_label=gettext_lazy("Choose one"), error_messages={"required": gettext_lazy("Choose the queue.")},
    )  # fmt: skip
    entity = forms.ModelChoiceField(
        LegalEntity.objects.none(), label=gettext_lazy("Legal entity"), to_field_name="code",
        empty_label=gettext_lazy("Choose one"), error_messages={"required": gettext_lazy("Choose the legal entity.")},
    )  # fmt: skip
    role = forms.ChoiceField(label=gettext_lazy("As"), choices=offered(Emergency.Role.choices))
    minutes = forms.IntegerField(
        label=gettext_lazy("For how many minutes"), min_value=1, max_value=MOST_MINUTES, initial=30,
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), _MINUTES),
        help_text=shown_later(say("At most {minutes}. End it when you are done.", minutes=MOST_MINUTES)),
    )  # fmt: skip
    because = ActionCheckedField(
        label=gettext_lazy("Reason"),
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy(
            "What happened that cannot wait, and who cannot be reached. Others are told of it at once."
        ),
    )

    def __init__(self, data: QueryDict | None, *, reach: Reach) -> None:
        super().__init__(data, auto_id="emergency-%s")
        for name, places in zip(("queue", "entity"), eligible_places(reach), strict=True):
            field = self.fields[name]
            if isinstance(field, forms.ModelChoiceField):
                field.queryset = places


class ReviewForm(forms.Form):
    """What somebody else found."""

    use_required_attribute = False
    verdict = forms.ChoiceField(
        label=gettext_lazy("Verdict"), choices=[("", gettext_lazy("Choose one")), *offered(Emergency.Verdict.choices)]
    )
    review = ActionCheckedField(
        label=gettext_lazy("What you looked at, and what you found"),
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id="review-%s")
