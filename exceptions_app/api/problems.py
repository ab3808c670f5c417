"""Every refusal of the API as a problem after RFC 9457: what, where, and what to do about it."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app import policies
from exceptions_app.actions.decide import ApprovalNoLongerHolds
from exceptions_app.actions.fresh_proof import FreshProofNeeded
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.propose import CheckFailed
from exceptions_app.actions.translate import TranslationFailed
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.problem_kinds import ProblemKind
from exceptions_app.batch_states import BatchMoveNotAllowed
from exceptions_app.bulk_states import RunMoveNotAllowed
from exceptions_app.export_states import ExportMoveNotAllowed
from exceptions_app.mapping_states import MappingMoveNotAllowed
from exceptions_app.outages import Outage, outage_of
from exceptions_app.refusing import is_no_refusal, note_refusal
from exceptions_app.releases import Closed, NotReleased
from exceptions_app.states import TransitionNotAllowed
from integrations.connectors.base import CorrectionError
from integrations.outbox import AlreadyUnderWay
from integrations.refusals import RefusalError

MEDIA_TYPE = "application/problem+json"

_REMEDIES: Mapping[str, str] = {
    "required": "Send it.",
    "null": "Send a value, or leave the field out where it is optional.",
    "blank": "Send a value that is not empty.",
    "unknown": "Remove it, or check its spelling.",
    "max_length": "Shorten it, or split it.",
    "not_base64": "Send standard base64 (RFC 4648, section 4) with its padding, or send text.",
    "both": "Send one of them.",
    "twice": "Name it once.",
    "neither": "Send text for a document in UTF-8, or base64 for its exact bytes.",
    "declared_encoding": "Send the exact bytes as base64, so that they are read in the encoding that they declare.",
    "no_offset": "Send a time with its offset from UTC, such as 2026-12-01T09:00:00Z.",
}
_ANY_REMEDY = "Correct it and send the request again."


class Problem(Exception):
    """A refusal by the API itself. `errors` name the places at fault, `more` are extension members."""

    def __init__(
        self,
        kind: ProblemKind,
        detail: str = "",
        *,
        errors: Iterable[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail or kind.title)
        self.kind = kind
        self.detail = detail or kind.meaning
        self.errors = [dict(error) for error in errors]
        self.headers = dict(headers or {})
        self.more = more


def at(pointer: str, detail: str, remedy: str = _ANY_REMEDY, **more: str) -> dict[str, str]:
    """One entry of `errors`; `pointer` is an RFC 6901 pointer into the body."""
    return {"pointer": pointer, "detail": detail, "remedy": remedy, **more}


def parameter(name: str, detail: str, remedy: str = _ANY_REMEDY) -> Problem:
    """A query parameter that cannot be used."""
    return Problem(kinds.INVALID_PARAMETER, detail, errors=[{"parameter": name, "detail": detail, "remedy": remedy}])


def chosen(request: Request, name: str, choices: Iterable[str]) -> str | None:
    """The value of a query parameter that takes one of these; None when it is not sent. Raises Problem."""
    value = request.query_params.get(name)
    known = list(choices)
    if value is not None and value not in known:
        words = f"The parameter “{name}” does not take “{value[:40]}”."
        raise parameter(name, words, f"Send one of {', '.join(known)}.")
    return value


def header(name: str, detail: str, remedy: str) -> Problem:
    """A request header that cannot be used."""
    return Problem(kinds.INVALID_PARAMETER, detail, errors=[{"header": name, "detail": detail, "remedy": remedy}])


def pointer_to(*steps: object) -> str:
    """The RFC 6901 pointer that leads through these steps."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def problem_handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler. None for what is unforeseen: Django logs that and answers with `server_error`."""
    problem = problem_of(exc)
    return None if problem is None else problem_response(problem, context["request"])


def problem_response(problem: Problem, request: Request | HttpRequest) -> Response:
    _note(problem, request)
    return Response(
        problem_body(problem, request), status=problem.kind.status, headers=problem.headers, content_type=MEDIA_TYPE
    )


def _note(problem: Problem, request: Request | HttpRequest) -> None:
    if asks_for_proof(problem.kind.type, request):
        is_no_refusal(request)
    elif problem.kind.status == HTTPStatus.FORBIDDEN:
        note_refusal(request, problem.detail)


def asks_for_proof(kind: str, request: Request | HttpRequest) -> bool:
    """Whether a problem of this type is a question to whoever is signed in, after which the same request goes on.

    A token can give no proof: what it sends is refused.
    """
    return kind == kinds.FRESH_PROOF_NEEDED.type and getattr(request, "auth", None) is None


def problem_body(problem: Problem, request: Request | HttpRequest) -> dict[str, Any]:
    return {
        "type": problem.kind.type,
        "title": problem.kind.title,
        "status": problem.kind.status,
        "detail": problem.detail,
        "instance": request.path,
        "errors": problem.errors,
        "trace_id": request.META.get("REQUEST_ID", ""),
        **problem.more,
    }


def problem_of(exc: Exception) -> Problem | None:
    """The problem that an exception stands for, or None when it stands for a fault of ours."""
    if isinstance(exc, Problem):
        return exc
    if isinstance(exc, FreshProofNeeded):
        return Problem(kinds.FRESH_PROOF_NEEDED, exc.reason)
    return _of_domain(exc) or _of_framework(exc) or _of_outage(exc)


def _of_domain(exc: Exception) -> Problem | None:
    match exc:
        case policies.NotPermitted():
            closed = exc.closed if isinstance(exc, NotReleased) else ()
            return Problem(kinds.NOT_PERMITTED, exc.reason, errors=[_of_closed(one) for one in closed])
        case (
            TransitionNotAllowed() | BatchMoveNotAllowed() | MappingMoveNotAllowed() | RunMoveNotAllowed()
            | ExportMoveNotAllowed()
        ):  # fmt: skip
            return Problem(kinds.NOT_POSSIBLE_NOW, str(exc), state=exc.state.value)
        case ChangedMeanwhile():
            return Problem(kinds.CHANGED_MEANWHILE, exc.reason, revision=exc.case.revision)
        case ApprovalNoLongerHolds():
            return Problem(kinds.APPROVAL_NO_LONGER_HOLDS, str(exc))
        case AlreadyUnderWay():
            return Problem(kinds.ALREADY_UNDER_WAY, str(exc))
        case Invalid():
            return Problem(kinds.INVALID_CONTENT, exc.problem, errors=[at(pointer_to(*exc.steps), exc.problem)])
        case CorrectionError():
            return Problem(kinds.NOT_APPLICABLE, exc.problem, errors=[at("", exc.problem, exc.remedy, path=exc.path)])
        case CheckFailed():
            return Problem(
                kinds.CHECK_FAILED, str(exc), errors=[_of_check(error) for error in exc.report.errors],
                check=exc.report.check,
            )  # fmt: skip
        case TranslationFailed():
            return Problem(kinds.NOT_TRANSLATED, str(exc), errors=[_of_map(error) for error in exc.errors])
    return None


def _of_map(error: RefusalError) -> dict[str, str]:
    remedy = f"What would pass: {', '.join(error.allowed)}." if error.allowed else "Mend the map, or the source."
    return {
        "code": error.code, "said_by": error.said_by, "path": error.field_path, "source": error.path, "was": error.was,
        "detail": error.plain, "remedy": remedy,
    }  # fmt: skip


def _of_closed(one: Closed) -> dict[str, str]:
    field, remedy = one.field, "Leave it as it is, or have somebody change it who may."
    return at("", one.words, remedy, field=field.label, term=field.term, path=field.path)


def _of_check(error: RefusalError) -> dict[str, str]:
    remedy = f"The value {error.proposed_value} would pass." if error.proposed_value else "Correct this field."
    return {
        "code": error.code, "term": error.term, "field": error.field, "path": error.field_path,
        "detail": error.plain or error.text, "remedy": remedy,
    }  # fmt: skip


_BY_CLASS: Mapping[type[exceptions.APIException], ProblemKind] = {
    exceptions.NotAuthenticated: kinds.UNAUTHENTICATED,
    exceptions.AuthenticationFailed: kinds.UNAUTHENTICATED,
    exceptions.PermissionDenied: kinds.NOT_PERMITTED,
    exceptions.NotFound: kinds.NOT_FOUND,
    exceptions.MethodNotAllowed: kinds.METHOD_NOT_ALLOWED,
    exceptions.NotAcceptable: kinds.NOT_ACCEPTABLE,
    exceptions.ParseError: kinds.MALFORMED,
    exceptions.UnsupportedMediaType: kinds.UNSUPPORTED_MEDIA_TYPE,
    exceptions.Throttled: kinds.TOO_MANY_REQUESTS,
}


def _of_framework(exc: Exception) -> Problem | None:
    if isinstance(exc, Http404):
        return Problem(kinds.NOT_FOUND)
    if isinstance(exc, PermissionDenied):
        return Problem(kinds.NOT_PERMITTED, str(exc))
    if isinstance(exc, exceptions.ValidationError):
        return Problem(
            kinds.INVALID_CONTENT, "Some fields cannot be used; each is named below.", errors=errors_of(exc.detail)
        )
    kind = next((kind for known, kind in _BY_CLASS.items() if isinstance(exc, known)), None)
    if kind is None or not isinstance(exc, exceptions.APIException):
        return None
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = str(challenge)
    if (wait := getattr(exc, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait) + 1)
    if isinstance(exc, exceptions.PermissionDenied):
        return Problem(kind, str(exc.detail), errors=_of_session(str(exc.detail)))
    return Problem(kind, f"{exc.detail} {kind.remedy}", headers=headers)


_BY_OUTAGE: Mapping[Outage, ProblemKind] = {Outage.DATABASE: kinds.UNAVAILABLE, Outage.DISK: kinds.STORAGE_FULL}


def _of_outage(exc: BaseException | None) -> Problem | None:
    outage = outage_of(exc)
    return Problem(_BY_OUTAGE[outage], headers={"Retry-After": str(outage.retry_after)}) if outage else None


def _of_session(detail: str) -> list[dict[str, str]]:
    """A session without its CSRF token is refused by the framework, in its words."""
    remedy = "Send the CSRF token of the session, or a bearer token instead of a session."
    return [{"header": "X-CSRFToken", "detail": detail, "remedy": remedy}] if "CSRF" in detail else []


def errors_of(detail: Any, *steps: object) -> list[dict[str, str]]:
    """The messages of a validation, each with the pointer to its place."""
    if isinstance(detail, Mapping):
        return [
            error
            for key, inner in detail.items()
            for error in errors_of(inner, *steps, *(() if key == "non_field_errors" else (key,)))
        ]
    if isinstance(detail, list):
        found = []
        for index, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            found += errors_of(inner, *steps, index) if nested else errors_of(inner, *steps)
        return found
    return [at(pointer_to(*steps), str(detail), _REMEDIES.get(getattr(detail, "code", ""), _ANY_REMEDY))]


# Where Django itself refuses, outside the views of the API. -----------------------------------------------------------


def plain_problem(
    request: HttpRequest, kind: ProblemKind, *, because: BaseException | None = None, detail: str = ""
) -> HttpResponse:
    """A problem without the framework: what failed may be what it needs. An outage is named, whatever the `kind`."""
    problem = _of_outage(because) or Problem(kind, detail)
    _note(problem, request)
    return JsonResponse(
        problem_body(problem, request), status=problem.kind.status, content_type=MEDIA_TYPE, headers=problem.headers
    )
