"""The connected systems: whether they run, what waits there, what each promises, and how to stop one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_lazy, gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions import connections as actions
from exceptions_app.actions.sending import may_stop_sending
from exceptions_app.queries import connections as reads
from exceptions_app.queries.batches import recent_batches
from exceptions_app.queries.connection_reach import ConnectionReach, connection_reach_of
from exceptions_app.queries.field_maps import map_states
from exceptions_app.queries.pull_sources import sources_of
from exceptions_app.queries.sending import windows_of
from exceptions_app.queries.transactions import recent_of, sight_within
from exceptions_app.targets import without_secrets
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.posted import posted_from
from exceptions_app.views.pull_sources import row_of
from exceptions_app.views.scope import person, reach_for
from exceptions_app.views.sending import StopForm
from exceptions_app.views.spelled import one_of, seconds, span
from exceptions_app.views.transactions import Row, rows_of
from exceptions_app.wording import say, shown
from integrations import delivery as engine
from integrations.connectors.base import Capabilities, Ordering, TargetKind, Throttle, WaitIn
from integrations.connectors.held import ShowsContent
from integrations.connectors.registry import CONNECTORS, UnknownConnector
from integrations.folder import folder_of
from integrations.left_lying import LeftLying, left_lying
from integrations.models import Connection, Delivery
from integrations.promises import effective_capabilities

MISSING_REACH = say(
    "You may not see any connection. A connection is shown to whoever has a role on a queue that it leads to, "
    "and to whoever was granted something on the connection itself."
)
MOST_LYING = 20  # files that are named on the page
_PERMISSION = say("any role on a queue, or configure_connection on a connection")
_KINDS = {
    TargetKind.DEDUPLICATES: gettext_noop(
        "Recognises a repeat by the key that is sent with it, so that sending again is safe."
    ),
    TargetKind.UPSERTS: gettext_noop("Keeps one document per business key, so that sending again changes nothing."),
    TargetKind.ASKABLE: gettext_noop("Can only be asked whether it has the document."),
    TargetKind.NEITHER: gettext_noop(
        "Neither recognises a repeat nor answers questions: a person decides about every resend."
    ),
}
_ORDERINGS = {
    Ordering.ANY: gettext_noop("in any order"),
    Ordering.SAME_OBJECT: gettext_noop("changes of one object in the order in which they were made"),
}


class PauseForm(forms.Form):
    use_required_attribute = False
    because = forms.CharField(
        label=gettext_lazy("Why nothing shall be sent"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Shown to everybody who sees this connection."),
        error_messages={
            "required": gettext_lazy("Say why, for example: the tax authority announced maintenance until 18:00.")
        },
    )


@require_safe
@never_cache
@signed_in
def connections(request: HttpRequest) -> HttpResponse:
    reach = connection_reach_of(person(request))
    if not reach.seen:
        return not_permitted(request, MISSING_REACH, permission=_PERMISSION)
    rows = list(reads.connections_with_state(reach.seen, at=now()))
    holds = engine.holds_on(reach.seen)
    context = {
        "rows": [(found, _connector_title(found), found.pk in reach.cared_for, holds.get(found.pk)) for found in rows],
        "paused": sum(found.is_paused for found in rows),
        "days": reads.RECENTLY.days,
        "stop": engine.stop_in_force(),
        "stop_form": StopForm(initial=dict(interrupted_at(request, reverse("exceptions:sending_stop")).typed)),
        "may_stop": may_stop_sending(person(request)),
    }
    return render(request, "exceptions/connections.html", context)


@require_safe
@never_cache
@signed_in
def connection(request: HttpRequest, ref: str) -> HttpResponse:
    found, reach = _connection(request, ref)
    return _detail(request, found, reach, PauseForm(initial=dict(interrupted_at(request, request.path).typed)))


def _connection(request: HttpRequest, ref: str) -> tuple[Connection, ConnectionReach]:
    """The connection, when the person has to do with it; 404 otherwise, as if it were not there."""
    reach = connection_reach_of(person(request))
    found = reads.connections_with_state(reach.seen, at=now()).filter(slug=ref).first()
    if found is None:
        raise Http404
    return found, reach


def _page_of_connection(request: HttpRequest, ref: str) -> str:
    return reverse("exceptions:connection", args=[_connection(request, ref)[0].slug])


def _detail(
    request: HttpRequest, found: Connection, reach: ConnectionReach, form: PauseForm, *, status: int = 200
) -> HttpResponse:
    may_configure, sees_failures = found.pk in reach.configured, found.pk in reach.cared_for
    context: dict[str, Any] = {
        "connection": found,
        "form": form,
        "may_configure": may_configure,
        "why_not": shown(
            say("It needs the permission to configure {found}. An administrator can grant it.", found=found)
        ),
        "sees_failures": sees_failures,
        "connector_title": _connector_title(found),
        "promises": _promises(found),
        "folder": _folder(found, in_full=may_configure or person(request).is_staff, with_names=sees_failures),
        "target": without_secrets(found.target_url),
        "write_back": without_secrets(found.write_back_url),
        "routes": reads.routes_of(found),
        "maps": map_states(found),
        "sources": [row_of(source) for source in sources_of(found)],
        "transactions": _transactions(request, found),
        "deliveries": reads.recent_deliveries(found, person(request)),
        "batches": recent_batches(found) if sees_failures else [],
        "days": reads.RECENTLY.days,
        "hold": engine.hold_on(found.pk),
        "tell_hold": engine.hold_on(found.pk, Delivery.Operation.WRITE_BACK),
        "windows": windows_of(found, at=now()),
        "admin_url": _admin_url(request, found),
        "trail": [{"label": gettext("Connections"), "url": reverse("exceptions:connections")}],
    }
    return render(request, "exceptions/connection.html", context, status=status)


def _transactions(request: HttpRequest, found: Connection) -> list[Row]:
    sight = sight_within(reach_for(request), person(request))
    return rows_of(recent_of(sight, found), sight)


def _admin_url(request: HttpRequest, found: Connection) -> str:
    return reverse("admin:integrations_connection_change", args=[found.pk]) if person(request).is_staff else ""


def _connector_title(found: Connection) -> str:
    connector = CONNECTORS.get(found.connector)
    if connector is None:
        return shown(say("{connector} (not installed)", connector=found.connector))
    return shown(connector.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What a target promises, in words."""

    kind: str
    resend: str
    together: str
    looked_up_by: str
    settle_time: str
    key_life: str
    check: str
    already_exists: str
    throttling: tuple[str, ...]
    ordering: str
    correction: str
    listing: str
    content: str


def _promises(found: Connection) -> Promises | None:
    """None when no connector of that name is installed."""
    try:
        promised = effective_capabilities(found)
    except UnknownConnector:
        return None
    words = promises_in_words(
        promised,
        resends=found.resend_when_absent,
        waits=seconds(found.collect_seconds) if found.collect_seconds else "",
    )
    if promised.target_kind is CONNECTORS[found.connector].capabilities.target_kind:
        return words
    return replace(
        words, kind=shown(say("{kind} Set on this connection; its connector declares more.", kind=words.kind))
    )


def promises_in_words(declared: Capabilities, *, resends: bool, waits: str = "") -> Promises:
    """`waits` says how long an approved document waits for others, empty when each travels alone."""
    own, ours = gettext("the target's own check"), gettext("a check of ours, which the target may not share")
    return Promises(
        kind=shown(_KINDS[declared.target_kind]),
        resend=_resend(declared.target_kind, resends=resends),
        together=_together(declared.bundles, waits),
        looked_up_by=shown(declared.looked_up_by),
        settle_time=span(declared.settle_time),
        key_life=span(declared.key_life) if declared.key_life else gettext("no end declared"),
        check=f"{shown(declared.check_name)}; {own if declared.checks_natively else ours}",
        already_exists=one_of(declared.already_exists) or gettext("it does not say so"),
        throttling=tuple(map(_throttling, declared.throttles)) or (gettext("never, as far as is known"),),
        ordering=shown(_ORDERINGS[declared.ordering]),
        correction=shown(declared.correction_envelope) or gettext("nothing: it keeps its number and its name"),
        listing=gettext("yes") if declared.lists_what_it_has else gettext("no"),
        content=shown(_SHOWN[declared.shows_content]),
    )


_SHOWN = {
    ShowsContent.WHOLE: gettext_noop("the whole document"),
    ShowsContent.FIELDS: gettext_noop("some of its fields"),
    ShowsContent.HASH: gettext_noop("the hash of its bytes, and no content"),
    ShowsContent.NOTHING: gettext_noop("nothing of its content"),
}


def _resend(kind: TargetKind, *, resends: bool) -> str:
    if kind is TargetKind.NEITHER:
        return gettext("Only when a person decides it.")
    if kind is TargetKind.ASKABLE and not resends:
        return gettext("Only when a person decides it; this connection has not opted in.")
    return gettext("By itself, once the target was asked and has nothing and its settle time has passed.")


def _together(most: int, waits: str) -> str:
    if most == 1:
        return gettext("One at a time.")
    if not waits:
        return shown(say("Up to {most} in one file; on this connection each travels alone.", most=most))
    return shown(
        say("Up to {most} in one file; the first that is approved waits {waits} for others.", most=most, waits=waits)
    )


def _throttling(way: Throttle) -> str:
    """What `in_words` says of it, in the reader's language."""
    if way.wait_in is WaitIn.TEXT:
        template = gettext("{status} {code} with a text that says when to try again")
        return template.format(status=way.status, code=way.code)
    return gettext("{status} {code} with {header}").format(status=way.status, code=way.code, header=way.wait_in.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedFolder:
    """Where files are dropped, and what lies there too long; `problem` is set when the folder cannot be used.

    `number` counts what is in `lying`, which is empty for who may not see the names of documents.
    """

    path: str
    problem: str = ""
    lying: Sequence[LeftLying] = ()
    number: int = 0
    since: datetime | None = None


def _folder(found: Connection, *, in_full: bool, with_names: bool) -> WatchedFolder | None:
    if not found.watched_folder:
        return None
    try:
        path: Path = folder_of(found)
        lying = left_lying(found, at=now())
    except (ValueError, OSError) as error:
        return WatchedFolder(path=found.watched_folder, problem=getattr(error, "strerror", None) or str(error))
    return WatchedFolder(
        path=str(path) if in_full else shown(say("{folder}/ below the intake folder", folder=found.watched_folder)),
        lying=lying[:MOST_LYING] if with_names else (),
        number=len(lying),
        since=lying[0].since if lying else None,
    )


@posted_from(_page_of_connection)
def pause(request: HttpRequest, ref: str) -> HttpResponse:
    found, reach = _connection(request, ref)
    form = PauseForm(request.POST)
    if not form.is_valid() and found.pk in reach.configured:
        return _detail(request, found, reach, form, status=422)
    actions.pause(found.pk, by=person(request), at=now(), because=form.cleaned_data.get("because", ""))
    return _done(
        request, found, shown(say("{found} is paused. Nothing is sent there until it is resumed.", found=found))
    )


@posted_from(_page_of_connection)
def resume(request: HttpRequest, ref: str) -> HttpResponse:
    found, _ = _connection(request, ref)
    actions.resume(found.pk, by=person(request), at=now())
    return _done(request, found, shown(say("{found} runs again. What was waiting is sent now.", found=found)))


def _done(request: HttpRequest, found: Connection, text: str) -> HttpResponseRedirect:
    page = reverse("exceptions:connection", args=[found.slug])
    forget(request, page)
    messages.success(request, text)
    return HttpResponseRedirect(page)
