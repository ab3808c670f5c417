"""Until when an exception is snoozed: a usual moment, a time of one's own, or something that happens."""

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.utils.timezone import get_current_timezone, get_current_timezone_name, localtime, make_aware
from django.utils.translation import gettext_lazy

from exceptions_app.actions.snoozing import NEEDS_AN_END
from exceptions_app.states import WAKES_ON_WORDS, WakesOn
from exceptions_app.wording import say, shown, shown_later, together

TOMORROW, MONDAY, AT = "tomorrow", "monday", "at"
STARTS_AT = time(8, 0)
"""When a day of work begins: what is snoozed until a day is back by then."""


def tomorrow(now: datetime) -> datetime:
    return _morning(now, days=1)


def monday(now: datetime) -> datetime:
    """The next one; on a Monday that in a week."""
    return _morning(now, days=7 - localtime(now).weekday())


def _morning(now: datetime, *, days: int) -> datetime:
    return make_aware(datetime.combine(localtime(now).date() + timedelta(days=days), STARTS_AT), get_current_timezone())


class SnoozeForm(forms.Form):
    """`until` and `wakes_on` of the cleaned data are what the action takes."""

    use_required_attribute = False
    revision = forms.IntegerField(widget=forms.HiddenInput, required=False)
    event = forms.ChoiceField(
        label=gettext_lazy("Until"), choices=(), error_messages={"required": shown_later(NEEDS_AN_END)}
    )
    until = forms.DateTimeField(
        label=gettext_lazy("Date and time"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"],
        error_messages={"invalid": gettext_lazy("This is not a date and time. Write it as 2026-03-31 14:00.")},
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._now = localtime()
        self.fields["until"].help_text = shown(
            together(
                say("With something that happens, it comes back then at the latest."),
                say("The time is that of {zone}.", zone=get_current_timezone_name()),
            )
        )
        event = self.fields["event"]
        if isinstance(event, forms.ChoiceField):
            event.choices = [
                (TOMORROW, shown(say("Tomorrow, {time}", time=_in_words(tomorrow(self._now))))),
                (MONDAY, shown(say("Next Monday, {time}", time=_in_words(monday(self._now))))),
                (AT, gettext_lazy("The date and time below")),
                *((one.value, shown(say("When {what}", what=say(words)))) for one, words in WAKES_ON_WORDS.items()),
            ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        event, typed = cleaned.get("event", ""), cleaned.get("until")
        usual = {TOMORROW: tomorrow, MONDAY: monday}.get(event)
        if usual is not None and typed is not None:
            self.add_error("until", gettext_lazy("Leave this empty, or choose “The date and time below”."))
        if event == AT and typed is None and "until" not in self.errors:
            self.add_error("until", gettext_lazy("Write the date and time."))
        cleaned["until"] = usual(self._now) if usual is not None else typed
        cleaned["wakes_on"] = WakesOn(event) if event in set(WakesOn) else None
        return cleaned


def _in_words(moment: datetime) -> str:
    return f"{moment:%d %b %H:%M}"
