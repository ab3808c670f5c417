"""What Django itself refuses: problems after RFC 9457 at the addresses for programs, pages elsewhere."""

import sys
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.problem_kinds import ProblemKind
from exceptions_app.api.problems import plain_problem
from exceptions_app.views import errors

PROGRAMS = ("/api/", "/hooks/")


def _problem_or(page: Callable[..., HttpResponse], kind: ProblemKind) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        return plain_problem(request, kind) if request.path.startswith(PROGRAMS) else page(request, *args, **kwargs)

    return view


bad_request = _problem_or(errors.handler400, kinds.REFUSED)
permission_denied = _problem_or(errors.handler403, kinds.NOT_PERMITTED)
not_found = _problem_or(errors.handler404, kinds.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django gives no exception to this one; it calls it while that is being handled."""
    because = sys.exception()
    if request.path.startswith(PROGRAMS):
        return plain_problem(request, kinds.SERVER_ERROR, because=because)
    return errors.handler500(request, because=because)
