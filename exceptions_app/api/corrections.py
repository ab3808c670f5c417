"""Correcting through the API: by steps, by business fields, or by the whole document."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.utils.timezone import now
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions.correct import correct, latest_version
from exceptions_app.actions.mover import Invalid
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.actions import PROBLEMS, TAG, CaseAction
from exceptions_app.api.base import case_for, person
from exceptions_app.api.case_document import check_of, document_of
from exceptions_app.api.documented import IDEMPOTENCY_KEY, IF_MATCH, REF, endpoint
from exceptions_app.api.exception_shapes import Corrected
from exceptions_app.api.preconditions import as_seen, etag_of, precondition_of
from exceptions_app.api.problems import Problem, pointer_to
from exceptions_app.api.problems import at as fault_at
from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.queries.case_page import content_of, read_case_page
from exceptions_app.typed_values import Misfit, misfit_of, new_misfits, one_line_ending
from exceptions_app.veil import veil_of_fields
from integrations.connectors.base import Connector, CorrectionError, Operation
from integrations.connectors.registry import get_connector
from integrations.records.record import Record, RecordField
from integrations.refusals import MessageNotUnderstood

_EXAMPLES = [
    OpenApiExample(
        "By business field",
        value={"base_version": 1, "because": "Taken from the order confirmation.", "fields": {"BT-2": "2026-11-02"}},
        request_only=True,
    ),
    OpenApiExample(
        "By business field, with what stands there",
        value={
            "base_version": 1,
            "because": "The purchase order was renumbered.",
            "changes": [{"field": "BT-13", "was": "PO-17", "will_be": "4500017"}],
        },
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


class Correct(CaseAction):
    form = requests.Correct
    success = 201

    @endpoint(
        "correct_exception",
        "Correct",
        "Write the next version of the payload and have it checked. A correction that does not pass the check is "
        "stored too and says so in check; it cannot be proposed yet. A text that cannot be the value of its "
        "field, such as a date that is none, is refused and its field named. An open proposal dies with the change. "
        "Steps are applied all or none, and so are "
        "fields and changes. Needs the verb correct on the queue and on the legal entity.",
        tag=TAG,
        request=requests.Correct,
        answers={201: Corrected},
        problems=(*PROBLEMS, kinds.NOT_APPLICABLE),
        parameters=[REF, IF_MATCH, IDEMPOTENCY_KEY],
        examples=_EXAMPLES,
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, ref: str) -> Response:
        case = case_for(request, ref)
        data = requests.body_of(request, self.form)
        with as_seen(precondition_of(request, case), case):
            version = _write(case, data, by=person(request), at=now())
        page = read_case_page(case_for(request, ref), person(request))
        return Response(
            {
                "version": version.number,
                "sha256": version.sha256,
                "check": check_of(version),
                "changes": version.changes,
                "exception": document_of(page, request),
            },
            status=self.success,
            headers={"ETag": etag_of(page.case)},
        )

    def carry_out(self, case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> None:
        _write(case, {"base_version": latest_version(case).number, **data}, by=by, at=at)


def _write(case: ExceptionCase, data: Mapping[str, Any], *, by: AbstractUser, at: datetime) -> PayloadVersion:
    way = next(way for way in requests.CORRECTING if way in data)
    try:
        operations = _well_formed_steps(case, data, way) if way != "payload" else ()
        return correct(
            case.pk, by=by, at=at, because=data["because"], base_version=data["base_version"],
            operations=operations,
            payload=data["payload"]["content"] if way == "payload" else None,
        )  # fmt: skip
    except CorrectionError as error:
        pointer, remedy = _pointer(error.path, data, way), error.remedy or "Correct it."
        errors = [fault_at(pointer, error.problem, remedy, path=error.path)]
        raise Problem(kinds.NOT_APPLICABLE, error.problem, errors=errors) from error
    except Invalid as error:
        raise Invalid(way if error.field == "changes" else error.field, error.problem) from error


def _well_formed_steps(case: ExceptionCase, data: Mapping[str, Any], way: str) -> Sequence[Operation]:
    """The steps of a correction, each value in the shape of its field as on the page; raises Problem for the others."""
    base = content_of(case, data["base_version"])
    if base is None:
        raise Invalid("base_version", f"{case.ref} has no version {data['base_version']}.")
    connector = get_connector(case.connection.connector)
    content = bytes(base.content)
    record = _read(connector, content)
    if way == "fields":
        return connector.operations_for(content, _changes(data["fields"], record))
    if way == "changes":
        return connector.operations_for(content, _expected_changes(data["changes"], record))
    steps: list[Operation] = list(data["operations"])
    found = new_misfits(record, _read(connector, connector.correct(content, steps)))
    _refuse((_writing_step(field, steps), field, misfit) for field, misfit in found)
    return steps


def _read(connector: Connector, content: bytes) -> Record:
    try:
        return connector.read(content)
    except MessageNotUnderstood as error:
        raise CorrectionError(error.problem, remedy=error.remedy) from error


def _changes(typed: Mapping[str, str | None], record: Record) -> dict[str, str]:
    """Path → text, as the steps are made from them; each turned into steps with a test of what stands there."""
    changes, found = {}, []
    for name, text in typed.items():
        pointer = pointer_to("fields", name)
        path = _path_of(name, record, pointer)
        changes[path] = _as_typed(text)
        found += _misfits(record, path, changes[path], pointer)
    _refuse(found)
    return changes


def _expected_changes(wanted: Sequence[Mapping[str, str | None]], record: Record) -> dict[str, str]:
    """Path → text, after each field was found to hold what is expected there; raises Problem that names the others."""
    changes: dict[str, str] = {}
    veil = veil_of_fields(record.fields)  # whoever may not see the value names its mask
    others, found = [], []
    for index, change in enumerate(wanted):
        pointer = pointer_to("changes", index)
        path = _path_of(str(change["field"]), record, f"{pointer}/field")
        if path in changes:
            problem = "This field is changed twice."
            raise Problem(
                kinds.INVALID_CONTENT, problem, errors=[fault_at(pointer, problem, "Change each field once.")]
            )
        changes[path] = _as_typed(change["will_be"])
        field = record.field_at(path)
        holds, expected = _as_typed(field.value if field else None), _as_typed(change["was"])
        if expected not in (holds, _as_typed(veil.text(holds))):
            shown = f"“{veil.text(holds)[:60]}”" if holds else "nothing"
            others.append(fault_at(f"{pointer}/was", f"The field holds {shown}.", "Look at it again.", path=path))
        found += _misfits(record, path, changes[path], f"{pointer}/will_be")
    if others:
        raise Problem(kinds.NOT_APPLICABLE, "A field does not hold what is expected; each is named.", errors=others)
    _refuse(found)
    return changes


def _as_typed(text: str | None) -> str:
    return one_line_ending(text or "").strip()


def _misfits(record: Record, path: str, text: str, pointer: str) -> list[tuple[str, RecordField, Misfit]]:
    field = record.field_at(path)
    misfit = misfit_of(text, field) if field is not None else None
    return [(pointer, field, misfit)] if field is not None and misfit else []


def _refuse(found: Iterable[tuple[str, RecordField, Misfit]]) -> None:
    """Raise a Problem that names every field with an ill-formed value, when there are any."""
    errors = [
        fault_at(pointer, misfit.problem, misfit.remedy, field=field.label, term=field.term, path=field.path)
        for pointer, field, misfit in found
    ]
    if errors:
        raise Problem(kinds.INVALID_CONTENT, "Some fields cannot be used; each is named below.", errors=errors)


def _path_of(name: str, record: Record, pointer: str) -> str:
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
    raise Problem(kinds.INVALID_CONTENT, detail, errors=[fault_at(pointer, detail, remedy)])


def _pointer(path: str, data: Mapping[str, Any], way: str) -> str:
    """Which part of the request the path at fault came from."""
    if way == "operations":
        for index, step in enumerate(data["operations"]):
            if step["path"] == path:
                return pointer_to("operations", index)
    if way == "fields" and path in data["fields"]:
        return pointer_to("fields", path)
    if way == "changes":
        for index, change in enumerate(data["changes"]):
            if change["field"] == path:
                return pointer_to("changes", index)
    return pointer_to(way)


def _writing_step(field: RecordField, steps: Sequence[Operation]) -> str:
    """The step that writes a field; all of them when it is not told by its path, as for a fragment of XML."""
    writing = [index for index, step in enumerate(steps) if step["op"] != "test" and step["path"] == field.path]
    return pointer_to("operations", *writing[-1:])
