"""The OpenAPI document: the same for everybody until the next start, so it is made once for each format."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

SHARED = "#/components/responses/"


def share_refusals(result: dict[str, Any], **_known: Any) -> dict[str, Any]:
    """Write each refusal once, as a component that operations refer to: repeated, they are most of the document."""
    shared: dict[str, Any] = {}
    names: dict[str, str] = {}  # the answer as JSON → the name of its component
    for status, answers in _refusals(result):
        written = json.dumps(answers[status], sort_keys=True, default=str)
        if written not in names:
            names[written] = _free_name(status, answers[status], shared)
            shared[names[written]] = answers[status]
        answers[status] = {"$ref": SHARED + names[written]}
    result["components"]["responses"] = dict(sorted(shared.items()))
    return result


def _refusals(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each status from 400 on, with the answers among which it stands."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for status in [status for status in operation["responses"] if status >= "400"]:
                yield status, operation["responses"]


def _free_name(status: str, answer: dict[str, Any], taken: dict[str, Any]) -> str:
    kinds = [kind for content in answer.get("content", {}).values() for kind in content.get("examples", ())]
    name = "-".join([status, *(kind.lower() for kind in kinds)])
    return name if name not in taken else f"{name}-{len(taken)}"


def answers_of(document: Mapping[str, Any], operation: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The answers of an operation by their status, each whole where the operation only refers to it."""
    shared = document["components"].get("responses", {})
    return {
        status: shared[answer["$ref"].removeprefix(SHARED)] if "$ref" in answer else answer
        for status, answer in operation["responses"].items()
    }


class Schema(SpectacularAPIView):
    """Needs no account, and making it takes a second: nobody can have that second as often as they like."""

    made: ClassVar[dict[str, bytes]] = {}  # media type → document

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer = request.accepted_renderer
        if renderer.media_type not in self.made:
            document = super().get(request, *args, **kwargs).data  # type: ignore[no-untyped-call]
            written = renderer.render(document, renderer.media_type, {})
            self.made[renderer.media_type] = written.encode() if isinstance(written, str) else written
        return HttpResponse(self.made[renderer.media_type], content_type=renderer.media_type)
