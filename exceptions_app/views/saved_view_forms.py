"""What a person types about a view, and what a view shows in words."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy

from exceptions_app.actions.saved_views import EVERYONE, ONLY_ME, SharedWith
from exceptions_app.filters import CaseFilter
from exceptions_app.form_fields import ActionCheckedField
from exceptions_app.list_layout import COLUMNS
from exceptions_app.models import Queue, SavedView
from exceptions_app.models.saved_view import LONGEST_NAME
from exceptions_app.queries.reach import Reach
from exceptions_app.queries.saved_views import may_share_with_everyone, queues_to_share_with
from exceptions_app.wording import say, shown

_SHARING = SavedView.Sharing
_WITH_QUEUE = "queue:"
_LONGEST_SHOWN = 60  # characters of a value


class ViewForm(forms.Form):
    """A name, and who has the view before them. One query for the queues."""

    use_required_attribute = False
    name = ActionCheckedField(
        label=gettext_lazy("Name"),
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("As you would call it to a colleague, such as “Credit notes over 10,000”."),
    )
    shared_with = forms.ChoiceField(label=gettext_lazy("Who has it"), choices=())

    def __init__(self, *args: Any, reach: Reach, **more: Any) -> None:
        super().__init__(*args, **more)
        self.queues = {
            found.slug: found for found in Queue.objects.filter(pk__in=queues_to_share_with(reach)).order_by("name")
        }
        choices: list[tuple[str, Any]] = [(_SHARING.OWNER.value, gettext_lazy("Only me"))]
        choices += [
            (f"{_WITH_QUEUE}{slug}", shown(say("Everybody who sees {queue}", queue=queue)))
            for slug, queue in self.queues.items()
        ]
        if may_share_with_everyone(reach):
            choices.append((_SHARING.EVERYONE.value, gettext_lazy("Everyone")))
        self.offer(choices)

    def offer(self, choices: Sequence[tuple[str, Any]]) -> None:
        field = self.fields["shared_with"]
        if isinstance(field, forms.ChoiceField):
            field.choices = choices
            now = str(self.initial.get("shared_with", _SHARING.OWNER.value))
            if now not in dict(choices):  # of a queue that its owner works in no more
                field.choices = [*choices, (now, gettext_lazy("As it is now"))]
            if len(field.choices) == 1:
                field.help_text = gettext_lazy("To share a view, work or decide in a queue.")

    def shared(self) -> SharedWith | None:
        """What was chosen; None when it stays as it is and could not be chosen anew."""
        chosen = self.cleaned_data["shared_with"]
        if chosen == _SHARING.EVERYONE:
            return EVERYONE
        if not chosen.startswith(_WITH_QUEUE):
            return ONLY_ME
        queue = self.queues.get(chosen.removeprefix(_WITH_QUEUE))
        return SharedWith(_SHARING.QUEUE, queue) if queue else None


class NewViewForm(ViewForm):
    query = forms.CharField(widget=forms.HiddenInput, required=False)
    pinned = forms.BooleanField(
        label=gettext_lazy("Pin it to the head of my lists"),
        required=False,
        help_text=gettext_lazy("With the number of exceptions in it."),
    )
    replaces = forms.ChoiceField(
        label=gettext_lazy("Instead of one of mine"),
        required=False,
        choices=(),
        help_text=gettext_lazy("It keeps its name, its readers and its pins, and shows this list from now on."),
    )
    field_order = ("query", "name", "shared_with", "pinned", "replaces")

    def __init__(self, *args: Any, own: Sequence[SavedView], **more: Any) -> None:
        super().__init__(*args, **more)
        replaces = self.fields["replaces"]
        if isinstance(replaces, forms.ChoiceField):
            replaces.choices = [("", gettext_lazy("No, a new one")), *((str(view.pk), view.name) for view in own)]
        if not own:
            self.fields.pop("replaces")


def sharing_of(view: SavedView) -> str:
    """As `ViewForm.shared_with` has it."""
    return f"{_WITH_QUEUE}{view.queue.slug}" if view.queue else str(view.sharing)


def readers_of(view: SavedView) -> str:
    """Who has it, in words."""
    if view.queue:
        return f"everybody who sees {view.queue}"
    return "everyone" if view.sharing == _SHARING.EVERYONE else "only you"


def query_in_words(query: str) -> list[tuple[str, str]]:
    """Label and value of each filter, then of order, columns and density. Names stay as the address has them."""
    params = QueryDict(query)
    columns = {column.name: column.label for column in COLUMNS}
    told: list[tuple[str, str]] = []
    for name in params:
        value = str(params.get(name) or "")
        known = CaseFilter.base_filters.get(name)
        if known is not None:
            choices = dict(known.extra.get("choices", ()))
            told.append((str(known.label), str(choices.get(value, value))[:_LONGEST_SHOWN]))
        elif name == "columns":
            told.append(("Columns", ", ".join(columns.get(part, part) for part in value.split(","))))
        else:
            told.append((name.capitalize(), value))
    return told
