"""Addresses that a form is sent to. Whoever opens one, as after a reload or from the history, is led to its page."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from exceptions_app.views.interrupted import signed_in

_View = Callable[..., HttpResponse]


def posted_from(page: Callable[[HttpRequest, Any], str]) -> Callable[[_View], _View]:
    """Signed in, by POST. `page` gives the address of the page with the form, or raises Http404 for who may not see it.

    A form that was refused without JavaScript leaves the browser at such an address.
    """

    def decorate(view: _View) -> _View:
        @require_http_methods(["GET", "HEAD", "POST"])
        @signed_in
        @wraps(view)
        def wrapped(request: HttpRequest, ref: Any) -> HttpResponse:
            if request.method == "POST":
                return view(request, ref)
            return HttpResponseRedirect(page(request, ref))

        return wrapped

    return decorate
