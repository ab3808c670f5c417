"""What people type on the page of one exception. Shape only: what is possible and permitted, the actions decide."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet
from django.utils.html import escape
from django.utils.timezone import get_current_timezone_name
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from exceptions_app.actions.correct import NOTHING_CHANGED, REASON_NEEDED
from exceptions_app.actions.retyping import FIELD as RETYPED
from exceptions_app.actions.reveal import LONGEST_REASON
from exceptions_app.attached_files import ENDINGS, LARGEST_FILE, LONGEST_NAME
from exceptions_app.field_classes import is_masked
from exceptions_app.form_fields import NEEDED, ActionCheckedField, RetypedField
from exceptions_app.form_names import field_name
from exceptions_app.models import Reveal
from exceptions_app.notation import as_written, read_value, stands
from exceptions_app.payee_details import PayeeDetail
from exceptions_app.snooze_form import SnoozeForm
from exceptions_app.states import CLOSED_WITHOUT_SENDING, Action, Outcome
from exceptions_app.tag_form import TagForm
from exceptions_app.typed_values import one_line_ending
from exceptions_app.veil import veil_of_fields
from exceptions_app.wording import offered, say, shown, shown_later, together
from integrations.records.record import Record, RecordField, label_with_term

REASON_LENGTH = 500
MOST_NUMBERED_LINES = 500
OUTCOME_WORDS: Mapping[Outcome, str] = {
    Outcome.REPLAYED: "Accepted after a replay",
    Outcome.RELEASED: "Released and accepted",
    Outcome.ALREADY_THERE: "Was at the target already",
    Outcome.FIXED_AT_SOURCE: "Fixed at the source",
    Outcome.LINKED_DUPLICATE: "Duplicate of another document",
    Outcome.WRITTEN_OFF: "Written off",
    Outcome.DECLINED: "Declined, back to the source",
    Outcome.REVERSED: "Reversed at the target",
}


def _text(
    label: StrOrPromise, *, help_text: StrOrPromise = "", rows: int = 2, max_length: int = REASON_LENGTH
) -> ActionCheckedField:
    widget = forms.Textarea(attrs={"rows": rows, **NEEDED})
    return ActionCheckedField(label=label, help_text=help_text, max_length=max_length, widget=widget)


def _optional_text(label: StrOrPromise, *, help_text: StrOrPromise = "") -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 2})
    return forms.CharField(label=label, help_text=help_text, max_length=REASON_LENGTH, widget=widget, required=False)


def _reason_of_correction() -> forms.CharField:
    """Judged with the values and not by the action, so that everything that is wrong is said at once."""
    return forms.CharField(
        label=gettext_lazy("Why this correction is right"),
        help_text=gettext_lazy("The person who decides and the auditor read this."),
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2, **NEEDED}),
        error_messages={"required": shown_later(REASON_NEEDED)},
    )


class MoveForm(forms.Form):
    """A move that needs no words. `revision` is that of the exception the person was looking at."""

    use_required_attribute = False
    revision = forms.IntegerField(widget=forms.HiddenInput, required=False)


class PersonField(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic in the stubs only
    def label_from_instance(self, obj: AbstractUser) -> str:
        return full_name(obj)


class AssignForm(MoveForm):
    to = PersonField(queryset=get_user_model().objects.none(), required=False, label=gettext_lazy("Assign to"))
    because = _optional_text(gettext_lazy("Note"))

    def __init__(self, *args: Any, people: QuerySet[AbstractUser], **more: Any) -> None:
        super().__init__(*args, **more)
        to = self.fields["to"]
        if isinstance(to, PersonField):
            to.queryset = people
            to.empty_label = gettext_lazy("Nobody, back to the queue")


def full_name(person: AbstractUser) -> str:
    return person.get_full_name() or person.get_username()


_HELD_UNTIL = say("It comes back by itself then. Leave empty to resume it by hand.")


class HoldForm(MoveForm):
    waiting_for = _text(
        gettext_lazy("Waiting for"), help_text=gettext_lazy("What has to happen first, and who has it."), max_length=300
    )
    until = forms.DateTimeField(
        label=gettext_lazy("Until"),
        required=False,
        help_text=shown_later(_HELD_UNTIL),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"],
        error_messages={"invalid": gettext_lazy("This is not a date and time. Write it as 2026-03-31 14:00.")},
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["until"].help_text = shown(
            together(_HELD_UNTIL, say("The time is that of {zone}.", zone=get_current_timezone_name()))
        )


class ReasonForm(MoveForm):
    because = _text(gettext_lazy("Reason"), help_text=gettext_lazy("The person who decides and the auditor read this."))


class WithdrawForm(MoveForm):
    because = _optional_text(gettext_lazy("Reason"))


class DismissForm(MoveForm):
    outcome = forms.ChoiceField(
        label=gettext_lazy("How it ends"),
        choices=[
            ("", gettext_lazy("Choose")),
            *offered((outcome.value, OUTCOME_WORDS[outcome]) for outcome in CLOSED_WITHOUT_SENDING),
        ],
        error_messages={
            "required": gettext_lazy("Choose how it ends: fixed at the source, a duplicate, or written off.")
        },
    )
    because = _text(gettext_lazy("Reason"), help_text=gettext_lazy("The person who decides and the auditor read this."))


class DeclareAbsentForm(MoveForm):
    because = _text(
        gettext_lazy("What you found out"),
        help_text=gettext_lazy("Where you looked, whom you asked, and what was said. Someone else reads it."),
    )
    file = forms.FileField(
        label=gettext_lazy("Proof"),
        required=False,
        max_length=200,
        allow_empty_file=False,
        help_text=gettext_lazy("A screenshot, a page of the target's journal, a mail. Up to 5 MB."),
    )


class ConfirmBookedForm(DeclareAbsentForm):
    reference = ActionCheckedField(
        label=gettext_lazy("Reference at the target"),
        max_length=200,
        help_text=gettext_lazy("The number under which the target has booked it."),
    )
    field_order = ("reference", "because", "file")


class ReverseForm(MoveForm):
    reference = forms.ChoiceField(
        label=gettext_lazy("Which document of the target is reversed"),
        choices=(),
        error_messages={
            "required": gettext_lazy("Choose the document that is to be reversed."),
            "invalid_choice": gettext_lazy("“%(value)s” cannot be reversed here. Choose one of the list."),
        },
    )
    because = _text(gettext_lazy("Reason"), help_text=gettext_lazy("The person who decides and the auditor read this."))

    def __init__(self, *args: Any, references: Iterable[str] = (), **more: Any) -> None:
        super().__init__(*args, **more)
        reference = self.fields["reference"]
        if isinstance(reference, forms.ChoiceField):
            reference.choices = [("", gettext_lazy("Choose")), *((found, found) for found in references)]


class ApproveForm(forms.Form):
    use_required_attribute = False
    frozen_sha256 = forms.CharField(widget=forms.HiddenInput)
    as_first = forms.BooleanField(widget=forms.HiddenInput, required=False)
    agreed = forms.BooleanField(
        label=gettext_lazy("I have compared what changes, and it is right."),
        widget=forms.CheckboxInput(attrs={**NEEDED}),
        error_messages={"required": gettext_lazy("Confirm that you compared what changes. Nothing was approved.")},
    )
    because = _optional_text(gettext_lazy("Comment"))

    def __init__(self, *args: Any, to_retype: Sequence[PayeeDetail] = (), **more: Any) -> None:
        super().__init__(*args, **more)
        self.retyped = [f"{RETYPED}_{place}" for place in range(len(to_retype))]
        for name, detail in zip(self.retyped, to_retype, strict=True):
            self.fields[name] = RetypedField(detail)
        self.order_fields([*self.retyped, "agreed", "because"])


class RejectForm(forms.Form):
    use_required_attribute = False
    frozen_sha256 = forms.CharField(widget=forms.HiddenInput)
    because = _text(gettext_lazy("Reason"), help_text=gettext_lazy("What has to change before you would approve it."))


class RevealForm(forms.Form):
    use_required_attribute = False
    purpose = forms.ChoiceField(
        label=gettext_lazy("What you need them for"),
        choices=[("", gettext_lazy("Choose")), *offered(Reveal.Purpose.choices)],
        error_messages={"required": gettext_lazy("Choose what you need the values for.")},
    )
    because = _text(
        gettext_lazy("In a sentence"),
        help_text=gettext_lazy("Such as whom you call about it. The auditor reads it."),
        max_length=LONGEST_REASON,
    )


class CommentForm(forms.Form):
    use_required_attribute = False
    text = _text(
        gettext_lazy("Comment"),
        help_text=gettext_lazy(
            "Everybody who may see this exception reads it. It stays. Write @ and a user name to tell somebody."
        ),
        max_length=5000,
    )
    file = forms.FileField(
        label=gettext_lazy("File"),
        required=False,
        max_length=LONGEST_NAME,
        help_text=shown_later(
            say("If there is one. Up to {most} MB: {endings}.", most=LARGEST_FILE // 1_000_000, endings=ENDINGS)
        ),
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # A page that refreshes itself must not take away what is being typed.
        for field in self.fields.values():
            field.widget.attrs["hx-preserve"] = "true"


MOVE_FORMS: Mapping[Action, type[forms.Form]] = {
    Action.CLAIM: MoveForm,
    Action.ASSIGN: AssignForm,
    Action.HOLD: HoldForm,
    Action.RESUME: MoveForm,
    Action.SNOOZE: SnoozeForm,
    Action.WAKE: MoveForm,
    Action.TAG: TagForm,
    Action.TRANSLATE: MoveForm,
    Action.PROPOSE: ReasonForm,
    Action.RELEASE: ReasonForm,
    Action.DECLINE: ReasonForm,
    Action.DISMISS: DismissForm,
    Action.REVERSE: ReverseForm,
    Action.REPORT_WRONG_BOOKING: ReasonForm,
    Action.WITHDRAW: WithdrawForm,
    Action.APPROVE: ApproveForm,
    Action.REJECT: RejectForm,
    Action.REOPEN: ReasonForm,
    Action.ASK_AGAIN: MoveForm,
    Action.CONFIRM_BOOKED: ConfirmBookedForm,
    Action.DECLARE_ABSENT: DeclareAbsentForm,
    Action.COMMENT: CommentForm,
}


_FIELD_NAME = re.compile("f_[0-9a-f]{12}")


def choice_name(name: str) -> str:
    """The form name of the choice between what I typed in a field and what a colleague saved there."""
    return f"keep_{name}"


def mine_of(sent: Mapping[str, str]) -> dict[str, str]:
    """What was sent, but for my text in the fields where I take what a colleague saved."""
    return {name: value for name, value in sent.items() if sent.get(choice_name(name)) != "theirs"}


def offered_name(name: str) -> str:
    """The form name of the value that was suggested for a field, so that it is known what the person saw."""
    return f"offered_{name}"


class CorrectionForm(forms.Form):
    """The business fields of a record. A field that is not in the data was not shown, and stays as it is."""

    use_required_attribute = False
    base_version = forms.IntegerField(widget=forms.HiddenInput)
    because = _reason_of_correction()

    def __init__(
        self,
        data: Mapping[str, str] | None = None,
        *,
        record: Record,
        typed: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        """`typed` are values to begin with, of a draft or a proposal."""
        super().__init__(data, **more)
        self.record = record
        self._veil = veil_of_fields(record.fields)
        self.record_fields = {field_name(field.path): field for field in record.fields}
        typed = typed or {}
        self.initial.setdefault("because", typed.get("because", ""))
        for name, field in self.record_fields.items():
            self.fields[name] = _field_of(field)
            self.initial.setdefault(name, typed.get(name, as_written(field)))
        self.fields["because"] = self.fields.pop("because")  # where it stands on the page, and among its errors

    def shown(self, name: str) -> str:
        """What stands in the input of a business field."""
        if self.is_bound and name in self.data:
            return str(self.data[name])
        return str(self.initial.get(name, ""))

    def differs(self, name: str) -> bool:
        """Whether what stands in the input is something else than the record says, or than its mask.

        A masked field that nobody touched comes back as its mask, and means the value that it stands for.
        """
        was = self.record_fields[name].value or ""
        typed = one_line_ending(self.shown(name))
        if stands(typed, self.record_fields[name]):
            return False
        return not (is_masked(typed) and typed.strip() == one_line_ending(self._veil.text(was)).strip())

    def clean(self) -> dict[str, Any]:
        """The changed fields, as `changes`; what is wrong with any of them and a missing reason are said together."""
        cleaned = super().clean() or {}
        changes: dict[str, str] = {}
        for name, field in self.record_fields.items():
            if name not in self.data or self.data.get(choice_name(name)) == "theirs" or not self.differs(name):
                continue
            typed, misfit = read_value(one_line_ending(str(self.data[name])).strip(), field)
            if misfit is not None:
                self.add_error(name, shown(misfit.words))
            changes[field.path] = typed
        if not changes and "because" in self.errors:
            self.add_error(None, shown(NOTHING_CHANGED))
        cleaned["changes"] = changes
        return cleaned

    def name_at(self, path: str) -> str | None:
        """The input for a path, to put an error beside it."""
        name = field_name(path)
        return name if name in self.fields else None


def _field_of(field: RecordField) -> forms.CharField:
    label = label_with_term(shown(field.label), field.term)
    return forms.CharField(label=label, help_text=escape(field.hint), required=False, strip=False)


class RawForm(forms.Form):
    """The whole document as text, for what has no field."""

    use_required_attribute = False
    base_version = forms.IntegerField(widget=forms.HiddenInput)
    payload = ActionCheckedField(
        label=gettext_lazy("Document"),
        strip=False,
        help_text=gettext_lazy("It passes the same checks as the business fields."),
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false", "autocomplete": "off", "wrap": "off"}),
    )
    because = _reason_of_correction()

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        count = str(self["payload"].value() or "").count("\n") + 1
        # For the margin of the text, which is as high as the text; none where that would be too high.
        self.line_numbers = range(1, count + 1) if count <= MOST_NUMBERED_LINES else range(0)
        if self.line_numbers:
            self.fields["payload"].widget.attrs["rows"] = count + 1


class DraftForm(forms.Form):
    """What the page sends from time to time while a person types."""

    base_version = forms.IntegerField(min_value=1, max_value=2**31 - 1, widget=forms.HiddenInput)


def typed_texts(data: Mapping[str, Any], names: Iterable[str] = ()) -> dict[str, str]:
    """The texts of a correction among what was sent: business fields, whole document and reason."""
    kept = {"because", "payload", *names}
    return {
        name: str(value).replace("\x00", "�")  # which no text of the database can hold
        for name, value in data.items()
        if name in kept or _FIELD_NAME.fullmatch(name)
    }
