"""What a person types on the pages of field maps."""

from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy

from exceptions_app.actions.field_maps import MOST_NOTE
from exceptions_app.form_fields import ActionCheckedField
from exceptions_app.wording import say, shown
from integrations.models import InboxMessage

_MEDIA_TYPES: Final = [("application/json", "JSON"), ("application/xml", "XML"), ("text/csv", "CSV")]


class MapForm(forms.Form):
    """The editor: the map as text, and the payload on which to try it. What is typed survives every refusal."""

    use_required_attribute = False
    base = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)
    declared = forms.CharField(
        label=gettext_lazy("Field map"),
        strip=False,
        max_length=1_000_000,
        help_text=gettext_lazy("JSON: tables, and rules that say where each value goes and where it comes from."),
        widget=forms.Textarea(attrs={"rows": 30, "spellcheck": "false", "autocomplete": "off", "wrap": "off"}),
        error_messages={"required": gettext_lazy("Write the map, or load a version into the editor.")},
    )
    note = ActionCheckedField(
        label=gettext_lazy("What this version changes"),
        max_length=MOST_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Colleagues and auditors read this. A preview does without."),
    )
    message = forms.ChoiceField(label=gettext_lazy("Try it on a message of this connection"), required=False)
    pasted = forms.CharField(
        label=gettext_lazy("Or on a payload of your own"),
        required=False,
        strip=False,
        help_text=gettext_lazy("It is used for the preview alone and kept nowhere."),
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "autocomplete": "off", "wrap": "off"}),
    )
    media_type = forms.ChoiceField(label=gettext_lazy("Your payload is"), required=False, choices=_MEDIA_TYPES)

    def __init__(self, *args: Any, stored: Iterable[InboxMessage], may_see_stored: bool, **more: Any) -> None:
        super().__init__(*args, **more)
        field = self.fields["message"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", gettext_lazy("None")), *((str(found.pk), _named(found)) for found in stored)]
        if not may_see_stored:
            self.fields.pop("message")
            self.fields["pasted"].label = gettext_lazy("Try it on a payload of your own")


def _named(found: InboxMessage) -> str:
    moment = f"{localtime(found.received_at):%Y-%m-%d %H:%M}"
    return shown(say("{message}, received {moment}", message=found.external_id[:60], moment=moment))


class UseForm(forms.Form):
    """Which version translates from now on; an empty number switches the map off."""

    use_required_attribute = False
    number = forms.IntegerField(min_value=1, max_value=2**31 - 1, required=False, widget=forms.HiddenInput)
    revision = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)
    because = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=MOST_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("The auditor reads this beside your name and the author's."),
        error_messages={
            "required": gettext_lazy("Say why, for example: tried on last week's deals and agreed with accounting.")
        },
    )
