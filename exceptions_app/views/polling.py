"""What a page asks for by itself from time to time, and when it stops: one that is left open does not ask for ever."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django_htmx.http import HttpResponseStopPolling, reswap, trigger_client_event

from exceptions_app.policies import NotPermitted
from exceptions_app.refusing import NOTHING_THERE, note_refusal
from exceptions_app.wording import say

STATE_SEEN = "seen"
"""The state that a page showed, in the address of its refresh: by it such a page is known to ask by itself."""
STOPPED = say(
    "This page is not kept up to date any more: what it shows is not there any more, or you may not see it any more."
)

_View = Callable[..., HttpResponse]


def stops_when_refused(*, always: bool = False, removes: bool = False) -> Callable[[_View], _View]:
    """Of a view that a page asks by itself: once it is refused, the page is told to stop, and says so, once.

    `always`: nothing else asks for this view than such a page. `removes`: the part of the page that asks goes with it.
    It is recorded as any refused attempt.
    """

    def decorate(view: _View) -> _View:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not (getattr(request, "htmx", None) and (always or STATE_SEEN in request.GET)):
                return view(request, *args, **kwargs)
            try:
                return view(request, *args, **kwargs)
            except Http404:
                note_refusal(request, NOTHING_THERE)
            except NotPermitted as error:
                note_refusal(request, error.reason)
            answer = reswap(HttpResponseStopPolling(), "delete" if removes else "none")
            return trigger_client_event(answer, "toast", {"text": STOPPED, "tone": "warning"})

        return wrapped

    return decorate
