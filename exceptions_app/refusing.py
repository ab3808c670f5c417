"""The last that is done with a request that was refused: it leaves an event, whatever view or address refused it.

It is seen by its answer, 403 or 404. Why it was refused is noted by whoever writes the answer, and so is a refusal
that is answered otherwise, such as one item of many. The event is written when the view and its transaction are over,
so what undoes the one does not undo the other. A request that is allowed costs nothing here.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now

from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.mover import scope_of
from exceptions_app.actions.refused import LONGEST_REFERENCE, Refused, record_refused
from exceptions_app.actions.retyping import NotTypedAgain
from exceptions_app.models import ExceptionCase
from exceptions_app.policies import NotPermitted

log = logging.getLogger(__name__)

_PROGRAMS = ("/api/", "/hooks/", "/scim/")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_DETAILS = "They typed other bank details of the payee than those that would be sent."
NOTHING_THERE = "Nothing that they may see is at this address."


def note_refusal(
    request: Any, reason: str, *, about: str = "", move: str = "", case: ExceptionCase | None = None
) -> None:
    """Note why this request, or one thing of many in it, is refused."""
    noted = {"reason": reason, "about": about, "move": move, "case": case}
    vars(_plain(request)).setdefault("refusals", []).append(noted)


def note_refused_move(request: Any, error: Exception, *, case: ExceptionCase | None = None) -> None:
    """The same of what an action raised, when it is for want of a right that it did."""
    if isinstance(error, NotPermitted):
        note_refusal(request, error.reason, about=case.ref if case is not None else "", case=case)


def note_typed_otherwise(request: Any, error: NotTypedAgain, *, case: ExceptionCase) -> None:
    """Note that whoever approves typed another account than the one that would be paid: it is how fraud is found."""
    if error.is_other:
        note_refusal(request, OTHER_DETAILS, about=case.ref, move="approve", case=case)


def is_no_refusal(request: Any) -> None:
    """Note that the answer asks for something first, such as a proof of who it is, and refuses nothing."""
    vars(_plain(request))["is_no_refusal"] = True


class RefusedMiddleware:
    """Stands where the session is known, and around everything that refuses."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        of_session = request.user  # read when it is asked for; the API forgets it where a session lacks its token
        response = self.get_response(request)
        noted = vars(request)
        refused = response.status_code in (403, 404) and request.resolver_match is not None
        if (refused or "refusals" in noted) and not noted.get("is_no_refusal", False):
            by = request.user if request.user.is_authenticated else of_session
            if isinstance(by, AbstractUser) and by.is_authenticated:
                _leave_event(request, response, by)
        return response


def _leave_event(request: HttpRequest, response: HttpResponse, by: AbstractUser) -> None:
    attempts = _attempts(request, response)
    identifier = str(request.META.get("REQUEST_ID", ""))
    try:
        record_refused(attempts, by=by, at=now(), correlation_id=identifier)
    except (DatabaseError, InterfaceError):
        # It stays refused all the same, and the process's log has what the trail has not.
        log.exception("%s was refused without an event: %s", by.get_username(), attempts)


def _attempts(request: HttpRequest, response: HttpResponse) -> list[Refused]:
    found = request.resolver_match
    method = request.method if request.method in _METHODS else "OTHER"
    address = (found.view_name if found is not None else "") or "an address without a name"
    token = getattr(getattr(request, "auth", None), "name", "")
    via = "API" if request.path.startswith(_PROGRAMS) else "page"
    otherwise = NOTHING_THERE if response.status_code == 404 else "They may not do this."
    noted: list[dict[str, Any]] = vars(request).get("refusals") or [{"reason": otherwise}]
    attempts = []
    for one in noted:
        case = one["case"] if one.get("about") else _case_of(request)
        attempts.append(
            Refused(
                what=" ".join(filter(None, (method, address, one.get("move")))),
                via=via,
                reason=one["reason"] or otherwise,
                about=one.get("about") or _asked_for(request, case),
                scope=scope_of(case) if case is not None else SCOPE,
                status=response.status_code,
                token=token if isinstance(token, str) else "",
            )
        )
    return attempts


def _case_of(request: HttpRequest) -> ExceptionCase | None:
    """The one exception of which the answer speaks: whoever it speaks to may see it."""
    cases: dict[int, ExceptionCase] = vars(request).get("spoken_of", {})
    return next(iter(cases.values())) if len(cases) == 1 else None


def _asked_for(request: HttpRequest, case: ExceptionCase | None) -> str:
    """What stands in the address, as it was written; of an exception that they may see, its reference."""
    found = request.resolver_match
    captured: dict[str, object] = getattr(found, "captured_kwargs", None) or {}
    written = {name: str(value) for name, value in captured.items()}
    if case is not None and "ref" in written:
        written["ref"] = case.ref
    return " ".join(value[: LONGEST_REFERENCE + 1] for value in written.values())


def _plain(request: Any) -> HttpRequest:
    """Django's own request, also below that of the API."""
    plain: HttpRequest = getattr(request, "_request", request)
    return plain
