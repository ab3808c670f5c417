"""How addresses are described in the OpenAPI document: every one with its problems, headers and examples."""

from collections.abc import Callable, Iterable, Mapping
from inspect import getdoc
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.problem_kinds import ProblemKind
from exceptions_app.api.problems import MEDIA_TYPE
from exceptions_app.api.responses import Shape

F = TypeVar("F", bound=Callable[..., Any])

READING = (
    kinds.INVALID_PARAMETER, kinds.UNAUTHENTICATED, kinds.OUT_OF_SCOPE, kinds.METHOD_NOT_ALLOWED, kinds.NOT_ACCEPTABLE,
    kinds.TOO_MANY_REQUESTS, kinds.SERVER_ERROR, kinds.UNAVAILABLE,
)  # fmt: skip
WRITING = (
    *READING, kinds.NOT_PERMITTED, kinds.MALFORMED, kinds.LENGTH_REQUIRED, kinds.TOO_LARGE,
    kinds.UNSUPPORTED_MEDIA_TYPE, kinds.INVALID_CONTENT, kinds.REQUEST_IN_FLIGHT, kinds.KEY_REUSED, kinds.STORAGE_FULL,
)  # fmt: skip

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key", OpenApiTypes.STR, OpenApiParameter.HEADER,
    description="1 to 255 visible ASCII characters. A repeat with the same key and body receives the first answer "
    "and does nothing; kept for seven days for each account.",
)  # fmt: skip
IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER,
    description="The ETag of the exception as it was read, or several of them, or * for any revision. At another "
    "revision nothing is done and the answer is 412. Where the installation requires it, leaving it out is 428.",
)  # fmt: skip
REF = OpenApiParameter("ref", OpenApiTypes.STR, OpenApiParameter.PATH, description="Reference, for instance EX-1042.")
CURSOR = OpenApiParameter("cursor", OpenApiTypes.STR, description="From a link next or previous; leave out to start.")
PAGE_SIZE = OpenApiParameter("page_size", OpenApiTypes.INT, description="1 to 200, 50 when left out.")


class BearerToken(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes the tokens of programs; named by its path, because this room does not import that one."""

    target_class = "workbench.tokens.TokenAuthentication"
    name = "bearerToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A token of an account. Needs no CSRF token."}


class ProblemError(Shape):
    """One place at fault."""

    pointer = serializers.CharField(required=False, help_text="JSON Pointer (RFC 6901) into the body.")
    parameter = serializers.CharField(required=False, help_text="The query parameter at fault.")
    header = serializers.CharField(required=False, help_text="The request header at fault.")
    path = serializers.CharField(required=False, help_text="The place in the document, for a correction or a check.")
    code = serializers.CharField(required=False, help_text="The code of the rule, for a check.")
    term = serializers.CharField(required=False, help_text="The business term, for a check.")
    field = serializers.CharField(required=False, help_text="The label of the field, for a check.")
    detail = serializers.CharField(help_text="What is wrong.")
    remedy = serializers.CharField(help_text="What to do about it.")


class ProblemDocument(Shape):
    """A refusal after RFC 9457."""

    type = serializers.CharField(help_text="Stable reference to the kind of problem, explained at that address.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField(help_text="The address that was asked.")
    errors_ = ProblemError(many=True)
    trace_id = serializers.CharField(help_text="The request's identifier, also in X-Request-ID; for support.")
    revision = serializers.IntegerField(required=False, help_text="The current revision, when it is about one.")


def endpoint(
    operation_id: str,
    summary: str,
    description: str,
    *,
    tag: str,
    answers: Mapping[int | tuple[int, str], Any],
    problems: Iterable[ProblemKind],
    request: Any = None,
    parameters: Iterable[OpenApiParameter] = (),
    examples: Iterable[OpenApiExample] = (),
) -> Callable[[F], F]:
    """Describe one method of one address."""
    described: Callable[[F], F] = extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=description,
        tags=[tag],
        request=request,
        responses={**{status: _described(shape) for status, shape in answers.items()}, **_problem_answers(problems)},
        parameters=list(parameters),
        examples=list(examples),
        filters=False,
    )
    return described


def _described(shape: Any) -> OpenApiResponse:
    """An answer says in words what its shape says about itself."""
    return shape if isinstance(shape, OpenApiResponse) else OpenApiResponse(shape, description=getdoc(shape) or "")


def _problem_answers(problems: Iterable[ProblemKind]) -> dict[tuple[int, str], OpenApiResponse]:
    by_status: dict[int, list[ProblemKind]] = {}
    for kind in dict.fromkeys(problems):
        by_status.setdefault(kind.status, []).append(kind)
    return {
        (status, MEDIA_TYPE): OpenApiResponse(
            ProblemDocument,
            description=" ".join(f"{kind.title}: {kind.meaning}" for kind in found),
            examples=[_example_of(kind) for kind in found],
        )
        for status, found in sorted(by_status.items())
    }


def _example_of(kind: ProblemKind) -> OpenApiExample:
    return OpenApiExample(
        kind.slug,
        value={
            "type": kind.type, "title": kind.title, "status": kind.status, "detail": kind.meaning,
            "instance": "/api/v1/…", "errors": [], "trace_id": "5f0c1f5e-6d0b-4a54-9f0e-0f3d5c8d0a11",
        },
        response_only=True,
        status_codes=[str(kind.status)],
        media_type=MEDIA_TYPE,
    )  # fmt: skip
