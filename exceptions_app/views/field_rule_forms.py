"""What a person types to propose a field rule."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.auth.models import Group
from django.http import QueryDict
from django.utils.translation import gettext_lazy

from exceptions_app.actions.field_rules import MOST_POSITION, Release, asks
from exceptions_app.models import FieldRule, Queue
from exceptions_app.releases import names_known, parts_known
from exceptions_app.views.kept_rule_forms import KeptRuleForm, reason, replaces
from exceptions_app.wording import offered, say, shown

STEP = 10
"""Between the places that new rules are offered, so that another one fits in."""


class ReleaseForm(KeptRuleForm):
    """Of which fields it is, and who may change them. Two queries, for the queues and the roles."""

    position = forms.IntegerField(
        label=gettext_lazy("Place in the order"), min_value=1, max_value=MOST_POSITION,
        help_text=gettext_lazy("The rule with the lowest number is tried first, and the first that fits wins."),
    )  # fmt: skip
    queue = forms.ChoiceField(label=gettext_lazy("Queue"), required=False)
    object_type = forms.ChoiceField(label=gettext_lazy("Kind of transaction"), required=False)
    part = forms.ChoiceField(label=gettext_lazy("Part of the form"), required=False)
    field = forms.CharField(
        label=gettext_lazy("Field"), required=False, max_length=200,
        help_text=gettext_lazy("Its name in the form or its term, such as Tax code or BT-84. All when left open."),
    )  # fmt: skip
    sort = forms.ChoiceField(
        label=gettext_lazy("Sort of values"), required=False,
        help_text=gettext_lazy("Bank details count wherever they stand in the document, unless a part is named."),
    )  # fmt: skip
    who = forms.ChoiceField(label=gettext_lazy("Who may change it"), choices=offered(FieldRule.Who.choices))
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles"), required=False, widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Any of them is enough, beside the right to correct there."),
    )  # fmt: skip
    because = reason()
    replaces = replaces()

    def __init__(self, data: QueryDict | None, *, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        self.queues = {one.slug: one for one in Queue.objects.order_by("name")}
        self.choose("queue", say("All"), {slug: one.name for slug, one in self.queues.items()})
        self.choose("part", say("All"), dict(offered((part, part) for part in parts_known())))
        self.choose("sort", say("All"), dict(offered(FieldRule.Values.choices)))
        self.choose_kinds()
        roles = self.fields["roles"]
        if isinstance(roles, forms.MultipleChoiceField):
            roles.choices = [(name, name) for name in Group.objects.order_by("name").values_list("name", flat=True)]

    def clean_field(self) -> str:
        """In the words of the page too, which stand in the reader's language."""
        typed = str(self.cleaned_data["field"]).strip()
        return next((name for name in names_known().values() if shown(name).casefold() == typed.casefold()), typed)

    def asked(self) -> Release:
        typed = self.cleaned_data
        return Release(
            position=typed["position"],
            queue=self.queues.get(typed["queue"]),
            object_type=typed["object_type"],
            part=typed["part"],
            field=typed["field"],
            sort=typed["sort"],
            who=typed["who"],
            roles=tuple(typed["roles"]),
        )


def as_typed(rule: FieldRule) -> dict[str, Any]:
    """What stands in the form when a rule is to be changed."""
    return {**asks(rule), "replaces": rule.pk}
