import re
import uuid
import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.problems import plain_problem
from workbench.errors import PROGRAMS
from workbench.logs import request_id
from workbench.proofs import OWED
from workbench.sessions import note_seen

# What a caller may choose: long enough for a UUID or a trace id, and nothing that could forge a log line.
ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")


class RequestIDMiddleware:
    """Take X-Request-ID from the caller or make one, put it into the log lines and send it back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.headers.get("X-Request-ID", "")
        identifier = offered if ACCEPTABLE_ID.fullmatch(offered) else str(uuid.uuid4())
        token = request_id.set(identifier)
        request.META["REQUEST_ID"] = identifier
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
        response["X-Request-ID"] = identifier
        return response


class NoDetourMiddleware:
    """A program that asks without TLS is refused, where a browser is led to it.

    Led there, it would send its token and its documents in clear each time, and nobody would notice.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SECURE_SSL_REDIRECT and not request.is_secure() and request.path.startswith(PROGRAMS):
            detail = "This address is spoken to over HTTPS. A token that was sent without it is no secret any more."
            return plain_problem(request, kinds.NOT_PERMITTED, detail=detail)
        return self.get_response(request)


class NotKeptMiddleware:
    """What is answered is for who asked, now: no browser and no proxy keeps it, unless its view says so.

    Files of the program come before this and say how long they are good for. TRACE is a question about the way
    between two programs, which nothing here has an answer to.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method == "TRACE":
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class TimeZoneMiddleware:
    """Show times, and read the ones that are typed, in the zone of the person who is signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(_zone_of(getattr(request.user, "time_zone", ""))):
            return self.get_response(request)


class SecondFactorMiddleware:
    """Who owes a second factor sets one up before anything else; what was signed in otherwise is not asked."""

    # The way to set one up, and the way out.
    open_pages = ("second_factor_set_up", "passkey_add", "prove", "logout")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.session.get(OWED) or request.path in map(reverse, self.open_pages):
            return self.get_response(request)
        if request.path.startswith(PROGRAMS):
            detail = "A second factor is demanded of your account. Set one up at /accounts/second-factor/ first."
            return plain_problem(request, kinds.NOT_PERMITTED, detail=detail)
        return HttpResponseRedirect(reverse("second_factor_set_up"))


class SeenMiddleware:
    """Note now and then that a session is in use, so that people can tell theirs from one they left somewhere."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        note_seen(request, at=timezone.now())
        return self.get_response(request)


def _zone_of(name: str) -> zoneinfo.ZoneInfo | None:
    """The zone of that IANA name; None, which is the zone of the installation, for one unknown here."""
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
