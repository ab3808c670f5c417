"""Sources that are fetched from: how they are, and pausing, resuming and pulling now. And numbers that are missing."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions import pull_sources as actions
from exceptions_app.actions.intake_failures import may_not_tend
from exceptions_app.actions.mover import Invalid
from exceptions_app.queries import pull_sources as reads
from exceptions_app.queries.connection_reach import ConnectionReach, connection_reach_of
from exceptions_app.targets import without_secrets
from exceptions_app.views.errors import changed_meanwhile
from exceptions_app.views.intake_failures import SetAsideForm
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person
from exceptions_app.wording import say, shown, together
from integrations.inbox import MessageRefused
from integrations.models import PullSource, SequenceGap

_SHOWN_CURSOR = 40  # characters


class PauseSourceForm(forms.Form):
    use_required_attribute = False
    because = forms.CharField(
        label=gettext_lazy("Why nothing shall be fetched"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Shown to everybody who sees this source."),
        error_messages={"required": gettext_lazy("Say why, for example: the partner moves its server until Monday.")},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A source in a list."""

    source: PullSource
    where: str
    cursor: str


def row_of(source: PullSource) -> SourceRow:
    return SourceRow(source=source, where=where(source), cursor=shown_cursor(source))


def where(source: PullSource) -> str:
    """Where it is, without anything that could be secret."""
    settings = source.settings if isinstance(source.settings, dict) else {}
    if source.kind == PullSource.Kind.REST:
        return without_secrets(str(settings.get("url", "")))
    return f"sftp://{settings.get('host', '')}:{settings.get('port', 22)}/{str(settings.get('folder', '')).lstrip('/')}"


def shown_cursor(source: PullSource) -> str:
    text = str(source.cursor.get("cursor", ""))
    return text if len(text) <= _SHOWN_CURSOR else f"{text[:_SHOWN_CURSOR]}…"


@require_safe
@never_cache
@signed_in
def pull_source(request: HttpRequest, ref: str) -> HttpResponse:
    source, reach = _source(request, ref)
    form = PauseSourceForm(initial=dict(interrupted_at(request, request.path).typed))
    return _detail(request, source, reach, form)


def _source(request: HttpRequest, ref: str) -> tuple[PullSource, ConnectionReach]:
    """The source, when the person has to do with its connection; 404 otherwise, as if it were not there."""
    reach = connection_reach_of(person(request))
    found = reads.find_source(ref, reach.seen)
    if found is None:
        raise Http404
    return found, reach


def _page_of_source(request: HttpRequest, ref: str) -> str:
    return reverse("exceptions:pull_source", args=[_source(request, ref)[0].slug])


def _detail(
    request: HttpRequest, source: PullSource, reach: ConnectionReach, form: PauseSourceForm, *, status: int = 200
) -> HttpResponse:
    connection = source.connection
    gaps = reads.open_gaps_of(source)
    waiting = reads.files_waiting_at(source, at=now())
    context: dict[str, Any] = {
        "source": source,
        "row": row_of(source),
        "connection": connection,
        "form": form,
        "gaps": gaps[: reads.MOST_GAPS],
        "more_gaps": len(gaps) > reads.MOST_GAPS,
        "sees_failures": connection.pk in reach.cared_for,
        "waiting": waiting[: reads.MOST_FILES] if connection.pk in reach.cared_for else [],
        "number_waiting": len(waiting),
        "may_configure": connection.pk in reach.configured,
        "why_not": shown(
            say(
                "It needs the permission to configure {connection}. An administrator can grant it.",
                connection=connection,
            )
        ),
        "admin_url": (
            reverse("admin:integrations_pullsource_change", args=[source.pk]) if person(request).is_staff else ""
        ),
        "trail": [
            {"label": gettext("Connections"), "url": reverse("exceptions:connections")},
            {"label": connection.name, "url": reverse("exceptions:connection", args=[connection.slug])},
        ],
    }
    return render(request, "exceptions/pull_source.html", context, status=status)


@posted_from(_page_of_source)
def pause(request: HttpRequest, ref: str) -> HttpResponse:
    source, reach = _source(request, ref)
    form = PauseSourceForm(request.POST)
    if not form.is_valid() and source.connection_id in reach.configured:
        return _detail(request, source, reach, form, status=422)
    actions.pause_source(source.pk, by=person(request), at=now(), because=form.cleaned_data.get("because", ""))
    return _done(
        request, source, shown(say("{source} is paused. Nothing is fetched until it is resumed.", source=source))
    )


@posted_from(_page_of_source)
def resume(request: HttpRequest, ref: str) -> HttpResponse:
    source, _ = _source(request, ref)
    actions.resume_source(source.pk, by=person(request), at=now())
    return _done(request, source, shown(say("{source} runs again. It goes on where it was.", source=source)))


@posted_from(_page_of_source)
def pull_now(request: HttpRequest, ref: str) -> HttpResponse:
    source, _ = _source(request, ref)
    try:
        actions.pull_now(source.pk, by=person(request), at=now())
    except Invalid as refused:
        return changed_meanwhile(request, shown(refused.problem), back_url=_page_of_source(request, ref))
    return _done(request, source, shown(say("{source} is fetched from within seconds.", source=source)))


def _done(request: HttpRequest, source: PullSource, text: str) -> HttpResponseRedirect:
    page = reverse("exceptions:pull_source", args=[source.slug])
    forget(request, page)
    messages.success(request, text)
    return HttpResponseRedirect(page)


@require_safe
@never_cache
@signed_in
def gap(request: HttpRequest, ref: int) -> HttpResponse:
    found, reach = _gap(request, ref)
    return _gap_page(request, found, reach, SetAsideForm(initial=dict(interrupted_at(request, request.path).typed)))


def _gap(request: HttpRequest, ref: int) -> tuple[SequenceGap, ConnectionReach]:
    """The gap, when its connection is in the person's care; 404 otherwise, as if it were not there."""
    reach = connection_reach_of(person(request))
    found = reads.find_gap(ref, reach.cared_for)
    if found is None:
        raise Http404
    return found, reach


def _page_of_gap(request: HttpRequest, ref: int) -> str:
    return reverse("exceptions:sequence_gap", args=[_gap(request, ref)[0].pk])


def _gap_page(
    request: HttpRequest, found: SequenceGap, reach: ConnectionReach, form: SetAsideForm, *, status: int = 200
) -> HttpResponse:
    connection = found.source.connection
    may_act = connection.pk in reach.tended
    context = {
        "gap": found,
        "source": found.source,
        "connection": connection,
        "form": form,
        "asks_again": bool(found.source.settings.get("gap_url")),
        "may_act": may_act,
        "why_not": "" if may_act else may_not_tend(connection),
        "trail": [{"label": gettext("Intake failures"), "url": reverse("exceptions:intake_failures")}],
    }
    return render(request, "exceptions/sequence_gap.html", context, status=status)


@posted_from(_page_of_gap)
def set_gap_aside(request: HttpRequest, ref: int) -> HttpResponse:
    found, reach = _gap(request, ref)
    page = reverse("exceptions:sequence_gap", args=[found.pk])
    form = SetAsideForm(request.POST)
    if not form.is_valid() and found.source.connection_id in reach.tended:
        return _gap_page(request, found, reach, form, status=422)
    try:
        actions.set_gap_aside(found.pk, by=person(request), at=now(), because=form.cleaned_data.get("because", ""))
    except MessageRefused as refused:
        return changed_meanwhile(request, shown(together(refused.problem, refused.remedy)), back_url=page)
    forget(request, page)
    messages.success(
        request,
        shown(
            say(
                "The gap {found} is set aside. When the items come after all, they are taken in.",
                found=reads.numbers_of(found),
            )
        ),
    )
    return HttpResponseRedirect(page)
