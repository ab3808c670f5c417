"""Which tags are put on an exception and which are taken off, with those in use offered."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from exceptions_app.tags import LONGEST_TEXT, RULE, NotATag, read_tags
from exceptions_app.wording import say, shown, together, told_by

MOST_NAMED = 8  # tags in use that the words below the field name
_SEVERAL = together(say("Several with blanks or commas between them."), RULE)


class WithSuggestions(forms.TextInput):
    """A text with a list of values that a browser offers while it is typed."""

    suggestions: Sequence[tuple[str, str]] = ()  # value, and words beside it

    def render(self, name: str, value: Any, attrs: Mapping[str, Any] | None = None, renderer: Any = None) -> SafeString:
        given = dict(attrs or {})
        if not self.suggestions:
            return super().render(name, value, given, renderer)
        listed = f"{given.get('id', name)}-suggestions"
        options = format_html_join("", '<option value="{}">{}</option>', self.suggestions)
        field = super().render(name, value, {**given, "list": listed}, renderer)
        return format_html('{}<datalist id="{}">{}</datalist>', field, listed, options)


class TagsField(forms.CharField):
    """Several tags, as a tuple; what cannot be one is said beside the field."""

    def __init__(self, **more: Any) -> None:
        attrs = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        super().__init__(max_length=LONGEST_TEXT, widget=WithSuggestions(attrs=attrs), **more)

    def offer(self, tags: Sequence[str]) -> None:
        if isinstance(self.widget, WithSuggestions):
            self.widget.suggestions = [(tag, "") for tag in tags]
        named = ", ".join(tags[:MOST_NAMED])
        more = len(tags) > MOST_NAMED
        in_use = say("In use: {tags} and others.", tags=named) if more else say("In use: {tags}.", tags=named)
        self.help_text = shown(together(_SEVERAL, in_use if tags else ""))

    def clean(self, value: Any) -> tuple[str, ...]:
        try:
            return read_tags(str(super().clean(value) or ""))
        except NotATag as error:
            raise forms.ValidationError(told_by(error)) from error


class _ThoseItHad(forms.MultipleChoiceField):
    """Of those that were shown; whether it still has them, the action says."""

    def valid_value(self, value: Any) -> bool:
        return True


class TagForm(forms.Form):
    """`tags` are those that the exception has, `in_use` reads those that are offered."""

    use_required_attribute = False
    revision = forms.IntegerField(widget=forms.HiddenInput, required=False)
    add = TagsField(label=gettext_lazy("Put on"), required=False)
    remove = _ThoseItHad(label=gettext_lazy("Take off"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(
        self, *args: Any, tags: Sequence[str] = (), in_use: Callable[[], Sequence[str]] = tuple, **more: Any
    ) -> None:
        super().__init__(*args, **more)
        add, remove = self.fields["add"], self.fields["remove"]
        if isinstance(add, TagsField):
            add.offer([tag for tag in in_use() if tag not in tags])
        if isinstance(remove, forms.MultipleChoiceField):
            remove.choices = [(tag, tag) for tag in tags]
            if not tags and not self.is_bound:
                del self.fields["remove"]
