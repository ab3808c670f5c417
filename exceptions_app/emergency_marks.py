"""While somebody's emergency lasts, every event of theirs says so: in its data, as `"emergency": "EM-3"`.

An account says of itself whether an emergency of its lasts, so that a request needs no further query for it. A worker
acts for many accounts: it asks once, when the first event of a person is written.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse

from audit import log
from exceptions_app.machines import PREFIX

KEY = "emergency"
_NO_MARK: Mapping[str, object] = {}


def emergency_of(account: Any, *, at: datetime) -> str:
    """The reference of the emergency that the account is in at that moment; empty when it is in none."""
    until = getattr(account, "emergency_until", None)
    return str(account.emergency) if until is not None and until > at else ""


class EmergencyMiddleware:
    """Stands where the account is known, and around everything that writes events."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with log.marked_by(lambda entry: _mark_of(request, entry)):
            return self.get_response(request)


def _mark_of(request: HttpRequest, entry: log.Entry) -> Mapping[str, object]:
    if entry.actor.startswith(PREFIX):
        return _NO_MARK
    account = request.user  # of the API, whom the token is for
    is_theirs = account.is_authenticated and account.get_username() == entry.actor
    return _marked(emergency_of(account, at=entry.at)) if is_theirs else _NO_MARK


@contextmanager
def marked_as_running() -> Iterator[None]:
    """The same for what a worker or a command does in the name of people."""
    known: dict[str, Any] = {}

    def marks(entry: log.Entry) -> Mapping[str, object]:
        if entry.actor.startswith(PREFIX):
            return _NO_MARK
        if not known:
            found = get_user_model().objects.filter(emergency_until__isnull=False)
            known.update({"": None} | {one.get_username(): one for one in found})
        return _marked(emergency_of(known.get(entry.actor), at=entry.at))

    with log.marked_by(marks):
        yield


def _marked(ref: str) -> Mapping[str, object]:
    return {KEY: ref} if ref else _NO_MARK
