"""Signing in and out by pages. Each leaves an audit event, refused attempts too, and guessing is slowed down."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from math import ceil
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import views as accounts
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.callers import client_address, network_of
from exceptions_app.limits import Counted, count, forget, give_back
from exceptions_app.views import errors

WINDOW = timedelta(minutes=5)
FAILURES_PER_NAME_AND_ADDRESS = 5
FAILURES_PER_ADDRESS = 30
LONGEST_NAME = 150
# As an actor: no account can have this name, so it cannot be taken for one.
UNKNOWN = "(unknown)"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to sign in, counted before the password is looked at, so that many at once are not let through."""

    name: str
    address: str
    by_name: Counted
    by_address: Counted

    @classmethod
    def begin(cls, name: str, address: str, *, at: datetime) -> "Attempt":
        by_name = count(_name_key(name, address), window=WINDOW, at=at)
        # Who hammers one name does not shut out everybody else behind the same address.
        if not by_name.key or by_name.number > FAILURES_PER_NAME_AND_ADDRESS:
            return cls(name, address, by_name, Counted())
        return cls(name, address, by_name, count(_address_key(address), window=WINDOW, at=at))

    @property
    def wait(self) -> int:
        """Seconds until another attempt is accepted; 0 when this one is."""
        if self.by_name.number > FAILURES_PER_NAME_AND_ADDRESS:
            return self.by_name.closes_in
        return self.by_address.closes_in if self.by_address.number > FAILURES_PER_ADDRESS else 0

    @property
    def is_first_too_many(self) -> bool:
        """One event says that the door was shut; who goes on knocking does not fill the log."""
        return (
            self.by_name.number == FAILURES_PER_NAME_AND_ADDRESS + 1
            or self.by_address.number == FAILURES_PER_ADDRESS + 1
        )

    def succeeded(self) -> None:
        forget(_name_key(self.name, self.address))
        give_back(self.by_address)


class SignIn(accounts.LoginView):
    redirect_authenticated_user = True
    attempt: Attempt | None = None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        name = _typed_name(request)
        if name and request.POST.get("password"):  # otherwise the form asks for what is missing
            self.attempt = Attempt.begin(name, client_address(request), at=now())
            if self.attempt.wait:
                return _too_many(request, self.attempt)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        with transaction.atomic():
            answer = super().form_valid(form)
            _record("person.signed_in", form.get_user().get_username(), self.request, words="signed in")
        if self.attempt is not None:
            self.attempt.succeeded()
        return answer

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        if self.attempt is not None:
            _record_refusal(self.attempt, "The name and the password did not fit, or the account is not active.")
        return super().form_invalid(form)


class SignOut(accounts.LogoutView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            if request.user.is_authenticated:
                _record("person.signed_out", request.user.get_username(), request, words="signed out")
            return super().post(request, *args, **kwargs)


class PasswordChange(accounts.PasswordChangeView):
    """Asks for the old password, so a session that is left open could guess it: counted like signing in."""

    attempt: Attempt | None = None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated and request.POST.get("old_password"):
            self.attempt = Attempt.begin(request.user.get_username(), client_address(request), at=now())
            if self.attempt.wait:
                return _too_many(request, self.attempt)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        with transaction.atomic():
            answer = super().form_valid(form)
            _record("person.password_changed", self.request.user.get_username(), self.request, words="changed password")
        if self.attempt is not None:
            self.attempt.succeeded()
        return answer

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        if self.attempt is not None and "old_password" in form.errors:
            _record_refusal(self.attempt, "The old password did not fit when a new one was to be set.")
        elif self.attempt is not None:
            self.attempt.succeeded()  # the old one was right, and the new one is not good enough
        return super().form_invalid(form)


def sign_in_to_administration(request: HttpRequest) -> HttpResponse:
    """The administration has no sign-in of its own. Who is signed in and comes here lacks the status."""
    if request.user.is_authenticated and not (request.user.is_active and request.user.is_staff):
        return errors.not_permitted(request, "The administration is for accounts with staff status.")
    back_to = request.GET.get("next") or reverse("admin:index")
    return HttpResponseRedirect(f"{reverse('login')}?{urlencode({'next': back_to})}")


def _typed_name(request: HttpRequest) -> str:
    typed = unicodedata.normalize("NFKC", request.POST.get("username", ""))
    return typed.replace("\x00", "").strip()[:LONGEST_NAME]


def _name_key(name: str, address: str) -> str:
    return f"sign-in:name:{sha256(f'{name.casefold()} {network_of(address)}'.encode()).hexdigest()}"


def _address_key(address: str) -> str:
    return f"sign-in:address:{network_of(address)}"


def _too_many(request: HttpRequest, attempt: Attempt) -> HttpResponse:
    if attempt.is_first_too_many:
        _record_refusal(attempt, "Too many attempts; further ones are refused unseen for a while.")
    context = {"minutes": ceil(attempt.wait / 60), "next": request.POST.get("next", "")}
    answer = render(request, "registration/too_many_attempts.html", context, status=HTTPStatus.TOO_MANY_REQUESTS)
    answer["Retry-After"] = str(attempt.wait)
    return answer


@transaction.atomic
def _record_refusal(attempt: Attempt, reason: str) -> None:
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
def _record(name: str, username: str, request: HttpRequest, *, words: str) -> None:
    address = client_address(request)
    log.record(
        name,
        subject=f"person:{username}",
        scope=SCOPE,
        actor=username,
        at=now(),
        summary=f"{username} {words} from {address}.",
        data={"address": address},
    )
