"""The sessions of people: which there are, and how they are ended. Ending one is an event."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare, salted_hmac

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.grants import require_administrator
from exceptions_app.actions.mover import Invalid
from exceptions_app.callers import client_address
from exceptions_app.machines import is_machine
from workbench.models import Session
from workbench.session_store import FROM, SessionStore, stored_key

SEEN_EVERY = timedelta(minutes=5)
"""How exact "last seen" is: a busy person would otherwise write the row with every request."""
# The first that fits: most browsers name others beside themselves.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox|FxiOS", "Firefox"),
    ("Chrom|CriOS", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone|iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session as a page shows it. `name` tells it from others and opens nothing, unlike its key."""

    name: str
    opened_at: datetime
    seen_at: datetime
    address: str
    browser: str
    is_this: bool


def note_where(request: HttpRequest) -> None:
    """Keep with the session that was just opened where it was opened from."""
    words = browser_in_words(request.headers.get("User-Agent", ""))
    request.session[FROM] = {"address": client_address(request), "browser": words}


def note_seen(request: HttpRequest, *, at: datetime) -> None:
    """Say in the session's row that it is still in use; once in a while, and for people alone."""
    session = request.session
    if not isinstance(session, SessionStore) or session.last_seen_at is None:
        return
    if at - session.last_seen_at >= SEEN_EVERY:
        row = Session.objects.filter(session_key=stored_key(session.session_key or ""))
        row.update(seen_at=at, address=client_address(request))


def sessions_of(person: AbstractUser, *, this: str, at: datetime) -> list[Opened]:
    """Where the person is signed in; `this` is the key of the session that asks. One query."""
    ours = stored_key(this)
    return [
        Opened(name_of(row.session_key), row.opened_at, row.seen_at, row.address, row.browser, row.session_key == ours)
        for row in _open(person, at=at).order_by("-seen_at", "session_key")
        if row.opened_at is not None and row.seen_at is not None
    ]


@transaction.atomic
def end_own(person: AbstractUser, *, named: str, at: datetime) -> int:
    """End one of the person's sessions; 0 when it has ended already."""
    keys = [row.session_key for row in _open(person, at=at) if constant_time_compare(name_of(row.session_key), named)]
    return _end(person, keys, by=person, at=at, words=f"{person} ended one of their sessions.")


@transaction.atomic
def end_others(person: AbstractUser, *, this: str, at: datetime) -> int:
    """End all sessions of the person but the one that asks; returns how many there were."""
    keys = list(_open(person, at=at).exclude(session_key=stored_key(this)).values_list("session_key", flat=True))
    return _end(person, keys, by=person, at=at, words=f"{person} ended their other sessions.")


@transaction.atomic
def end_all(person: AbstractUser, *, by: AbstractUser, at: datetime, because: str) -> int:
    """End every session of a person, from the next request on. Raises NotPermitted, Invalid."""
    require_administrator(by)
    if not because.strip():
        raise Invalid("because", "Say why; the person will ask.")
    keys = list(_open(person, at=at).values_list("session_key", flat=True))
    return _end(person, keys, by=by, at=at, words=f"{by} ended all sessions of {person}.", because=because)


def clear_expired(*, at: datetime) -> int:
    """Delete the rows of sessions that are over, of people and of nobody; returns how many. They open nothing more."""
    deleted, _ = Session.objects.filter(expire_date__lte=at).delete()
    return deleted


def name_of(stored: str) -> str:
    """Of what is stored of a session's key."""
    return salted_hmac("workbench.sessions", stored, algorithm="sha256").hexdigest()[:16]


def browser_in_words(user_agent: str) -> str:
    """As people call it: "Firefox on Windows". What is not known is not guessed at."""
    browser = _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "Another program"


def _first(known: tuple[tuple[str, str], ...], text: str) -> str:
    return next((words for pattern, words in known if re.search(pattern, text)), "")


def _open(person: AbstractUser, *, at: datetime) -> QuerySet[Session]:
    return Session.objects.filter(user_id=person.pk, expire_date__gt=at)


def _end(
    person: AbstractUser, keys: list[str], *, by: AbstractUser, at: datetime, words: str, because: str = ""
) -> int:
    ended, _ = Session.objects.filter(session_key__in=keys).delete()
    if ended:
        log.record(
            "person.sessions_ended",
            subject=f"person:{person.get_username()}",
            scope=SCOPE,
            actor=by.get_username(),
            actor_kind="machine" if is_machine(by) else "person",
            at=at,
            summary=words,
            because=because,
            data={"sessions": ended},
        )
    return ended
