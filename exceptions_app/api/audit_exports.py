"""Exports of the audit trail, for programs: asked for, followed, halted, and their files taken."""

import json
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from django.http import Http404, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.formats import FORMATS, MEDIA_TYPES
from audit.queries import EventFilter
from exceptions_app.actions import export_start
from exceptions_app.actions.audit_export import MISSING_EXPORT
from exceptions_app.actions.export_download import NoFile, download_export
from exceptions_app.actions.mover import Invalid
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import ActingView, ApiView, person
from exceptions_app.api.cases import AnyType
from exceptions_app.api.documented import CURSOR, IDEMPOTENCY_KEY, PAGE_SIZE, READING, WRITING, endpoint
from exceptions_app.api.moving import Move, move
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.problems import Problem
from exceptions_app.api.responses import Shape
from exceptions_app.api.strict import Moment, StrictSerializer, Text
from exceptions_app.export_states import ExportState
from exceptions_app.models import AuditExport, ReplayBatch
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.audit_exports import NEWEST, exports_within, find_export, manifest_of
from exceptions_app.queries.audit_page import readable_scopes
from exceptions_app.queries.replay_batches import batch_to_export

_TAG: Final = "Audit trail"
_PROBLEMS: Final = (*WRITING, kinds.NOT_FOUND, kinds.NOT_POSSIBLE_NOW)
_REF: Final = OpenApiParameter(
    "ref", OpenApiTypes.STR, OpenApiParameter.PATH, description="Reference, for instance AX-7."
)  # fmt: skip


def _word(most: int, words: str) -> Text:
    return Text(max_length=most, required=False, allow_blank=True, default="", help_text=words)


class StartAuditExport(StrictSerializer):
    """A filter of the audit trail, and the format of the file."""

    format = serializers.ChoiceField(choices=list(FORMATS))
    since = Moment(required=False, allow_null=True, default=None, help_text="At or after it.")
    until = Moment(required=False, allow_null=True, default=None, help_text="Before it; now when left out.")
    entity = _word(20, "Code of a legal entity, for the events of its exceptions alone.")
    actor = _word(254, "User name.")
    action = _word(80, "Such as case.approved; one that ends in a dot means every action below it.")
    subjects = serializers.ListField(
        child=Text(max_length=200, help_text="For instance case:EX-1042."), required=False, default=list, max_length=50
    )
    batch = _word(
        20, "Reference of a batch, such as B-7, for its events and those of its exceptions; without subjects."
    )


class AuditExportShape(Shape):
    """An export, and how far it is. Done, its manifest is complete, and its file is there until it expires."""

    ref = serializers.CharField()
    state = serializers.CharField(help_text=", ".join(ExportState))
    problem = serializers.CharField(help_text="Why it failed; else empty.")
    percent = serializers.IntegerField()
    expected = serializers.IntegerField(help_text="Events that the filter let through when it was asked for.")
    manifest = serializers.DictField(
        help_text="Filter, scopes, who asked and when, rows, bytes, SHA-256 of the file, and the newest checkpoint."
    )


def as_json(export: AuditExport) -> dict[str, Any]:
    return {
        "ref": export.ref,
        "state": export.state,
        "problem": export.problem,
        "percent": export.percent,
        "expected": export.expected,
        "manifest": manifest_of(export),
    }


def _scopes(request: Request) -> frozenset[str]:
    scopes = readable_scopes(person(request))
    if not scopes:
        raise NotPermitted(MISSING_EXPORT)
    return scopes


def _export(request: Request, ref: str) -> AuditExport:
    """One whose events the account may read; otherwise the same answer as for none."""
    found = find_export(person(request), ref)
    if found is None:
        raise Http404
    return found


def _batch(request: Request, asked: dict[str, Any]) -> ReplayBatch | None:
    if not asked["batch"]:
        return None
    found = batch_to_export(person(request), asked["batch"])
    if found is None:
        raise Invalid("batch", f"There is no batch “{asked['batch']}” of which you may read the log of all items.")
    if asked["subjects"]:
        raise Invalid("subjects", "Ask for a batch or for subjects, not for both.")
    return found


class AuditExports(ActingView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_audit_exports",
        "List exports of the audit trail",
        "Those whose events the account may read, all of them, newest first.",
        tag=_TAG,
        answers={200: documented_page(AuditExportShape, name="AuditExportPage")},
        problems=[*READING, kinds.NOT_PERMITTED],
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        page = page_of(request, exports_within(_scopes(request)), NEWEST)
        return answer_page(page, lambda rows: [as_json(row) for row in rows])

    @endpoint(
        "start_audit_export",
        "Export the audit trail",
        "A file of the events that the filter lets through and the account may read, written before this request. It "
        "is made in the background: read the export for how far it is, then take its file. Three at once.",
        tag=_TAG,
        request=StartAuditExport,
        answers={201: AuditExportShape},
        problems=WRITING,
        parameters=[IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "Request",
                value={"format": "parquet", "since": "2026-01-01T00:00:00Z", "action": "case."},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        scopes = _scopes(request)
        asked = requests.body_of(request, StartAuditExport)
        if entity := asked["entity"]:
            scopes = frozenset(scope for scope in scopes if scope.startswith(f"{entity}/"))
        names = ("since", "until", "actor", "action", "subjects")
        filters = EventFilter(scopes=scopes, **{name: asked[name] for name in names})
        batch = _batch(request, asked)
        export = export_start.start_export(
            filters, asked["format"], by=person(request), at=now(), key=uuid4(), batch=batch
        )
        location = f"{request.build_absolute_uri(request.path)}/{export.ref}"
        return Response(as_json(export), status=201, headers={"Location": location})

    def repeated(self, request: Request, body: bytes, *args: Any, **kwargs: Any) -> bytes:
        ref = json.loads(body).get("ref")
        if ref is not None:
            _export(request, ref)
        return body


class AuditExportOne(ApiView):
    @endpoint(
        "read_audit_export",
        "Read an export of the audit trail",
        "How far it is; and once it is done, its manifest.",
        tag=_TAG,
        answers={200: AuditExportShape},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[_REF],
    )
    def get(self, request: Request, ref: str) -> Response:
        return Response(as_json(_export(request, ref)))


class AuditExportFile(ApiView):
    content_negotiation_class = AnyType

    @endpoint(
        "read_audit_export_file",
        "Take the file of an export",
        "Byte for byte what the manifest says. Whether the account may read all of it is asked again, and that it was "
        "taken is an event.",
        tag=_TAG,
        answers={
            (200, media_type.partition(";")[0]): OpenApiResponse(OpenApiTypes.BINARY, description="The file.")
            for media_type in MEDIA_TYPES.values()
        },
        problems=[*READING, kinds.NOT_FOUND, kinds.NOT_POSSIBLE_NOW],
        parameters=[_REF],
    )
    def get(self, request: Request, ref: str) -> StreamingHttpResponse:
        export = _export(request, ref)
        try:
            chunks = download_export(export, by=person(request), at=now())
        except NoFile as error:
            raise Problem(kinds.NOT_POSSIBLE_NOW, str(error), state=export.state) from error
        response = StreamingHttpResponse(chunks, content_type=MEDIA_TYPES[export.form])
        response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=export.file_name)
        response["Content-Length"] = str(export.size)
        response["X-Content-SHA256"] = export.sha256
        return response


class _ExportMove(Move):
    def find(self, request: Request, ref: str) -> AuditExport:
        return _export(request, ref)

    def tell(self, request: Request, ref: str) -> Response:
        return Response(as_json(_export(request, ref)))


def _move(name: str, title: str, description: str) -> Callable[[type[Move]], type[Move]]:
    return move(
        name, title, description, form=requests.Nothing, answer=AuditExportShape, tag=_TAG, ref=_REF,
        problems=_PROBLEMS,
    )  # fmt: skip


@_move("pause_audit_export", "Pause an export", "Write nothing more until it is resumed. What was written is kept.")
class PauseAuditExport(_ExportMove):
    carry_out = staticmethod(export_start.pause_export)


@_move("resume_audit_export", "Resume an export", "Go on where it was, also where it failed.")
class ResumeAuditExport(_ExportMove):
    carry_out = staticmethod(export_start.resume_export)


@_move("cancel_audit_export", "Cancel an export", "For good. What was written of the file is removed.")
class CancelAuditExport(_ExportMove):
    carry_out = staticmethod(export_start.cancel_export)
