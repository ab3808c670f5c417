"""What people type on the pages of bulk runs. What is possible and permitted, the actions decide."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from exceptions_app.bulk_states import LONGEST_REASON, LONGEST_TEXT, LONGEST_VALUE, BulkKind, Instruction
from exceptions_app.form_fields import ActionCheckedField
from exceptions_app.forms import PersonField
from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.tag_form import TagsField
from exceptions_app.views.replay_batch_forms import ListField
from exceptions_app.wording import say, shown
from integrations.connectors.registry import UnknownConnector, get_connector
from integrations.records.record import label_with_term
from integrations.refusals import MessageNotUnderstood

UNREADABLE = say("The list came back incomplete. Nothing was done; look at it again.")
MOST_LOOKED_INTO = 20  # documents, for the fields that they have
_BETWEEN = "|"  # the standard's name of a field and that of people

FieldChoice = tuple[str, str]


def fields_of(cases: Iterable[ExceptionCase]) -> list[FieldChoice]:
    """The fields that the documents of a few exceptions have, in their order. One query."""
    few = {case.pk: case for case in list(cases)[:MOST_LOOKED_INTO]}
    versions = PayloadVersion.objects.filter(case__in=few).order_by("case", "-number").distinct("case")
    found: dict[str, str] = {}
    for version in versions:
        try:
            record = get_connector(few[version.case_id].connection.connector).read(bytes(version.content))
        except (MessageNotUnderstood, UnknownConnector):
            continue
        for field in record.fields:
            found.setdefault(f"{field.term}{_BETWEEN}{field.label}", label_with_term(shown(field.label), field.term))
    return list(found.items())


def _reason(*, required: bool) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 2})
    if required:
        words = gettext_lazy("Whoever decides and the auditor read this with each exception.")
        return ActionCheckedField(
            label=gettext_lazy("Reason"), max_length=LONGEST_REASON, widget=widget, help_text=words
        )
    return forms.CharField(label=gettext_lazy("Note"), max_length=LONGEST_REASON, widget=widget, required=False)


class BulkForm(forms.Form):
    """What shall be done with each exception."""

    use_required_attribute = False
    kind = forms.ChoiceField(choices=[(kind.value, kind.value) for kind in BulkKind], widget=forms.HiddenInput)

    def instruction(self) -> Instruction:
        given = {name: value for name, value in self.cleaned_data.items() if name != "kind"}
        return Instruction(kind=BulkKind(self.cleaned_data["kind"]), **self._worded(given))

    def _worded(self, given: Mapping[str, Any]) -> dict[str, str]:
        return {name: str(value) for name, value in given.items()}


class AssignManyForm(BulkForm):
    to = PersonField(
        queryset=get_user_model().objects.none(),
        to_field_name="username",
        label=gettext_lazy("Assign to"),
        empty_label=gettext_lazy("Choose"),
        error_messages={
            "required": gettext_lazy("Choose a colleague."),
            "invalid_choice": gettext_lazy("Choose a colleague of the list."),
        },
    )
    because = _reason(required=False)

    def _worded(self, given: Mapping[str, Any]) -> dict[str, str]:
        return {"to": given["to"].get_username(), "because": str(given["because"])}


class GiveBackManyForm(BulkForm):
    because = _reason(required=False)


class SetValueForm(BulkForm):
    field = forms.CharField(
        label=gettext_lazy("Field"),
        max_length=300,
        widget=forms.Select,
        error_messages={"required": gettext_lazy("Choose the field.")},
    )
    was = forms.CharField(
        label=gettext_lazy("Where it is"),
        max_length=LONGEST_VALUE,
        required=False,
        help_text=gettext_lazy(
            "Exactly as it stands in the document. Leave it empty for documents that lack the field."
        ),
    )
    will_be = forms.CharField(
        label=gettext_lazy("Set it to"),
        max_length=LONGEST_VALUE,
        required=False,
        help_text=gettext_lazy(
            "As the document has it, for example 2026-03-31 or 1428.00. Leave it empty to take the field away."
        ),
    )
    because = _reason(required=True)

    def _worded(self, given: Mapping[str, Any]) -> dict[str, str]:
        term, _, label = str(given["field"]).partition(_BETWEEN)
        return {
            "term": term,
            "label": label,
            "was": given["was"],
            "will_be": given["will_be"],
            "because": given["because"],
        }


class ReasonManyForm(BulkForm):
    because = _reason(required=True)


class CommentManyForm(BulkForm):
    text = ActionCheckedField(
        label=gettext_lazy("Comment"), max_length=LONGEST_TEXT, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Everybody who may see one of the exceptions reads it there. It stays."),
    )  # fmt: skip


class TagManyForm(BulkForm):
    tags = TagsField(label=gettext_lazy("Tags"), error_messages={"required": gettext_lazy("Write at least one tag.")})
    because = _reason(required=False)

    def _worded(self, given: Mapping[str, Any]) -> dict[str, str]:
        return {"tags": ",".join(given["tags"]), "because": str(given["because"])}


class PlaybookManyForm(BulkForm):
    playbook = forms.CharField(
        label=gettext_lazy("Playbook"),
        max_length=30,
        widget=forms.Select,
        error_messages={"required": gettext_lazy("Choose a playbook.")},
        help_text=gettext_lazy("All its steps with each exception, or none where one of them is not possible."),
    )


BULK_FORMS: Mapping[BulkKind, type[BulkForm]] = {
    BulkKind.ASSIGN: AssignManyForm,
    BulkKind.GIVE_BACK: GiveBackManyForm,
    BulkKind.SET_VALUE: SetValueForm,
    BulkKind.PROPOSE: ReasonManyForm,
    BulkKind.WRITE_OFF: ReasonManyForm,
    BulkKind.COMMENT: CommentManyForm,
    BulkKind.TAG: TagManyForm,
    BulkKind.UNTAG: TagManyForm,
    BulkKind.PLAYBOOK: PlaybookManyForm,
}


def bulk_form(
    kind: BulkKind,
    data: Mapping[str, str] | None = None,
    *,
    people: QuerySet[AbstractUser] | None = None,
    choices: Sequence[FieldChoice] = (),
    tags: Sequence[str] = (),
    initial: Mapping[str, Any] | None = None,
) -> BulkForm:
    """The form of a kind; `people`, `choices` and `tags` are what it lets one choose among."""
    form = BULK_FORMS[kind](data, initial={**(initial or {}), "kind": kind.value})
    to, several = form.fields.get("to"), form.fields.get("tags")
    field = form.fields.get("field") or form.fields.get("playbook")
    if isinstance(to, PersonField) and people is not None:
        to.queryset = people
    if isinstance(several, TagsField):
        several.offer(tags)
    if field is not None and isinstance(field.widget, forms.Select):
        field.widget.choices = [("", gettext_lazy("Choose")), *choices]
    return form


class StartForm(forms.Form):
    """The list as it was shown, and what makes a form that is sent twice start once."""

    items = ListField(error_messages={"required": UNREADABLE})
    frozen_sha256 = forms.CharField(
        max_length=64, widget=forms.HiddenInput, error_messages={"required": UNREADABLE, "max_length": UNREADABLE}
    )
    key = forms.UUIDField(widget=forms.HiddenInput, error_messages={"required": UNREADABLE, "invalid": UNREADABLE})

    @property
    def problems(self) -> str:
        """All fields are hidden, so what is wrong with them is said above the list."""
        return " ".join(dict.fromkeys(str(problem) for problems in self.errors.values() for problem in problems))
