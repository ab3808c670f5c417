"""Correcting through the API: by steps, by business fields, or by the whole document."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.utils.timezone import now
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions.correct import correct
from exceptions_app.actions.mover import Invalid
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests, responses
from exceptions_app.api.actions import PROBLEMS, TAG
from exceptions_app.api.base import ActingView, case_for, person
from exceptions_app.api.case_document import check_of, document_of
from exceptions_app.api.documented import IDEMPOTENCY_KEY, IF_MATCH, REF, endpoint
from exceptions_app.api.preconditions import as_seen, etag_of
from exceptions_app.api.problems import Problem, at, pointer_to
from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.queries.case_page import content_of, read_case_page
from integrations.connectors.base import CorrectionError, Operation
from integrations.connectors.registry import get_connector
from integrations.records.record import Record
from integrations.refusals import MessageNotUnderstood

_EXAMPLES = [
    OpenApiExample(
        "By business field",
        value={"base_version": 1, "because": "Taken from the order confirmation.", "fields": {"BT-2": "2026-11-02"}},
        request_only=True,
    ),
    OpenApiExample(
        "By steps",
        value={
            "base_version": 1,
            "because": "Taken from the order confirmation.",
            "operations": [
                {"op": "test", "path": "/ubl:Invoice/cbc:IssueDate", "value": ""},
                {"op": "add", "path": "/ubl:Invoice/cbc:IssueDate", "value": "2026-11-02"},
            ],
        },
        request_only=True,
    ),
    OpenApiExample(
        "By the whole document",
        value={"base_version": 1, "because": "Exported anew.", "payload": {"base64": "PD94bWwgdmVyc2lvbj0iMS4wIj8+"}},
        request_only=True,
    ),
]


class Correct(ActingView):
    @endpoint(
        "correct_exception",
        "Correct",
        "Write the next version of the payload and have it checked. A correction that does not pass the check is "
        "stored too and says so in check; it cannot be proposed yet. An open proposal dies with the change. Steps are "
        "applied all or none. Needs the verb correct on the queue and on the legal entity.",
        tag=TAG,
        request=requests.Correct,
        answers={201: responses.Corrected},
        problems=(*PROBLEMS, kinds.NOT_APPLICABLE),
        parameters=[REF, IF_MATCH, IDEMPOTENCY_KEY],
        examples=_EXAMPLES,
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, ref: str) -> Response:
        case = case_for(request, ref)
        data = requests.body_of(request, requests.Correct)
        with as_seen(request, case):
            version = _write(case, data, by=person(request))
        page = read_case_page(case_for(request, ref), person(request))
        return Response(
            {
                "version": version.number,
                "sha256": version.sha256,
                "check": check_of(version),
                "changes": version.changes,
                "exception": document_of(page, request),
            },
            status=201,
            headers={"ETag": etag_of(page.case)},
        )


def _write(case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser) -> PayloadVersion:
    way = next(way for way in ("operations", "fields", "payload") if way in data)
    try:
        operations = _operations(case, data) if way == "fields" else data.get("operations", ())
        return correct(
            case.pk, by=by, at=now(), because=data["because"], base_version=data["base_version"],
            operations=[Operation(**step) for step in operations],
            payload=data["payload"]["content"] if way == "payload" else None,
        )  # fmt: skip
    except CorrectionError as error:
        raise Problem(
            kinds.NOT_APPLICABLE, error.problem,
            errors=[at(_pointer(error, data, way), error.problem, error.remedy or "Correct it.", path=error.path)],
        ) from error  # fmt: skip
    except Invalid as error:
        raise Invalid(way if error.field == "changes" else error.field, error.problem) from error


def _operations(case: ExceptionCase, data: Mapping[str, Any]) -> list[Operation]:
    """The steps that put these texts into the version that was looked at, each with a test of what stands there."""
    base = content_of(case, data["base_version"])
    if base is None:
        raise Invalid("base_version", f"{case.ref} has no version {data['base_version']}.")
    connector = get_connector(case.connection.connector)
    content = bytes(base.content)
    try:
        record = connector.read(content)
    except MessageNotUnderstood as error:
        raise CorrectionError(error.problem, remedy=error.remedy) from error
    changes = {_path_of(name, record): text or "" for name, text in data["fields"].items()}
    return connector.operations_for(content, changes)


def _path_of(name: str, record: Record) -> str:
    """The path that a business term or a path names; raises Problem when that is not exactly one."""
    if "/" in name:
        return name
    paths = [field.path for field in record.fields if field.term == name]
    if len(paths) == 1:
        return paths[0]
    if not paths:
        detail, remedy = f"This document has no field {name[:40]}.", "Use a term or path of the exception's record."
    else:
        detail = f"This document has {len(paths)} fields {name[:40]}."
        remedy = f"Name one by its path: {', '.join(paths[:5])}."
    raise Problem(kinds.INVALID_CONTENT, detail, errors=[at(pointer_to("fields", name), detail, remedy)])


def _pointer(error: CorrectionError, data: Mapping[str, Any], way: str) -> str:
    """Which part of the request the path at fault came from."""
    if way == "operations":
        for index, step in enumerate(data["operations"]):
            if step["path"] == error.path:
                return pointer_to("operations", index)
    if way == "fields" and error.path in data["fields"]:
        return pointer_to("fields", error.path)
    return pointer_to(way)
