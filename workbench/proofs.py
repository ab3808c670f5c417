"""Proving again who one is, before something that an open session alone should not be able to do."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.views import RedirectURLMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.timezone import now
from django.utils.translation import gettext_lazy
from django.views.generic import FormView

from exceptions_app.callers import client_address
from exceptions_app.views.scope import person as person_of
from workbench import passkeys, second_factor
from workbench.attempts import Attempt, record, record_refusal, too_many
from workbench.session_store import OPENED_AT

FRESH = timedelta(minutes=5)
PROVED_AT = "proved_at"
OWED = "second_factor_owed"
WRONG_CODE = "This code is not right, or it was used already. Wait for the next one."


class CodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=40,
        help_text=gettext_lazy("The six digits that your app shows now, or one of your recovery codes."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True}),
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # A passkey takes the place of a code. The browser's script fills it in beside the field.
        self.passkey = str(self.data.get(self.add_prefix("passkey"), ""))
        self.passkey_state = str(self.data.get(self.add_prefix("passkey_state"), ""))
        self.fields["code"].required = not self.passkey


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=4096,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


ProofForm = CodeForm | PasswordForm


def signs_in_here(person: AbstractUser) -> bool:
    """Whether the account is not one of the provider alone: that of a superuser, or one with a password that counts."""
    return person.is_superuser or (settings.LOCAL_PASSWORDS and person.has_usable_password())


def form_for(person: AbstractUser) -> type[ProofForm] | None:
    """The code of who has a second factor, else the password; None for who proves themselves at the provider alone."""
    if second_factor.has_second_factor(person):
        return CodeForm
    has_password = person.has_usable_password() and (settings.LOCAL_PASSWORDS or person.is_superuser)
    return PasswordForm if has_password else None


def take(person: AbstractUser, form: CodeForm, *, at: datetime, tell: Callable[[str], None]) -> bool:
    """Look at the code, the recovery code or the passkey of a form; what is not right stands at its field.

    `tell` records what it is for, in the same transaction.
    """
    if form.passkey:
        taken = passkeys.accept(person, answered=form.passkey, state=form.passkey_state, at=at, record=tell)
    else:
        taken = bool(second_factor.accept(person, form.cleaned_data["code"], at=at, record=tell))
    if not taken:
        form.add_error("code", passkeys.NOT_TAKEN if form.passkey else WRONG_CODE)
    return taken


def note(request: HttpRequest, *, at: datetime) -> None:
    """The person has just proved who they are."""
    request.session[PROVED_AT] = at.timestamp()


def note_whether_one_is_owed(request: HttpRequest, person: AbstractUser) -> None:
    """Who signed in without a second factor where one is demanded sets one up before anything else."""
    if second_factor.is_demanded_of(person):
        request.session[OWED] = True


def is_fresh(request: HttpRequest, *, at: datetime) -> bool:
    """Whether the last proof, signing in for one, is no older than FRESH."""
    proved_at: float = request.session.get(PROVED_AT, request.session.get(OPENED_AT, 0.0))
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


def prove(request: HttpRequest, form: ProofForm) -> HttpResponse | None:
    """Look at a proof, counted and recorded like signing in; a page only when there were too many attempts.

    What is not right stands at the field of the form.
    """
    if not form.is_valid():
        return None
    person = person_of(request)

    def tell(by: str) -> None:
        words = f"proved again who they are ({by})"
        record("person.proved_again", person.get_username(), request, words=words, by=by)

    of_code = isinstance(form, CodeForm)
    attempt = Attempt.begin(person.get_username(), client_address(request), at=now(), of_code=of_code)
    if attempt.wait:
        return too_many(request, attempt)
    if isinstance(form, CodeForm):
        proved = take(person, form, at=now(), tell=tell)
    elif proved := person.check_password(form.cleaned_data["password"]):
        tell("password")
    else:
        form.add_error("password", gettext_lazy("This is not your password."))
    if not proved:
        record_refusal(attempt, "The proof that was asked for in an open session was not right.")
        return None
    attempt.succeeded()
    note(request, at=now())
    return None


@method_decorator(login_required, name="dispatch")
class Prove(RedirectURLMixin, FormView):
    """Asks for the proof by itself, before a page that wants it."""

    template_name = "registration/prove.html"
    next_page = "/"

    def get_form_class(self) -> type[forms.Form]:
        return form_for(person_of(self.request)) or forms.Form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        more = {"next": self.get_redirect_url(), "oidc_name": settings.OIDC_NAME}
        return super().get_context_data(**kwargs) | more | {"passkey": passkeys.offer_to(person_of(self.request))}

    def form_valid(self, form: forms.Form) -> HttpResponse:
        if not isinstance(form, CodeForm | PasswordForm):
            return self.form_invalid(form)
        refusal = prove(self.request, form)
        if refusal is not None:
            return refusal
        return self.form_invalid(form) if form.errors else super().form_valid(form)
