"""Field maps through the API: versions, which one translates, and what one would make of a payload."""

import json
from collections.abc import Callable
from typing import Any

from django.http import Http404
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions import field_maps as actions
from exceptions_app.actions.mover import Invalid
from exceptions_app.api import field_map_shapes as shapes
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.base import ActingView, ApiView, person
from exceptions_app.api.documented import CURSOR, IDEMPOTENCY_KEY, PAGE_SIZE, READING, WRITING, endpoint
from exceptions_app.api.pagination import NEWEST, PARAMETERS, answer, answer_page, documented_page, page_of
from exceptions_app.api.preconditions import require_etag
from exceptions_app.api.problems import Problem, at, pointer_to
from exceptions_app.api.requests import body_of
from exceptions_app.field_map_preview import preview_of
from exceptions_app.policies import NotPermitted
from exceptions_app.queries import field_maps as reads
from exceptions_app.queries.connection_reach import ConnectionReach, connection_reach_of
from exceptions_app.queries.field_maps import MapKey, MapState
from exceptions_app.veiling import speaks_of_document
from integrations.fieldmaps.active import context_of
from integrations.fieldmaps.declaration import MapNotUnderstood, read_text
from integrations.fieldmaps.fit import require_fit
from integrations.models import Connection, Direction, FieldMap
from integrations.records.schemas import DESCRIPTIONS
from integrations.records.schemas.description import json_schema

_TAG = "Field maps"
_SLUG = OpenApiParameter("slug", OpenApiTypes.STR, OpenApiParameter.PATH, description="Name of the connection.")
_NAME = OpenApiParameter(
    "name", OpenApiTypes.STR, OpenApiParameter.PATH, description="Direction and kind, such as inbound-invoice."
)
_NUMBER = OpenApiParameter("number", OpenApiTypes.INT, OpenApiParameter.PATH, description="Number of the version.")
_KIND = OpenApiParameter(
    "object_type", OpenApiTypes.STR, OpenApiParameter.PATH, description="invoice, journal or payment."
)
_IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER,
    description="The ETag of the map as it was read. After another version or switch nothing is done: 412.",
)  # fmt: skip
_PROBLEMS = (*WRITING, kinds.NOT_FOUND, kinds.PRECONDITION_FAILED, kinds.PRECONDITION_REQUIRED)
_MAP = {"rules": [{"to": "/number", "from": "/deal/invoice_no", "required": True}]}


def _connection_for(request: Request, slug: str) -> tuple[Connection, ConnectionReach]:
    reach = connection_reach_of(person(request))
    found = Connection.objects.filter(slug=slug, pk__in=reach.seen).defer("target_token", "write_back_secret").first()
    if found is None:
        raise Http404
    return found, reach


def _key_for(name: str) -> MapKey:
    direction, _, object_type = name.partition("-")
    if direction not in Direction.values or object_type not in DESCRIPTIONS:
        raise Http404
    return MapKey(direction, object_type)


class FieldMaps(ApiView):
    @endpoint(
        "list_field_maps",
        "List the field maps of a connection",
        "Every map that has a version, with the version in use. For everybody who may see the connection.",
        tag=_TAG,
        answers={200: documented_page(shapes.FieldMapShape, name="FieldMapPage")},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[_SLUG],
    )
    def get(self, request: Request, slug: str) -> Response:
        connection, _ = _connection_for(request, slug)
        rows = [shapes.represent_map(connection, state, request) for state in reads.map_states(connection)]
        return answer(rows, next_page=None, previous_page=None)


class FieldMapItem(ApiView):
    @endpoint(
        "read_field_map",
        "Read a field map",
        "Its newest version and the one in use. The ETag changes with every version and every switch, for If-Match.",
        tag=_TAG,
        answers={200: shapes.FieldMapShape},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[_SLUG, _NAME],
    )
    def get(self, request: Request, slug: str, name: str) -> Response:
        connection, _ = _connection_for(request, slug)
        return _answer(connection, _key_for(name), request)


def _answer(connection: Connection, key: MapKey, request: Request) -> Response:
    state = reads.map_state(connection, key)
    return Response(shapes.represent_map(connection, state, request), headers={"ETag": state.etag})


class FieldMapVersions(ActingView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_field_map_versions",
        "List the versions of a field map",
        "Newest first, each with its declaration, author and note. A version never changes.",
        tag=_TAG,
        answers={200: documented_page(shapes.FieldMapVersion, name="FieldMapVersionPage")},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[_SLUG, _NAME, CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request, slug: str, name: str) -> Response:
        connection, _ = _connection_for(request, slug)
        rows = reads.every_version(connection, _key_for(name))
        return answer_page(
            page_of(request, rows, NEWEST),
            lambda found: [shapes.represent_version(connection, row, request) for row in found],
        )

    @endpoint(
        "save_field_map",
        "Save a version",
        "It translates nothing until it is put to use. A map that cannot be read, or that names no field of the "
        "canonical document, is refused with the place. The same declaration again makes no new version. Needs "
        "configure_connection.",
        tag=_TAG,
        request=shapes.NewFieldMap,
        answers={201: shapes.FieldMapVersion},
        problems=_PROBLEMS,
        parameters=[_SLUG, _NAME, _IF_MATCH, IDEMPOTENCY_KEY],
        examples=[OpenApiExample("Request", value={"map": _MAP, "note": "First version."}, request_only=True)],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, slug: str, name: str) -> Response:
        connection, _ = _connection_for(request, slug)
        key, data = _key_for(name), body_of(request, shapes.NewFieldMap)

        def save(state: MapState) -> FieldMap:
            return actions.save_version(
                connection.pk, direction=key.direction, object_type=key.object_type, declared=_as_text(data["map"]),
                note=data["note"], base=state.number if "If-Match" in request.headers else None, by=person(request),
                at=now(),
            )  # fmt: skip

        saved = _as_seen(request, connection, key, save)
        shown = shapes.represent_version(connection, saved, request)
        return Response(shown, status=201, headers={"Location": shown["url"]})


def _as_text(declared: dict[str, Any]) -> str:
    return json.dumps(declared, ensure_ascii=False, indent=2)


def _as_seen(request: Request, connection: Connection, key: MapKey, act: Callable[[MapState], Any]) -> Any:
    """Act when the map is as If-Match says, and still so when its lock is held; the problem says where it is not."""
    state = reads.map_state(connection, key)
    require_etag(request, state.etag)
    try:
        return act(state)
    except actions.MapChangedMeanwhile as error:
        etag = reads.map_state(connection, key).etag
        raise Problem(kinds.PRECONDITION_FAILED, str(error), headers={"ETag": etag}) from error
    except actions.MapInvalid as error:
        raise _not_a_map(error.detail, error.place, error.remedy) from error
    except Invalid as error:
        pointer = pointer_to("version" if error.field == "number" else error.field)
        raise Problem(kinds.INVALID_CONTENT, error.problem, errors=[at(pointer, error.problem)]) from error


def _not_a_map(problem: str, place: str, remedy: str) -> Problem:
    return Problem(kinds.INVALID_CONTENT, problem, errors=[at(f"/map{place}", problem, remedy)])


class FieldMapVersionItem(ApiView):
    @endpoint(
        "read_field_map_version",
        "Read one version of a field map",
        "Its declaration, who wrote it and why. A version never changes.",
        tag=_TAG,
        answers={200: shapes.FieldMapVersion},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[_SLUG, _NAME, _NUMBER],
    )
    def get(self, request: Request, slug: str, name: str, number: int) -> Response:
        connection, _ = _connection_for(request, slug)
        version = _version(connection, _key_for(name), number)
        return Response(shapes.represent_version(connection, version, request))


def _version(connection: Connection, key: MapKey, number: int) -> FieldMap:
    version = reads.find_version(connection, key, number) if number < 2**31 else None
    if version is None:
        raise Http404
    return version


class ActiveVersion(ApiView):
    @endpoint(
        "use_field_map",
        "Put a version to use",
        "It translates everything that comes in from then on; null switches the map off. The audit event names who "
        "wrote the version and who put it to use. Needs configure_connection.",
        tag=_TAG,
        request=shapes.UseFieldMap,
        answers={200: shapes.FieldMapShape},
        problems=[kind for kind in _PROBLEMS if kind not in (kinds.REQUEST_IN_FLIGHT, kinds.KEY_REUSED)],
        parameters=[_SLUG, _NAME, _IF_MATCH],
        examples=[
            OpenApiExample("Request", value={"version": 3, "because": "Tried on last week's deals."}, request_only=True)
        ],
    )
    def put(self, request: Request, slug: str, name: str) -> Response:
        connection, _ = _connection_for(request, slug)
        key, data = _key_for(name), body_of(request, shapes.UseFieldMap)
        _as_seen(
            request,
            connection,
            key,
            lambda state: actions.use_version(
                connection.pk, direction=key.direction, object_type=key.object_type, number=data["version"],
                revision=state.revision if "If-Match" in request.headers else None, because=data["because"],
                by=person(request), at=now(),
            ),
        )  # fmt: skip
        return _answer(connection, key, request)


class TryMap(ApiView):
    @endpoint(
        "preview_field_map",
        "Preview a field map",
        "What the map, with the one in use for the other step, makes of a payload: the canonical document, the "
        "target's document, every fault with its places, and the connector's check. Saves and sends nothing. Needs "
        "configure_connection, or the verb correct where the connection leads; a stored message needs the latter.",
        tag=_TAG,
        request=shapes.TryFieldMap,
        answers={200: shapes.FieldMapPreview},
        problems=[kind for kind in WRITING if kind not in (kinds.REQUEST_IN_FLIGHT, kinds.KEY_REUSED)]
        + [kinds.NOT_FOUND],
        parameters=[_SLUG, _NAME],
        examples=[
            OpenApiExample(
                "Request",
                value={"map": _MAP, "payload": {"media_type": "application/json", "text": '{"deal": {}}'}},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, slug: str, name: str) -> Response:
        connection, reach = _connection_for(request, slug)
        if connection.pk not in reach.configured | reach.worked:
            raise NotPermitted(actions.may_not_map(connection))
        key, data = _key_for(name), body_of(request, shapes.TryFieldMap)
        declared, number = _map_to_try(connection, key, data)
        payload, media_type, context = _payload_to_try(connection, request, reach, data)
        found = preview_of(
            connection, key, declared, payload, media_type, context=context, at=now(), number=number
        )  # fmt: skip
        if "message" in data:  # a payload of one's own the client has before it
            for document in (payload, found.translation.canonical, found.translation.payload):
                speaks_of_document(request, document)
        return Response(shapes.represent_preview(found))


def _map_to_try(connection: Connection, key: MapKey, data: dict[str, Any]) -> tuple[str, int]:
    if "map" not in data:
        number = data.get("version") or reads.map_state(connection, key).number
        version = _version(connection, key, number)
        return version.declared, version.number
    declared = _as_text(data["map"])
    try:
        require_fit(read_text(declared), direction=key.direction, object_type=key.object_type)
    except MapNotUnderstood as error:
        raise _not_a_map(error.problem, error.place, error.remedy) from error
    return declared, 0


def _payload_to_try(
    connection: Connection, request: Request, reach: ConnectionReach, data: dict[str, Any]
) -> tuple[bytes, str, Any]:
    if "payload" in data:
        return data["payload"]["content"], data["payload"]["media_type"], None
    found = reads.messages_to_try(connection, person(request), reach).filter(pk=data["message"]).first()
    if found is None:
        problem = f"There is no message {data['message']} whose payload this account may see."
        raise Problem(kinds.INVALID_CONTENT, problem, errors=[at("/message", problem, "Send a payload instead.")])
    return (*reads.payload_of(found), context_of(found))


class CanonicalSchema(ApiView):
    @endpoint(
        "read_canonical_schema",
        "Read the JSON Schema of a canonical document",
        "What an inbound map writes and an outbound map reads, in its present version. Without an inbound map, the "
        "source sends such documents itself.",
        tag=_TAG,
        answers={200: OpenApiResponse(OpenApiTypes.OBJECT, description="JSON Schema, draft 2020-12.")},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[_KIND],
    )
    def get(self, request: Request, object_type: str) -> Response:
        if object_type not in DESCRIPTIONS:
            raise Http404
        return Response(json_schema(DESCRIPTIONS[object_type]))
