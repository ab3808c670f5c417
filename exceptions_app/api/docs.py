"""The documentation that people read: every address, the same to try out, and every problem with its remedy."""

from typing import Any

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularSwaggerSplitView

from exceptions_app.api.problem_kinds import KINDS
from exceptions_app.api.reference import reference


@require_safe
def api_reference(request: HttpRequest) -> HttpResponse:
    """Every operation with its parameters, examples, answers and problems. Needs no account and no script."""
    return render(request, "api/reference.html", {"reference": reference()})


# Its icons are data URIs in its own style sheet. Nothing inline is allowed, here as elsewhere.
@method_decorator(csp_update({"img-src": ["'self'", "data:"]}), name="dispatch")
class TryOut(SpectacularSwaggerSplitView):
    """Swagger UI, for sending requests. What it says, `api_reference` says in a page that everybody can use."""

    template_name = "api/try.html"
    title = "Try the API"
    url_name = "schema"


@require_safe
def problems(request: HttpRequest) -> HttpResponse:
    """The kinds of problem: the address that `type` leads to."""
    context: dict[str, Any] = {"kinds": sorted(KINDS, key=lambda kind: (kind.status, kind.slug))}
    return render(request, "api/problems.html", context)
