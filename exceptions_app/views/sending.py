"""How a connection sends: what keeps it back now, its pace, its maintenance; and the stop of all sending."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import get_current_timezone_name, now
from django.utils.translation import gettext, gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_stubs_ext import StrOrPromise

from exceptions_app.actions import sending as actions
from exceptions_app.actions.mover import Invalid
from exceptions_app.queries.connection_reach import ConnectionReach, connection_reach_of
from exceptions_app.queries.sending import TermsRow, gate_of, terms_of, windows_of
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person
from exceptions_app.views.spelled import moment, one_of, share, span
from exceptions_app.wording import say, shown
from integrations import delivery as engine
from integrations.delivery.retries import Terms
from integrations.models import Connection, MaintenanceWindow

_TIME_FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
_HELD_BY_THE_TARGET = frozenset({engine.HeldBy.BREAKER, engine.HeldBy.ASKED})


class StopForm(forms.Form):
    use_required_attribute = False
    because = forms.CharField(
        label=gettext_lazy("Why nothing at all shall be sent"),
        max_length=actions.REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Shown to everybody, on every page."),
        error_messages={"required": gettext_lazy("Say why, for example: wrong tax rates go out since this morning.")},
    )


def _time(label: StrOrPromise) -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=_TIME_FORMATS,
        error_messages={
            "required": gettext_lazy("Write a date and time, such as 2026-03-31 14:00."),
            "invalid": gettext_lazy("This is not a date and time. Write it as 2026-03-31 14:00."),
        },
    )


class MaintenanceForm(forms.Form):
    use_required_attribute = False
    starts_at = _time(gettext_lazy("From"))
    ends_at = _time(gettext_lazy("Until"))
    because = forms.CharField(
        label=gettext_lazy("What is done there"),
        max_length=actions.REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": gettext_lazy("Say what is done there, as it was announced.")},
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["ends_at"].help_text = shown(
            say("Both times are those of {zone}.", zone=get_current_timezone_name())
        )


@require_safe
@never_cache
@signed_in
def sending(request: HttpRequest, ref: str) -> HttpResponse:
    found, reach = _connection(request, ref)
    return _page(request, found, reach, MaintenanceForm(initial=dict(interrupted_at(request, request.path).typed)))


def _connection(request: HttpRequest, ref: str) -> tuple[Connection, ConnectionReach]:
    """The connection, when the person has to do with it; 404 otherwise, as if it were not there."""
    reach = connection_reach_of(person(request))
    found = Connection.objects.filter(slug=ref, pk__in=reach.seen).first()
    if found is None:
        raise Http404
    return found, reach


def _page_of(request: HttpRequest, ref: str) -> str:
    return reverse("exceptions:connection_sending", args=[_connection(request, ref)[0].slug])


def _page_of_window(request: HttpRequest, ref: int) -> str:
    return _page_of(request, _window(request, ref).connection.slug)


def _page_of_all(_request: HttpRequest, _ref: str) -> str:
    return reverse("exceptions:connections")


def _page(
    request: HttpRequest, found: Connection, reach: ConnectionReach, form: MaintenanceForm, *, status: int = 200
) -> HttpResponse:
    hold = engine.hold_on(found.pk)
    gate = gate_of(found)
    context = {
        "connection": found,
        "hold": hold,
        "held_by_target": hold is not None and hold.held_by in _HELD_BY_THE_TARGET,
        "failures": len(gate.failed) if gate else 0,
        "terms": [_in_words(row) for row in terms_of(found)],
        "windows": windows_of(found, at=now()),
        "form": form,
        "may_configure": found.pk in reach.configured,
        "why_not": shown(
            say("It needs the permission to configure {found}. An administrator can grant it.", found=found)
        ),
        "now": now(),
        "trail": [
            {"label": gettext("Connections"), "url": reverse("exceptions:connections")},
            {"label": found.name, "url": reverse("exceptions:connection", args=[found.slug])},
        ],
    }
    return render(request, "exceptions/sending.html", context, status=status)


def _in_words(row: TermsRow) -> tuple[str, str, str, str]:
    """What they are about, the waits, the end, and whose they are."""
    terms, about, whose = row.terms, shown(row.about), shown(row.whose)
    if terms.tries == 0:
        return about, gettext("never by itself"), gettext("a person works on it"), whose
    ends = []
    if terms.tries:
        tries = ngettext("after {number} try in a row", "after {number} tries in a row", terms.tries)
        ends.append(tries.format(number=terms.tries))
    if terms.deadline:
        ends.append(gettext("after {span}").format(span=span(terms.deadline)))
    return about, _waits(terms), one_of(ends) or gettext("never"), whose


def _waits(terms: Terms) -> str:
    template = gettext("after {first}, then twice as long each time up to {most}")
    if terms.jitter:
        template = gettext("after {first}, then twice as long each time up to {most}, each longer by up to {share}")
    return template.format(first=span(terms.first), most=span(terms.most), share=share(terms.jitter))


@posted_from(_page_of)
def plan_maintenance(request: HttpRequest, ref: str) -> HttpResponse:
    found, reach = _connection(request, ref)
    form = MaintenanceForm(request.POST)
    may_configure = found.pk in reach.configured
    if form.is_valid() or not may_configure:
        typed = form.cleaned_data
        times = {"starts_at": typed.get("starts_at") or now(), "ends_at": typed.get("ends_at") or now()}
        try:
            window = actions.plan_maintenance(
                found.pk, **times, by=person(request), at=now(), because=typed.get("because", "")
            )
        except Invalid as error:
            form.add_error(error.field, shown(error.problem))
        else:
            from_, until = moment(window.starts_at), moment(window.ends_at)
            return _done(
                request,
                _page_of(request, ref),
                shown(
                    say("Nothing is sent to {found} from {from_} until {until}.", found=found, from_=from_, until=until)
                ),
            )
    return _page(request, found, reach, form, status=422)


@posted_from(_page_of_window)
def cancel_maintenance(request: HttpRequest, ref: int) -> HttpResponse:
    window = _window(request, ref)
    actions.cancel_maintenance(window.pk, by=person(request), at=now())
    return _done(
        request, _page_of_window(request, ref), gettext("The maintenance is cancelled. What waited for it goes on.")
    )


def _window(request: HttpRequest, ref: int) -> MaintenanceWindow:
    seen = connection_reach_of(person(request)).seen
    window = MaintenanceWindow.objects.select_related("connection").filter(pk=ref, connection__in=seen).first()
    if window is None:
        raise Http404
    return window


@posted_from(_page_of)
def send_again(request: HttpRequest, ref: str) -> HttpResponse:
    found, _ = _connection(request, ref)
    actions.send_again(found.pk, by=person(request), at=now())
    return _done(request, _page_of(request, ref), shown(say("What waits for {found} is sent now.", found=found)))


@posted_from(_page_of_all)
def stop_all(request: HttpRequest, ref: str) -> HttpResponse:
    page = _page_of_all(request, ref)
    form = StopForm(request.POST)
    if not form.is_valid() and actions.may_stop_sending(person(request)):
        messages.error(request, gettext("Nothing was stopped. Say why; everybody who opens a page reads it."))
        return HttpResponseRedirect(page)
    actions.stop_all(by=person(request), at=now(), because=form.cleaned_data.get("because", ""))
    forget(request, request.path)
    return _done(request, page, gettext("All sending is stopped. What a worker had in its hands is finished."))


@posted_from(_page_of_all)
def resume_all(request: HttpRequest, ref: str) -> HttpResponse:
    actions.resume_all(by=person(request), at=now())
    return _done(
        request, _page_of_all(request, ref), gettext("Sending goes on. What was paused by itself stays paused.")
    )


def _done(request: HttpRequest, page: str, text: str) -> HttpResponseRedirect:
    forget(request, page)
    messages.success(request, text)
    return HttpResponseRedirect(page)
