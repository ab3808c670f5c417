"""Fields of forms that more than one form has, or that do something of their own."""

from collections.abc import Mapping
from typing import Any

from django import forms

from exceptions_app.actions.retyping import LONGEST
from exceptions_app.payee_details import PayeeDetail

NEEDED: Mapping[str, str] = {"data-needed": ""}
"""On a field without which the form is not sent by keys: they go there first (keys.js)."""


def focus_on_fault(form: forms.Form) -> None:
    """Have the browser put the focus into the first field at fault, with a script and without."""
    for name in form.fields:
        if name in form.errors and not form.fields[name].widget.is_hidden:
            form.fields[name].widget.attrs |= {"autofocus": True, "data-focus": True}
            return


def takes_focus(form: forms.Form) -> bool:
    """Whether a field of it does; then nothing else on the page may."""
    return any(field.widget.attrs.get("autofocus") for field in form.fields.values())


class ActionCheckedField(forms.CharField):
    """A text that is needed. Whether it is there the action says, in words that tell what it is for."""

    def validate(self, value: Any) -> None:
        """Leave an empty value to the action."""


class _NeverShown(forms.widgets.Input):
    """Shows nothing of what was typed: told again beside a document that holds it, it would be masked."""

    input_type = "text"
    template_name = "django/forms/widgets/text.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class RetypedField(ActionCheckedField):
    """One of a payee's bank details, typed once more by the second person."""

    def __init__(self, detail: PayeeDetail) -> None:
        super().__init__(
            label=detail.label,
            help_text="From the payee's own record, or as they told you by telephone: not from this page.",
            max_length=LONGEST,
            widget=_NeverShown(attrs={"autocomplete": "off", "spellcheck": "false", **NEEDED}),
        )
