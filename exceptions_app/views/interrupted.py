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
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import is_valid_path
from django.utils.translation import gettext, gettext_noop
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

IS_BELOW_AND_NOT_SENT = gettext_noop("What you typed is below. It has not been sent; look it over and send it again.")
IS_BELOW_AND_PROVEN = gettext_noop(
    "What you typed is below. Look it over and send it again, now that it is known to be you."
)


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What somebody sent to `action` (the last part of the address) when their sign-in had ended."""

    action: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)
    several: Mapping[str, list[str]] = field(default_factory=dict)
    """What was sent more than once under one name, as by boxes that were ticked."""
    proving: bool = False
    """It was not the sign-in that had ended: they were elsewhere to prove again who they are."""

    def __bool__(self) -> bool:
        return bool(self.action)


def may_be_kept(name: str) -> bool:
    """Never what proves who somebody is, a code, the answer of a passkey or a password, nor a payee's account."""
    return name not in NEVER_KEPT and not name.startswith(("proof-", f"{RETYPED}_"))


def signed_in(view: Callable[Concatenate[HttpRequest, _Arguments], HttpResponse]) -> Callable[..., HttpResponse]:
    """Lets only signed-in people in. Others sign in first and come back to the page of the exception.

    The page of an exception is the address up to and including its number, so `ref` is an argument of a view that
    something is sent to; that of a list has its own name as `ref`.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> HttpResponse:
        if request.user.is_authenticated:
            _drop_what_another_account_sent(request)
            return _remember_author(request, view(request, *args, **kwargs))
        back_to = request.get_full_path()
        if request.method == "POST":
            back_to = _keep(request)
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


def _several(request: HttpRequest) -> dict[str, list[str]]:
    return {
        name: [str(value) for value in values]
        for name, values in request.POST.lists()
        if may_be_kept(name) and len(values) > 1
    }


def _page_and_action(request: HttpRequest) -> tuple[str, str]:
    """Where it was typed and what it was for; the whole address where that is below no page.

    Who opens such an address is led on to the page with the form.
    """
    ref = request.resolver_match.kwargs["ref"] if request.resolver_match else ""
    before, _, after = request.path.partition(f"/{ref}/")
    page = f"{before}/{ref}/"
    return (page, after.strip("/")) if is_valid_path(page) else (request.path, "")


def _is_too_long(request: HttpRequest) -> bool:
    sent = [(name, str(value)) for name, values in request.POST.lists() if may_be_kept(name) for value in values]
    return sum(len(name) + len(value) for name, value in sent) > MOST_CHARACTERS


def _put(request: HttpRequest, page: str, action: str, *, author: str, **more: bool) -> None:
    request.session[SESSION_KEY] = {
        "page": page, "action": action, "author": author, "typed": _typed(request), "several": _several(request),
        **more,
    }  # fmt: skip


def _keep(request: HttpRequest) -> str:
    """Put what was sent into the session; returns the address of the page to come back to."""
    page, action = _page_and_action(request)
    author = _author_of(request)
    if not author:
        return page
    if _is_too_long(request):
        messages.warning(
            request, gettext("You were signed out, and what you sent is too long to keep. Go back to copy it.")
        )
        return page
    _put(request, page, action, author=author)
    return page


def keep_meanwhile(request: HttpRequest) -> str:
    """Keep what a person sends while they are elsewhere to prove who they are; returns the page to come back to."""
    page, action = _page_and_action(request)
    if not _is_too_long(request):
        _put(request, page, action, author=str(request.user.pk), proving=True)
    return page


def interrupted_at(request: HttpRequest, page: str) -> Interrupted:
    """What this account sent from this page; empty when there is nothing, or when it belongs to another page."""
    kept = request.session.get(SESSION_KEY)
    if not isinstance(kept, dict) or kept.get("page") != page or kept.get("author") != str(request.user.pk):
        return Interrupted()
    several = dict(kept.get("several", {}))
    return Interrupted(str(kept["action"]), dict(kept["typed"]), several, proving=bool(kept.get("proving")))


def begin_again(
    request: HttpRequest, form: Form, page: str, *, sent_to: str, about: tuple[str, object] | None = None
) -> None:
    """Let a form begin with what this account sent from this page to such an address, and have the page say so.

    Where a page has the same form for several things, `about` is the name of the input that tells them apart and what
    it has to say.
    """
    kept = interrupted_at(request, page)
    if kept.action == sent_to and (about is None or kept.typed.get(about[0]) == str(about[1])):
        form.initial = {**form.initial, **kept.typed, **kept.several}
        messages.warning(request, gettext(IS_BELOW_AND_PROVEN if kept.proving else IS_BELOW_AND_NOT_SENT))


def forget(request: HttpRequest, page: str) -> None:
    """It was sent again or thrown away."""
    kept = request.session.get(SESSION_KEY)
    if isinstance(kept, dict) and kept.get("page") == page:
        del request.session[SESSION_KEY]
