"""What all addresses of the API have in common."""

from typing import Any, cast

from django.contrib.auth.models import AbstractUser
from django.http import Http404
from django.http.response import HttpResponseBase
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.idempotency import once
from exceptions_app.api.parsing import SafeJSONParser
from exceptions_app.api.problems import Problem, parameter
from exceptions_app.api.scopes import require_scope
from exceptions_app.models import ExceptionCase
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.queries.reach import cases_within, reach_of
from exceptions_app.queries.sensitive import with_reveal
from exceptions_app.veiling import speaks_of


class ApiView(APIView):
    """JSON in and out, for somebody who is signed in; parameters that nobody reads are refused."""

    parser_classes = [SafeJSONParser]
    renderer_classes = [JSONRenderer]
    permission_classes = [IsAuthenticated]
    query_parameters: frozenset[str] = frozenset()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        require_scope(request)
        if "CONTENT_LENGTH" not in request.META and request.headers.get("Transfer-Encoding"):
            raise Problem(kinds.LENGTH_REQUIRED)
        known = self.query_parameters
        for name in request.query_params:
            if name not in known:
                words = f"Known here: {', '.join(sorted(known))}." if known else "This address takes none."
                raise parameter(name, f"There is no parameter “{name[:60]}”.", words)
            if len(request.query_params.getlist(name)) > 1:
                raise parameter(name, f"The parameter “{name}” is given twice.", "Send it once.")

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        final.headers.setdefault("Cache-Control", "no-store")
        return final


class ActingView(ApiView):
    """An address whose POST does something: at most once per Idempotency-Key."""

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return once(
            request,
            lambda: self.act(request, *args, **kwargs),
            repeated=lambda body: self.repeated(request, body, *args, **kwargs),
        )

    def repeated(self, request: Request, body: bytes, *args: Any, **kwargs: Any) -> bytes:
        """What of a stored answer may be told again: one about an exception for as long as the account may see it."""
        if "ref" in kwargs:
            self.about(request, kwargs["ref"])
        return body

    def about(self, request: Request, ref: str) -> None:
        """Raise Http404 for what the account may not see; of an exception, note that the answer speaks of it."""
        case_for(request, ref)

    def act(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        raise TypeError(f"{type(self).__name__} does nothing.")


def person(request: Request) -> AbstractUser:
    """Who asks; the permission class has let nobody else in."""
    return cast(AbstractUser, request.user)


def case_for(request: Request, ref: str) -> ExceptionCase:
    """The exception, when it is visible to the person; otherwise the same answer as for one that does not exist."""
    related = ("queue", "entity", "connection", "cause", "assignee", "follows", "snoozed_by")
    found = with_reveal(_visible(request).with_ref(ref).select_related(*related), person(request))
    case: ExceptionCase | None = found.first()
    if case is None:
        raise Http404
    return speaks_of(request, case)


def _visible(request: Request) -> ExceptionCaseQuerySet:
    # With subqueries of grants the database would plan for longer than it reads.
    return cases_within(reach_of(person(request)))
