"""How a person likes to see the pages: kept in the browser, so that it holds before sign-in too."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

CHOICES = {"theme": ("system", "light", "dark"), "density": ("comfortable", "compact"), "shortcuts": ("on", "off")}
ONE_YEAR = 365 * 24 * 3600  # seconds


@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Remember what was chosen and go back; a value that is not offered changes nothing."""
    response = HttpResponseRedirect(_back(request))
    for name, choices in CHOICES.items():
        if request.POST.get(name) in choices:
            response.set_cookie(
                name, request.POST[name], max_age=ONE_YEAR, secure=settings.SESSION_COOKIE_SECURE, httponly=True,
                samesite="Lax",
            )  # fmt: skip
    return response


def _back(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return resolve_url("exceptions:my_queue")
