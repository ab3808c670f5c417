"""What people type on the pages of batches. What is possible and permitted, the actions decide."""

import re
from collections.abc import Mapping

from django import forms
from django.utils.translation import gettext_lazy

from exceptions_app.batch_states import MOST_ITEMS, USUAL_FAILURE_LIMIT, BatchAction

_ITEM = re.compile(r"[0-9]{1,18}-[0-9]{1,9}")
_LONGEST_LIST = MOST_ITEMS * 30  # characters


class ListField(forms.CharField):
    """Exceptions with the revision at which each was seen: `1042-3,1043-1`."""

    widget = forms.HiddenInput

    def to_python(self, value: object) -> dict[int, int]:  # type: ignore[override]
        parts = str(value or "").split(",")
        if not all(_ITEM.fullmatch(part) for part in parts):
            raise forms.ValidationError(gettext_lazy("Begin again at the list of exceptions: this one cannot be read."))
        return {int(number): int(revision) for number, _, revision in (part.partition("-") for part in parts)}

    def run_validators(self, value: object) -> None:
        """Nothing beyond the shape: the length is bounded by the browser's form and by the action."""


class ProposeBatchForm(forms.Form):
    use_required_attribute = False
    items = ListField()
    because = forms.CharField(
        label=gettext_lazy("Why they are to be replayed"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("The person who decides and the auditor read this."),
        error_messages={
            "required": gettext_lazy("Say what was mended, for example: the authority's service is back since 14:00.")
        },
    )
    failure_limit = forms.IntegerField(
        label=gettext_lazy("Stop above a failure rate of"),
        min_value=0,
        max_value=100,
        initial=USUAL_FAILURE_LIMIT,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        help_text=gettext_lazy("Per cent of what ended. The first error of each kind stops it in any case."),
        error_messages={
            "required": gettext_lazy("Write a number from 0 to 100."),
            "invalid": gettext_lazy("Write a number from 0 to 100."),
        },
    )

    @staticmethod
    def written(cases: Mapping[int, int]) -> str:
        """The list as the field reads it."""
        return ",".join(f"{number}-{revision}" for number, revision in sorted(cases.items()))


class ApproveBatchForm(forms.Form):
    use_required_attribute = False
    frozen_sha256 = forms.CharField(widget=forms.HiddenInput)
    agreed = forms.BooleanField(
        label=gettext_lazy("I have looked at what is in this list, and all of it may be sent."),
        error_messages={"required": gettext_lazy("Confirm that you looked at the list. Nothing was approved.")},
    )
    because = forms.CharField(
        label=gettext_lazy("Comment"), max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )


class RejectBatchForm(forms.Form):
    use_required_attribute = False
    frozen_sha256 = forms.CharField(widget=forms.HiddenInput)
    because = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("What has to change before you would approve it."),
        error_messages={
            "required": gettext_lazy("Say why you reject it; the person who proposed it needs to know what to change.")
        },
    )


class BatchReasonForm(forms.Form):
    use_required_attribute = False
    because = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Everybody who sees this batch and the auditor read this."),
        error_messages={"required": gettext_lazy("Say why.")},
    )


BATCH_FORMS: Mapping[BatchAction, type[forms.Form]] = {
    BatchAction.APPROVE: ApproveBatchForm,
    BatchAction.REJECT: RejectBatchForm,
    BatchAction.SUSPEND: BatchReasonForm,
    BatchAction.RESUME: BatchReasonForm,
    BatchAction.CANCEL: BatchReasonForm,
}
