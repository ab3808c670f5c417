"""Proving again who one is, before something that an open session alone should not be able to do."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.views import RedirectURLMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.timezone import now
from django.views.generic import FormView

from exceptions_app.callers import client_address
from exceptions_app.views.scope import person as person_of
from workbench import second_factor
from workbench.attempts import Attempt, record, record_refusal, too_many

FRESH = timedelta(minutes=5)
PROVED_AT = "proved_at"
OWED = "second_factor_owed"
WRONG_CODE = "This code is not right, or it was used already. Wait for the next one."


class CodeForm(forms.Form):
    code = forms.CharField(
        label="Code",
        max_length=40,
        help_text="The six digits that your app shows now, or one of your recovery codes.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True}),
    )


class PasswordForm(forms.Form):
    password = forms.CharField(
        label="Password",
        max_length=4096,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


def note(request: HttpRequest, *, at: datetime) -> None:
    """The person has just proved who they are."""
    request.session[PROVED_AT] = at.timestamp()


def note_whether_one_is_owed(request: HttpRequest, person: AbstractUser) -> None:
    """Who signed in without a second factor where one is demanded sets one up before anything else."""
    if second_factor.is_demanded_of(person):
        request.session[OWED] = True


def is_fresh(request: HttpRequest, *, at: datetime) -> bool:
    proved_at: float = request.session.get(PROVED_AT, 0.0)
    return 0 <= at.timestamp() - proved_at < FRESH.total_seconds()


def proved_lately(back_to: str) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Lets in who is signed in and proved it in the last minutes; others do so now, and go on at the named page."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @login_required
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if is_fresh(request, at=now()):
                return view(request, *args, **kwargs)
            return HttpResponseRedirect(f"{reverse('prove')}?{urlencode({'next': reverse(back_to)})}")

        return wrapped

    return decorate


@method_decorator(login_required, name="dispatch")
class Prove(RedirectURLMixin, FormView):
    """Asks for the code of who has a second factor, else for the password. Counted and recorded like signing in."""

    template_name = "registration/prove.html"
    next_page = "/"

    def get_form_class(self) -> type[forms.Form]:
        return CodeForm if second_factor.has_second_factor(person_of(self.request)) else PasswordForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"next": self.get_redirect_url()}

    def form_valid(self, form: forms.Form) -> HttpResponse:
        person = person_of(self.request)
        with_code = isinstance(form, CodeForm)
        attempt = Attempt.begin(person.get_username(), client_address(self.request), at=now(), of_code=with_code)
        if attempt.wait:
            return too_many(self.request, attempt)
        if with_code:
            proved = bool(second_factor.accept(person, form.cleaned_data["code"], at=now(), record=self._record))
        else:
            proved = person.check_password(form.cleaned_data["password"])
        if not proved:
            record_refusal(attempt, "The proof that was asked for in an open session was not right.")
            form.add_error(*(("code", WRONG_CODE) if with_code else ("password", "This is not your password.")))
            return self.form_invalid(form)
        attempt.succeeded()
        if not with_code:
            self._record("password")
        note(self.request, at=now())
        return super().form_valid(form)

    def _record(self, factor: str) -> None:
        username = person_of(self.request).get_username()
        record("person.proved_again", username, self.request, words=f"proved again who they are ({factor})", by=factor)
