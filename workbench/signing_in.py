"""Signing in and out by pages. Each leaves an audit event, refused attempts too, and guessing is slowed down."""

import json
import unicodedata
from typing import Any, cast
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as open_session
from django.contrib.auth import views as accounts
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.timezone import now
from django.views.generic import FormView, View

from exceptions_app.callers import client_address
from exceptions_app.views import errors
from exceptions_app.views.scope import person
from integrations.secret_box import Unsealable, seal, unseal
from workbench import passkeys, proofs, second_factor, sessions
from workbench.attempts import UNKNOWN, Attempt, record, record_refusal, too_many
from workbench.models import User

LONGEST_NAME = 150
# How long the code may be typed after the password, in seconds.
HALF_WAY_SECONDS = 5 * 60
BACKEND = "django.contrib.auth.backends.ModelBackend"


class SignInForm(AuthenticationForm):
    """Says the same of a wrong password, of an account that does not sign in so, and of one that is not there."""

    def confirm_login_allowed(self, user: User) -> None:
        super().confirm_login_allowed(user)
        if not settings.LOCAL_PASSWORDS and not user.is_superuser:
            raise self.get_invalid_login_error()

    def get_invalid_login_error(self) -> ValidationError:
        if settings.LOCAL_PASSWORDS:
            return super().get_invalid_login_error()
        return ValidationError(
            f"This did not fit, or the account has no password that counts: they are switched off here for nearly "
            f"everybody. Sign in by {settings.OIDC_NAME}.",
            code="invalid_login",
        )


class SignIn(accounts.LoginView):
    authentication_form = SignInForm
    redirect_authenticated_user = True
    attempt: Attempt | None = None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        name = _typed_name(request)
        if name and request.POST.get("password"):  # otherwise the form asks for what is missing
            self.attempt = Attempt.begin(name, client_address(request), at=now())
            if self.attempt.wait:
                return too_many(request, self.attempt)
        return super().post(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        more = {
            "oidc_name": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
            "passwords": settings.LOCAL_PASSWORDS,
            "passkey": passkeys.offer_to(None),
        }
        return super().get_context_data(**kwargs) | more

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        if second_factor.has_second_factor(user):
            if self.attempt is not None:
                self.attempt.was_no_failure()
            return _ask_for_code(self.request, user, back_to=self.get_redirect_url())
        with transaction.atomic():
            answer = super().form_valid(form)
            proofs.note(self.request, at=now())
            sessions.note_where(self.request)
            proofs.note_whether_one_is_owed(self.request, user)
            record("person.signed_in", user.get_username(), self.request, words="signed in")
        if self.attempt is not None:
            self.attempt.succeeded()
        return answer

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        if self.attempt is not None:
            record_refusal(self.attempt, "The name and the password did not fit, or the account does not sign in so.")
        return super().form_invalid(form)


class SignInWithCode(accounts.RedirectURLMixin, FormView):
    """The second step: the code after the right password. Until it is right too there is no session."""

    form_class = proofs.CodeForm
    template_name = "registration/code.html"
    next_page = "/"
    person: User

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return HttpResponseRedirect(reverse("login"))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        found = _person_half_way(request.POST.get("half_way", ""))
        if found is None:
            return HttpResponseRedirect(f"{reverse('login')}?{urlencode({'next': self.get_success_url()})}")
        self.person = found
        return super().post(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        sent = {"half_way": self.request.POST.get("half_way", ""), "next": self.get_redirect_url()}
        return super().get_context_data(**kwargs) | sent | {"passkey": passkeys.offer_to(self.person)}

    def form_valid(self, form: proofs.CodeForm) -> HttpResponse:
        person = self.person
        attempt = Attempt.begin(person.get_username(), client_address(self.request), at=now(), of_code=True)
        if attempt.wait:
            return too_many(self.request, attempt)
        if not proofs.take(person, form, at=now(), tell=self._open):
            record_refusal(attempt, "The password was right, and the code was not.")
            return self.form_invalid(form)
        attempt.succeeded()
        return super().form_valid(form)

    def _open(self, factor: str) -> None:
        words = f"signed in with a password and a second factor ({factor})"
        _open(self.request, self.person, words=words, second_factor=factor)


class SignInWithPasskey(accounts.RedirectURLMixin, View):
    """A passkey that was unlocked stands for both factors. It says whose it is; a name is not typed."""

    http_method_names = ("post",)
    next_page = "/"

    def post(self, request: HttpRequest) -> HttpResponse:
        answered = request.POST.get("passkey", "")
        person = passkeys.person_named_in(answered)
        attempt = Attempt.begin(person.get_username() if person else UNKNOWN, client_address(request), at=now())
        if attempt.wait:
            return too_many(request, attempt)

        def tell(factor: str) -> None:
            _open(request, cast("User", person), words=f"signed in with a {factor}", second_factor=factor)

        state = request.POST.get("passkey_state", "")
        if person is None or not proofs.signs_in_here(person) or not passkeys.accept(
            person, answered=answered, state=state, at=now(), record=tell, alone=True
        ):  # fmt: skip
            record_refusal(attempt, "The passkey was not recognised, or the account does not sign in so.")
            messages.error(request, passkeys.NOT_TAKEN)
            return HttpResponseRedirect(f"{reverse('login')}?{urlencode({'next': self.get_success_url()})}")
        attempt.succeeded()
        return HttpResponseRedirect(self.get_success_url())


class SignOut(accounts.LogoutView):
    """Nothing stays in the browser either: a tab remembers the reasons that were typed, and the way through a list."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            if request.user.is_authenticated:
                record("person.signed_out", request.user.get_username(), request, words="signed out")
            answer = super().post(request, *args, **kwargs)
        answer.headers["Clear-Site-Data"] = '"storage"'
        return answer


class PasswordChange(accounts.PasswordChangeView):
    """Asks for the old password, so a session that is left open could guess it: counted like signing in."""

    attempt: Attempt | None = None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated and request.POST.get("old_password"):
            self.attempt = Attempt.begin(request.user.get_username(), client_address(request), at=now())
            if self.attempt.wait:
                return too_many(request, self.attempt)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        with transaction.atomic():
            answer = super().form_valid(form)
            record("person.password_changed", self.request.user.get_username(), self.request, words="changed password")
            sessions.end_others(person(self.request), this=self.request.session.session_key or "", at=now())
        if self.attempt is not None:
            self.attempt.was_no_failure()
        return answer

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        if self.attempt is not None and "old_password" in form.errors:
            record_refusal(self.attempt, "The old password did not fit when a new one was to be set.")
        elif self.attempt is not None:
            self.attempt.was_no_failure()  # the old one was right, and the new one is not good enough
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


def _open(request: HttpRequest, person: User, *, words: str, **more: object) -> None:
    open_session(request, person, backend=BACKEND)
    proofs.note(request, at=now())
    sessions.note_where(request)
    record("person.signed_in", person.get_username(), request, words=words, **more)


def _ask_for_code(request: HttpRequest, person: Any, *, back_to: str) -> HttpResponse:
    """The page of the second step. That the password was right it carries itself, sealed: there is no session yet."""
    proof = {"person": person.pk, "password": person.get_session_auth_hash()}
    context = {
        "form": proofs.CodeForm(), "half_way": seal(json.dumps(proof)), "next": back_to,
        "passkey": passkeys.offer_to(person),
    }  # fmt: skip
    return render(request, SignInWithCode.template_name, context)


def _person_half_way(half_way: str) -> User | None:
    """Whose password was right just now; None when that is too long ago, or the password was changed since."""
    try:
        proof = json.loads(unseal(half_way, seconds=HALF_WAY_SECONDS))
    except Unsealable:
        return None
    person = User.objects.filter(pk=proof.get("person"), is_active=True).first()
    if person is None or not constant_time_compare(str(proof.get("password", "")), person.get_session_auth_hash()):
        return None
    return person
