"""A lost sign-in loses nothing: what was sent is kept in the session and shown again to the one who sent it.

Whose it is cannot be read from a session that has ended. So every page leaves a signed cookie with the account that it
was made for; what comes without one, or is asked for by another account, is not kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.translation import gettext
from django_htmx.http import HttpResponseClientRedirect

from exceptions_app.actions.retyping import FIELD as RETYPED

SESSION_KEY = "interrupted"
MOST_CHARACTERS = 500_000  # an anonymous session must not become a store for anything
AUTHOR_COOKIE = "author"
_SALT = "exceptions_app.views.interrupted"
NEVER_KEPT = frozenset({
    "csrfmiddlewaretoken", "password", "password1", "password2", "old_password", "new_password1", "new_password2",
})  # fmt: skip

_Arguments = ParamSpec("_Arguments")


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What somebody sent to `action` (the last part of the address) when their sign-in had ended."""

    action: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)
    proving: bool = False
    """It was not the sign-in that had ended: they were elsewhere to prove again who they are."""

    def __bool__(self) -> bool:
        return bool(self.action)


def may_be_kept(name: str) -> bool:
    """Never what proves who somebody is, a code, the answer of a passkey or a password, nor a payee's account."""
    return name not in NEVER_KEPT and not name.startswith(("proof-", f"{RETYPED}_"))


def signed_in(view: Callable[Concatenate[HttpRequest, _Arguments], HttpResponse]) -> Callable[..., HttpResponse]:
    """Lets only signed-in people in. Others sign in first and come back to the page of the exception.

    The page of an exception is the address up to and including its number, so `ref` is the view's argument.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> HttpResponse:
        if request.user.is_authenticated:
            _drop_what_another_account_sent(request)
            return _remember_author(request, view(request, *args, **kwargs))
        back_to = request.get_full_path()
        if request.method == "POST":
            back_to = _keep(request, ref=str(kwargs["ref"]))
        sign_in = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': back_to})}"
        if getattr(request, "htmx", False):
            return HttpResponseClientRedirect(sign_in)
        return HttpResponseRedirect(sign_in)

    return wrapped


def _author_of(request: HttpRequest) -> str:
    """The account for which this browser was last given a page; empty when there is none, or it is forged."""
    return str(request.get_signed_cookie(f"{settings.COOKIE_PREFIX}{AUTHOR_COOKIE}", default="", salt=_SALT))


def _remember_author(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """For as long as the browser is open: a page may be left open for longer than a session lasts."""
    account = str(request.user.pk)
    if _author_of(request) != account:
        response.set_signed_cookie(
            f"{settings.COOKIE_PREFIX}{AUTHOR_COOKIE}",
            account,
            salt=_SALT,
            httponly=True,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
    return response


def _drop_what_another_account_sent(request: HttpRequest) -> None:
    kept = request.session.get(SESSION_KEY)
    if isinstance(kept, dict) and kept.get("author") != str(request.user.pk):
        del request.session[SESSION_KEY]


def _typed(request: HttpRequest) -> dict[str, str]:
    return {name: value for name, value in request.POST.items() if may_be_kept(name) and isinstance(value, str)}


def _keep(request: HttpRequest, *, ref: str) -> str:
    """Put what was sent into the session; returns the address of the page to come back to."""
    before, _, after = request.path.partition(f"/{ref}/")
    page = f"{before}/{ref}/"
    author = _author_of(request)
    typed = _typed(request)
    if not author:
        return page
    if sum(len(name) + len(value) for name, value in typed.items()) > MOST_CHARACTERS:
        messages.warning(
            request, gettext("You were signed out, and what you sent is too long to keep. Go back to copy it.")
        )
        return page
    request.session[SESSION_KEY] = {"page": page, "action": after.strip("/"), "author": author, "typed": typed}
    return page


def keep_meanwhile(request: HttpRequest) -> str:
    """Keep what a person sends while they are elsewhere to prove who they are; returns the page to come back to."""
    before, _, action = request.path.rstrip("/").rpartition("/")
    page = f"{before}/"
    typed = _typed(request)
    if sum(len(name) + len(value) for name, value in typed.items()) <= MOST_CHARACTERS:
        request.session[SESSION_KEY] = {
            "page": page, "action": action, "author": str(request.user.pk), "typed": typed,
            "proving": True,
        }  # fmt: skip
    return page


def interrupted_at(request: HttpRequest, page: str) -> Interrupted:
    """What this account sent from this page; empty when there is nothing, or when it belongs to another page."""
    kept = request.session.get(SESSION_KEY)
    if not isinstance(kept, dict) or kept.get("page") != page or kept.get("author") != str(request.user.pk):
        return Interrupted()
    return Interrupted(str(kept["action"]), dict(kept["typed"]), proving=bool(kept.get("proving")))


def forget(request: HttpRequest, page: str) -> None:
    """It was sent again or thrown away."""
    kept = request.session.get(SESSION_KEY)
    if isinstance(kept, dict) and kept.get("page") == page:
        del request.session[SESSION_KEY]
