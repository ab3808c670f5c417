"""What an auditor asks for, as the address holds it, and the filter of the log that it means."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import Q, Value
from django.db.models.functions import Concat
from django.utils import timezone
from django.utils.translation import gettext_lazy

from audit.formats import FORMATS
from audit.queries import Cursor, EventFilter, matching
from exceptions_app.actions.audit_export import CSV, EVIDENCE, JSON_LINES
from exceptions_app.models import ReplayBatch
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.queries.audit_page import MOST_SUBJECTS, readable_scopes, subjects_with_number
from exceptions_app.queries.pack_lists import batch_subjects
from exceptions_app.queries.replay_batches import batch_to_export
from exceptions_app.views.audit_words import ACTIONS
from exceptions_app.wording import Said, offered, say, shown, shown_later

USUAL_DAYS = 30
MOST_NAMED = 5  # people that a name may mean, in the words of the error
ASKED = ("since", "until", "actor", "action", "about", "entity")
"""The fields that an address holds."""
_REFERENCE = re.compile(r"(?:ex)?[\s\-_./#:]*0*([1-9]\d{0,16})", re.IGNORECASE)
_BATCH = re.compile(r"b-[1-9]\d{0,16}", re.IGNORECASE)
_SUBJECT = re.compile(r"[a-z][a-z0-9_]*:\S.*")
_EARLIEST, _LATEST = date(1970, 1, 2), date(9998, 12, 30)


def _day(label: Said) -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    wrong = say("“{label}” is not a date. Write it as year-month-day, for example 2026-03-31.", label=label)
    return forms.DateField(
        label=shown_later(label), required=False, widget=widget, error_messages={"invalid": shown_later(wrong)}
    )


class AuditFilterForm(forms.Form):
    """Without a period in the address it is the last 30 days; an empty one is all time.

    `reader` decides which exceptions the number of a document may name.
    """

    use_required_attribute = False
    since = _day(say("From"))
    until = _day(say("To"))
    actor = forms.CharField(
        label=gettext_lazy("Who"),
        required=False,
        max_length=254,
        widget=forms.TextInput(attrs={"placeholder": gettext_lazy("Name or user name"), "autocomplete": "off"}),
    )
    action = forms.ChoiceField(
        label=gettext_lazy("What"),
        required=False,
        choices=[
            ("", gettext_lazy("Anything")),
            *((shown_later(group), offered(names.items())) for group, names in ACTIONS.items()),
        ],
        error_messages={
            "invalid_choice": gettext_lazy("“%(value)s” is not an event of the audit trail. Choose one from the list.")
        },
    )
    about = forms.CharField(
        label=gettext_lazy("About"),
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={"placeholder": gettext_lazy("EX-1001, B-7 or a document number"), "autocomplete": "off"},
        ),
    )
    entity = forms.ChoiceField(
        label=gettext_lazy("Legal entity"),
        required=False,
        error_messages={
            "invalid_choice": gettext_lazy("“%(value)s” is no legal entity within your scopes. Choose one of the list.")
        },
    )
    after = forms.CharField(
        label=gettext_lazy("Place in the log"), required=False, max_length=100, widget=forms.HiddenInput
    )

    def __init__(
        self, asked: Mapping[str, str], *, today: date, reader: AbstractUser, scopes: Collection[str] = ()
    ) -> None:
        self.reader = reader
        self.batch: ReplayBatch | None = None
        asked = {name: asked[name] for name in asked}
        asked.setdefault("since", (today - timedelta(days=USUAL_DAYS)).isoformat())
        super().__init__(asked)
        choices = [("", gettext_lazy("Any")), *((code, code) for code in entities_in(scopes))]
        self.fields["entity"].choices = choices  # type: ignore[attr-defined]

    def clean_since(self) -> date | None:
        return self._usable("since")

    def clean_until(self) -> date | None:
        return self._usable("until")

    def _usable(self, name: str) -> date | None:
        day: date | None = self.cleaned_data[name]
        if day is not None and not _EARLIEST <= day <= _LATEST:
            within = say("Use a day between {earliest} and {latest}.", earliest=_EARLIEST, latest=_LATEST)
            raise forms.ValidationError(shown(within))
        return day

    def clean_actor(self) -> str:
        """The user name, also for somebody who is asked for by their full name or by a part of it."""
        typed = " ".join(str(self.cleaned_data["actor"]).split())
        if not typed:
            return ""
        found = _people_called(typed)
        names = [person.get_username() for person in found]
        # An account that is gone has left its user name in the log.
        if typed in names or (not names and _wrote_in_the_log(typed, self.reader)):
            return typed
        if not names:
            nobody = say(
                "Nobody is called “{typed}”. Write a user name, or a first or last name or a part of it.", typed=typed
            )
            raise forms.ValidationError(shown(nobody))
        if len(names) > 1:
            raise forms.ValidationError(shown(_which_of(typed, found)))
        return names[0]

    def clean_about(self) -> tuple[str, ...]:
        """The subjects that are meant: one, a batch with its exceptions, or each that has the number of a document."""
        typed = str(self.cleaned_data["about"]).strip()
        if _BATCH.fullmatch(typed):
            self.batch = batch_to_export(self.reader, typed.upper())
            if self.batch is not None:
                return tuple(batch_subjects(self.batch))
        reference = _REFERENCE.fullmatch(typed.lower().removeprefix("case:"))
        referred = [f"case:{REF_PREFIX}{reference[1]}"] if reference else []
        if not typed or (reference and not typed[0].isdigit()):
            return tuple(referred)
        if _SUBJECT.fullmatch(typed):
            return (typed,)
        numbered = subjects_with_number(self.reader, typed)
        if len(numbered) > MOST_SUBJECTS:
            many = say("More than {most} exceptions have it. Write one of them, as EX-1001.", most=MOST_SUBJECTS)
            raise forms.ValidationError(shown(many))
        if not (referred or numbered):
            nothing = say(
                "Nothing within your scopes is called “{typed}”. Write the reference of an exception, "
                "such as EX-1001, the whole number of a document, or a kind and a name, such as queue:e-invoicing.",
                typed=typed,
            )
            raise forms.ValidationError(shown(nothing))
        return tuple(dict.fromkeys(referred + numbered))

    def clean_after(self) -> Cursor | None:
        place = str(self.cleaned_data["after"])
        try:
            return Cursor.parse(place) if place else None
        except ValueError:
            raise forms.ValidationError(
                gettext_lazy("This is not a place in the log. Start again from the newest events.")
            ) from None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", gettext_lazy("The period ends before it begins. Choose a day on or after “From”."))
        return cleaned

    def events(self, scopes: Collection[str]) -> EventFilter:
        """The filter of a valid form. Days are those of the reader's time zone, both included."""
        asked = self.cleaned_data
        if asked["entity"]:
            scopes = {scope for scope in scopes if scope.startswith(f"{asked['entity']}/")}
        return EventFilter(
            scopes=scopes,
            since=_midnight(asked["since"]) if asked["since"] else None,
            until=_midnight(asked["until"] + timedelta(days=1)) if asked["until"] else None,
            actor=asked["actor"],
            action=asked["action"],
            subjects=asked["about"],
        )

    def asked(self, scopes: Collection[str]) -> EventFilter:
        """The same for an export, which keeps a batch by its name and not by a list."""
        return replace(self.events(scopes), subjects=() if self.batch else self.cleaned_data["about"])

    def address(self, **more: str) -> str:
        """What the form asks for as a query string, with the usual period spelled out."""
        asked = {name: str(self.data.get(name, "")) for name in ASKED}
        return "?" + urlencode({name: value for name, value in asked.items() if value or name == "since"} | more)

    @property
    def is_narrowed(self) -> bool:
        return any(self.data.get(name) for name in ASKED[1:])


def entities_in(scopes: Collection[str]) -> list[str]:
    """The legal entities of which these are scopes."""
    return sorted({entity for scope in scopes if (entity := scope.partition("/")[0]) != scope} - {"connection"})


class AuditExportForm(AuditFilterForm):
    format = forms.ChoiceField(
        label=gettext_lazy("Format"),
        choices=[
            (CSV, gettext_lazy("CSV")),
            (JSON_LINES, gettext_lazy("JSON Lines")),
            (EVIDENCE, gettext_lazy("Evidence pack")),
        ],
        error_messages={
            "required": gettext_lazy("Say which format: csv, jsonl or evidence."),
            "invalid_choice": gettext_lazy("“%(value)s” is not a format. Use csv, jsonl or evidence."),
        },
    )


class AuditFileForm(AuditFilterForm):
    """A file that is made in the background. `key` is of the form: sent twice, it starts once."""

    format = forms.ChoiceField(
        label=gettext_lazy("Format"),
        choices=list(FORMATS.items()),
        error_messages={
            "required": gettext_lazy("Choose a format."),
            "invalid_choice": gettext_lazy("“%(value)s” is not a format. Choose one from the list."),
        },
    )
    key = forms.UUIDField(
        widget=forms.HiddenInput,
        error_messages={
            "required": gettext_lazy("Reload the page and ask again."),
            "invalid": gettext_lazy("Reload the page and ask again."),
        },
    )


def _people_called(typed: str) -> Sequence[AbstractUser]:
    """Whoever has exactly that user name or full name, else all with that text in one of them; one more than named."""
    people = get_user_model().objects.annotate(whole=Concat("first_name", Value(" "), "last_name")).order_by("username")
    exactly = list(people.filter(Q(username__iexact=typed) | Q(whole__iexact=typed))[: MOST_NAMED + 1])
    return exactly or list(people.filter(Q(username__icontains=typed) | Q(whole__icontains=typed))[: MOST_NAMED + 1])


def _wrote_in_the_log(actor: str, reader: AbstractUser) -> bool:
    return matching(EventFilter(scopes=readable_scopes(reader), actor=actor)).exists()


def _which_of(typed: str, people: Sequence[AbstractUser]) -> Said:
    """Whom one may have meant, to be chosen from by user name."""
    named = [f"{person.get_full_name()} ({person.get_username()})".strip() for person in people[:MOST_NAMED]]
    listed = ", ".join(named)
    if len(people) > MOST_NAMED:
        return say(
            "More than one person is called “{typed}”: {list} and more. Write the user name.", typed=typed, list=listed
        )
    return say("More than one person is called “{typed}”: {list}. Write the user name.", typed=typed, list=listed)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())
