"""Who else is at an exception and what they did since its page was opened, asked for by the page from time to time.

The page of somebody whose sign-in has ended asks as well. It is told so and stays as it is, with what is typed on it;
once they are signed in again, in whatever tab, the answer brings the token with which its forms can be sent.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware, now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from django_htmx.http import HttpResponseStopPolling, reswap

from audit.canonical import timestamp
from audit.queries import LogEntry
from exceptions_app.actions.presence import be_seen, forget_where
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.case_page import events_after, full_names
from exceptions_app.queries.presence import BEAT, REMEMBERED_FOR, others_at
from exceptions_app.views.case_history import event_rows
from exceptions_app.views.polling import stops_when_refused
from exceptions_app.views.scope import person, visible_case

MOST_EVENTS = 3
MOST_LABELS = 4
TOKEN_HEADER = "X-Form-Token"  # noqa: S105 - the name of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What somebody did meanwhile; of a correction with the names of the fields."""

    who: str
    sentence: str
    at: datetime
    labels: Sequence[str] = ()
    further_labels: int = 0


def presence_url(case: ExceptionCase, user: AbstractUser, *, known: str = "") -> str:
    """Where a page asks. It says whose page it is, how old, and what it shows already."""
    asked = {"of": user.pk, "changed": timestamp(case.changed_at), **({"known": known} if known else {})}
    return f"{reverse('exceptions:presence', kwargs={'ref': case.ref})}?{urlencode(asked)}"


@require_GET
@never_cache
@stops_when_refused(always=True, removes=True)
def presence(request: HttpRequest, ref: str) -> HttpResponse:
    """The part of the page that says it; 204 while it has that already, and 286 when the exception is closed."""
    if not request.user.is_authenticated:
        return _nobody_there(request, ref, "signed_out")
    if request.GET.get("of") != str(request.user.pk):
        return _nobody_there(request, ref, "somebody_else")
    case, at = visible_case(request, ref), now()
    known = request.GET.get("known", "")
    if not known:
        forget_where(person(request), before=at - REMEMBERED_FOR)
    be_seen(case.pk, by=person(request), at=at)
    others = others_at(case.pk, person=person(request), at=at)
    seen = _moment(request.GET.get("changed", ""))
    events = events_after(case, seen) if seen is not None and case.changed_at > seen else []
    shows = _name_of((one.person.pk, one.is_here, one.is_editing) for one in others), _name_of(e.id for e in events)
    response = HttpResponse(status=204) if case.is_open else reswap(HttpResponseStopPolling(), "none")
    if known != "-".join(shows):
        asked = request.GET.copy()
        asked["known"] = "-".join(shows)
        context = {
            "url": f"{request.path}?{asked.urlencode()}",
            "others": others,
            "deeds": _deeds(events),
            "further": max(0, len(events) - MOST_EVENTS),
            "case_url": reverse("exceptions:case", kwargs={"ref": case.ref}),
            "now": at,
        }
        response = _render(request, context)
    response.headers[TOKEN_HEADER] = get_token(request)
    return response


def _nobody_there(request: HttpRequest, ref: str, why: str) -> HttpResponse:
    """Nothing of the exception, since it is not known whether this person may see it."""
    if request.GET.get("known") == why:
        return HttpResponse(status=204)
    asked = request.GET.copy()
    asked["known"] = why
    back_to = urlencode({"next": reverse("exceptions:case", kwargs={"ref": ref})})
    context = {
        "url": f"{request.path}?{asked.urlencode()}",
        "why": why,
        "sign_in_url": f"{resolve_url(settings.LOGIN_URL)}?{back_to}",
    }
    return _render(request, context)


def _render(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    context["beat"] = round(BEAT.total_seconds())
    return render(request, "exceptions/_case_presence.html", context)


def _name_of(parts: Any) -> str:
    """Short, and another one when anything of it differs."""
    return hashlib.sha256(repr(list(parts)).encode()).hexdigest()[:10]


def _moment(text: str) -> datetime | None:
    """In UTC; None for what no page of ours says, such as a day before the first one or an offset beyond a day's."""
    try:
        moment = parse_datetime(text)
        return moment.astimezone(UTC) if moment is not None and is_aware(moment) else None
    except (ValueError, OverflowError):
        return None


def _deeds(events: Sequence[LogEntry]) -> list[Deed]:
    """The newest first."""
    newest = events[-MOST_EVENTS:]
    rows = event_rows(newest, full_names({event.actor for event in newest}))
    by_place = sorted(newest, key=lambda event: (event.at, event.id), reverse=True)
    deeds = []
    for event, row in zip(by_place, rows, strict=True):
        labels = _labels(event)
        deeds.append(
            Deed(
                who=row.actor,
                sentence=row.sentence,
                at=row.at,
                labels=labels[:MOST_LABELS],
                further_labels=max(0, len(labels) - MOST_LABELS),
            )
        )
    return deeds


def _labels(event: LogEntry) -> list[str]:
    changes = event.data.get("changes")
    if not isinstance(changes, list):
        return []
    return list(dict.fromkeys(str(change.get("label", "")) for change in changes if isinstance(change, dict)))
