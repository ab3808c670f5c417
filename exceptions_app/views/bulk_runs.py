"""Bulk runs: those that a person started, and how one stands, exception by exception."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.defaultfilters import floatformat
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_noop, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRefresh

from exceptions_app.actions.bulk_start import cancel_bulk, pause_bulk, resume_bulk
from exceptions_app.bulk_states import OUTCOME_WORDS, RunMoveNotAllowed, RunState
from exceptions_app.models import BulkRun
from exceptions_app.queries import bulk_runs as reads
from exceptions_app.views.addresses import PLACE, address
from exceptions_app.views.errors import changed_meanwhile
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.listing import page_of
from exceptions_app.views.polling import STATE_SEEN, stops_when_refused
from exceptions_app.views.posted import posted_from
from exceptions_app.views.replies import is_htmx
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import NOTHING_WAS_DONE, say, shown, told_by

POLL_EVERY = 2  # seconds, while it runs


@require_safe
@never_cache
@signed_in
def bulk_runs(request: HttpRequest) -> HttpResponse:
    """Those that I started, newest first."""
    notices: list[str] = []
    page = page_of(
        request,
        lambda cursor, direction: reads.bulk_page(person(request), cursor=cursor, direction=direction),
        notices,
    )
    context = {
        "rows": reads.rows_of_runs(page.rows),
        "notices": notices,
        "at": now(),
        "next_url": address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }
    return render(request, "exceptions/bulk_runs.html", context)


def _mine(request: HttpRequest, ref: str) -> BulkRun:
    found = reads.find_run(person(request), ref)
    if found is None:
        raise Http404
    return found


def _url_of(run: BulkRun) -> str:
    return reverse("exceptions:bulk_run", args=[run.ref])


def _page_of_run(request: HttpRequest, ref: str) -> str:
    return _url_of(_mine(request, ref))


@require_safe
@never_cache
@vary_on_headers("HX-Request")
@signed_in
@stops_when_refused()
def bulk_run(request: HttpRequest, ref: str) -> HttpResponse:
    run, notices = _mine(request, ref), list[str]()
    wanted = request.GET.get("items", "")
    wanted = wanted if wanted in OUTCOME_WORDS else ""
    reach = reach_for(request)
    page = page_of(
        request,
        lambda cursor, direction: reads.bulk_item_page(run, reach, state=wanted, cursor=cursor, direction=direction),
        notices,
    )
    progress = reads.progress_of_runs([run])[run.pk]
    context = {
        "run": run,
        "money": reads.money_of_run(run),
        "progress": progress,
        "time_left": _time_left(progress.seconds_left),
        "items": page.rows,
        "tabs": _tabs(request, progress, wanted),
        "moves": reads.moves_of(run),
        "notices": notices,
        "is_fragment": is_htmx(request),
        "poll_every": POLL_EVERY if run.state == RunState.RUNNING else 0,
        "poll_url": address(request, **{STATE_SEEN: run.state}, **{name: request.GET.get(name, "") for name in PLACE}),
        "next_url": _address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": _address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }
    if not is_htmx(request):
        return render(request, "exceptions/bulk_run.html", context)
    if request.GET.get(STATE_SEEN, run.state) != run.state:
        return HttpResponseClientRefresh()  # what may be done with it is another matter now
    return render(request, "exceptions/_bulk_progress.html", context)


def _time_left(seconds: int | None) -> str:
    if seconds is None:
        return ""
    if seconds < 60:
        return gettext("less than a minute left")
    minutes = -(-seconds // 60)
    told = ngettext("about a minute left", "about %(number)s minutes left", minutes)
    return told % {"number": minutes}


def _address(request: HttpRequest, **changes: str) -> str:
    """The page with something changed, without what only a refresh asks."""
    return address(request, **{STATE_SEEN: ""}, **changes)


def _tabs(request: HttpRequest, progress: reads.BulkProgress, wanted: str) -> list[dict[str, Any]]:
    everything = {
        "label": gettext("All"),
        "url": _address(request, items=""),
        "current": not wanted,
        "count": floatformat(progress.count, "0g"),
    }
    return [everything] + [
        {
            "label": capfirst(shown(words)),
            "url": _address(request, items=state),
            "current": state == wanted,
            "count": floatformat(progress.of(state), "0g"),
        }
        for state, words in OUTCOME_WORDS.items()
        if progress.of(state) or state == wanted
    ]


@require_safe
@never_cache
@login_required
def bulk_outcomes(request: HttpRequest, ref: str) -> HttpResponseBase:
    """What came of each exception, as CSV."""
    run = _mine(request, ref)
    return StreamingHttpResponse(
        reads.outcomes_as_csv(run, reach_for(request)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{run.ref}.csv"'},
    )


def _halting(move: Callable[..., BulkRun], done: str) -> Callable[[HttpRequest, str], HttpResponse]:
    @posted_from(_page_of_run)
    def view(request: HttpRequest, ref: str) -> HttpResponse:
        run = _mine(request, ref)
        try:
            run = move(run.pk, by=person(request), at=now())
        except RunMoveNotAllowed as error:
            return changed_meanwhile(request, told_by(error, NOTHING_WAS_DONE), back_url=_url_of(run))
        messages.success(request, shown(say(done, ref=run.ref)))
        return HttpResponseRedirect(_url_of(run))

    return view


pause = _halting(pause_bulk, gettext_noop("{ref} is paused. No further exception is begun."))
resume = _halting(resume_bulk, gettext_noop("{ref} goes on."))
cancel = _halting(cancel_bulk, gettext_noop("{ref} is cancelled. What was done stays done."))
