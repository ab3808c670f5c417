"""How a person likes to see the pages: kept in the browser, so that it holds before sign-in too."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

CHOICES = {
    "theme": ("system", "light", "dark"),
    "density": ("comfortable", "compact"),
    "shortcuts": ("on", "off"),
    "language": tuple(code for code, _ in settings.LANGUAGES),
}
ONE_YEAR = 365 * 24 * 3600  # seconds


@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Remember what was chosen and go back; a value that is not offered changes nothing."""
    back = _back(request)
    response = HttpResponseRedirect(_without_density(back) if "density" in request.POST else back)
    for name, choices in CHOICES.items():
        if request.POST.get(name) in choices:
            response.set_cookie(
                f"{settings.COOKIE_PREFIX}{name}", request.POST[name], max_age=ONE_YEAR,
                secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax",
            )  # fmt: skip
    return response


def _without_density(url: str) -> str:
    """The list with the density that is chosen for all pages, instead of the one that its own address asks for."""
    parts = urlsplit(url)
    query = QueryDict(parts.query, mutable=True)
    if not query.pop("density", None):
        return url
    return parts._replace(query=query.urlencode(safe=",")).geturl()


def _back(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return resolve_url("exceptions:my_queue")
