"""Attempts to prove who one is, counted before the proof is looked at, so that guessing is slow; and their events."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from math import ceil

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.timezone import now

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.callers import client_address, network_of
from exceptions_app.limits import Counted, count, forget, give_back

WINDOW = timedelta(minutes=5)
FAILURES_PER_NAME_AND_ADDRESS = 5
FAILURES_PER_ADDRESS = 30
# Of codes, wherever they come from: who gets as far as a code knows the password, or has the session.
CODES_PER_PERSON = 10
# As an actor: no account can have this name, so it cannot be taken for one.
UNKNOWN = "(unknown)"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt, counted before the password or the code is looked at, so that many at once are not let through."""

    name: str
    address: str
    by_name: Counted
    by_address: Counted = field(default_factory=Counted)
    by_person: Counted = field(default_factory=Counted)

    @classmethod
    def begin(cls, name: str, address: str, *, at: datetime, of_code: bool = False) -> "Attempt":
        by_name = count(_name_key(name, address), window=WINDOW, at=at)
        # Who hammers one name does not shut out everybody else behind the same address.
        if not by_name.key or by_name.number > FAILURES_PER_NAME_AND_ADDRESS:
            return cls(name, address, by_name)
        by_address = count(_address_key(address), window=WINDOW, at=at)
        by_person = count(_person_key(name), window=WINDOW, at=at) if of_code else Counted()
        return cls(name, address, by_name, by_address, by_person)

    @classmethod
    def of_provider(cls, address: str, *, at: datetime, begun: bool) -> "Attempt":
        """An answer of the OpenID provider: no name is guessed at, so that only the address counts.

        What was not begun in that browser proves nothing and is counted apart, so that nobody shuts others out by it.
        """
        return cls(UNKNOWN, address, Counted(), count(_provider_key(address, begun=begun), window=WINDOW, at=at))

    @property
    def wait(self) -> int:
        """Seconds until another attempt is accepted; 0 when this one is."""
        for counted, most in self._limits:
            if counted.number > most:
                return counted.closes_in
        return 0

    @property
    def is_first_too_many(self) -> bool:
        """One event says that the door was shut; who goes on knocking does not fill the log."""
        return any(counted.number == most + 1 for counted, most in self._limits)

    @property
    def _limits(self) -> tuple[tuple[Counted, int], ...]:
        return (
            (self.by_name, FAILURES_PER_NAME_AND_ADDRESS),
            (self.by_address, FAILURES_PER_ADDRESS),
            (self.by_person, CODES_PER_PERSON),
        )

    def succeeded(self) -> None:
        """All that was asked for was right: what failed before is forgotten, as far as this attempt counted it."""
        if self.by_name.key:
            forget(_name_key(self.name, self.address))
        if self.by_person.key:
            forget(_person_key(self.name))
        give_back(self.by_address)

    def was_no_failure(self) -> None:
        """The password was right, which proves no code: what failed before goes on counting.

        Otherwise whoever has the password could have the count of wrong codes forgotten by sending it again, or by
        changing it.
        """
        give_back(self.by_name)
        give_back(self.by_address)


def too_many(request: HttpRequest, attempt: Attempt) -> HttpResponse:
    """The page that refuses an attempt unseen."""
    if attempt.is_first_too_many:
        record_refusal(attempt, "Too many attempts; further ones are refused unseen for a while.")
    context = {"minutes": ceil(attempt.wait / 60), "next": request.POST.get("next", "")}
    answer = render(request, "registration/too_many_attempts.html", context, status=HTTPStatus.TOO_MANY_REQUESTS)
    answer["Retry-After"] = str(attempt.wait)
    return answer


@transaction.atomic
def record_refusal(attempt: Attempt, reason: str) -> None:
    log.record(
        "person.sign_in_refused",
        subject=f"person:{attempt.name}",
        scope=SCOPE,
        actor=UNKNOWN,
        at=now(),
        summary=f"Somebody at {attempt.address} could not sign in as {attempt.name}. {reason}",
        data={"name": attempt.name, "address": attempt.address},
    )


@transaction.atomic
def record(name: str, username: str, request: HttpRequest, *, words: str, **more: object) -> None:
    """What a person did with their own account, and from where."""
    address = client_address(request)
    log.record(
        name,
        subject=f"person:{username}",
        scope=SCOPE,
        actor=username,
        at=now(),
        summary=f"{username} {words} from {address}.",
        data={"address": address, **more},
    )


def _name_key(name: str, address: str) -> str:
    return f"sign-in:name:{sha256(f'{name.casefold()} {network_of(address)}'.encode()).hexdigest()}"


def _person_key(name: str) -> str:
    return f"sign-in:code:{sha256(name.casefold().encode()).hexdigest()}"


def _provider_key(address: str, *, begun: bool) -> str:
    return f"sign-in:{'provider' if begun else 'stray'}:{network_of(address)}"


def _address_key(address: str) -> str:
    return f"sign-in:address:{network_of(address)}"
