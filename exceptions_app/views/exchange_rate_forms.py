"""What an administrator sends to import exchange rates: a file at first, and then what was shown of it."""

from typing import Any

from django import forms
from django.contrib.auth.models import AbstractUser
from django.core import signing
from django.utils.translation import gettext_lazy

from exceptions_app.actions.mover import Invalid
from exceptions_app.attached_files import LARGEST_FILE
from exceptions_app.form_fields import NEEDED
from exceptions_app.forms import REASON_LENGTH
from exceptions_app.wording import say

SHOWN_FOR = 3600  # seconds; after that the file is chosen again
_SALT = "exceptions_app.views.exchange_rates"
_TOO_LARGE = say(
    "The file is larger than {most} MB. The ECB's whole history has less than one; send larger ones with the command.",
    most=LARGEST_FILE // 1_000_000,
)


class RatesFilterForm(forms.Form):
    use_required_attribute = False
    currency = forms.RegexField(
        r"^\s*[A-Za-z]{3}\s*$", label=gettext_lazy("Currency"), required=False, max_length=10,
        error_messages={"invalid": gettext_lazy("Write the three letters of a currency, such as USD.")},
    )  # fmt: skip


class ImportRatesForm(forms.Form):
    """`shown` is the very file whose changes were shown, signed for whoever was shown them: nothing else is kept."""

    use_required_attribute = False
    file = forms.FileField(
        label=gettext_lazy("File"), required=False, allow_empty_file=True,
        help_text=gettext_lazy("The ECB's reference rates as CSV, up to 5 MB: eurofxref.csv or eurofxref-hist.csv."),
    )  # fmt: skip
    because = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2, **NEEDED}),
        help_text=gettext_lazy("The auditor reads this."),
        error_messages={"required": gettext_lazy("Say why these rates come in; the auditor reads it.")},
    )
    shown = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, files: Any = None, *, reader: AbstractUser, initial: Any = None) -> None:
        super().__init__(data, files, auto_id="rates-%s", initial=initial)
        self._salt = f"{_SALT}.{reader.pk}"

    @property
    def has_file(self) -> bool:
        return bool(self.files.get("file"))

    def content(self) -> tuple[str, bytes]:
        """Name and bytes of what was sent. Raises Invalid for what cannot be taken."""
        file = self.files.get("file")
        if file is not None:
            if (file.size or 0) > LARGEST_FILE:
                raise Invalid("file", _TOO_LARGE)
            return str(file.name), file.read()
        if not self.data.get("shown"):
            raise Invalid("file", say("Choose the file with the rates."))
        try:
            kept = signing.loads(self.data["shown"], salt=self._salt, max_age=SHOWN_FOR)
        except signing.BadSignature as error:
            raise Invalid(
                "file", say("What was shown is too old, or was shown to another. Choose the file.")
            ) from error
        return kept["name"], kept["text"].encode()

    def token(self, name: str, content: bytes) -> str:
        """What was shown, to be sent again. The content is UTF-8: it was understood."""
        return signing.dumps({"name": name, "text": content.decode()}, salt=self._salt, compress=True)
