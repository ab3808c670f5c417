"""A lost sign-in loses nothing: what was sent is kept in the session and shown again after signing in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect

SESSION_KEY = "interrupted"
MOST_CHARACTERS = 500_000  # an anonymous session must not become a store for anything
NEVER_KEPT = frozenset({"csrfmiddlewaretoken"})

_Arguments = ParamSpec("_Arguments")


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What somebody sent to `action` (the last part of the address) when their sign-in had ended."""

    action: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.action)


def signed_in(view: Callable[Concatenate[HttpRequest, _Arguments], HttpResponse]) -> Callable[..., HttpResponse]:
    """Lets only signed-in people in. Others sign in first and come back to the page of the exception.

    The page of an exception is the address up to and including its number, so `ref` is the view's argument.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        back_to = request.get_full_path()
        if request.method == "POST":
            back_to = _keep(request, ref=str(kwargs["ref"]))
        sign_in = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': back_to})}"
        if getattr(request, "htmx", False):
            return HttpResponseClientRedirect(sign_in)
        return HttpResponseRedirect(sign_in)

    return wrapped


def _keep(request: HttpRequest, *, ref: str) -> str:
    """Put what was sent into the session; returns the address of the page to come back to."""
    before, _, after = request.path.partition(f"/{ref}/")
    page = f"{before}/{ref}/"
    typed = {name: value for name, value in request.POST.items() if name not in NEVER_KEPT and isinstance(value, str)}
    if sum(len(name) + len(value) for name, value in typed.items()) > MOST_CHARACTERS:
        messages.warning(request, "You were signed out, and what you sent is too long to keep. Go back to copy it.")
        return page
    request.session[SESSION_KEY] = {"page": page, "action": after.strip("/"), "typed": typed}
    return page


def interrupted_at(request: HttpRequest, page: str) -> Interrupted:
    """What was kept for this page; empty when there is nothing, or when it belongs to another page."""
    kept = request.session.get(SESSION_KEY)
    if not isinstance(kept, dict) or kept.get("page") != page:
        return Interrupted()
    return Interrupted(str(kept["action"]), dict(kept["typed"]))


def forget(request: HttpRequest, page: str) -> None:
    """It was sent again or thrown away."""
    kept = request.session.get(SESSION_KEY)
    if isinstance(kept, dict) and kept.get("page") == page:
        del request.session[SESSION_KEY]
