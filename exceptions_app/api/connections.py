"""One connection as its page shows it: what waits there, what it promises, where it leads, what went out last."""

from typing import Any

from django.http import Http404
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.account import ConnectionShape, represent_connection
from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import READING, endpoint
from exceptions_app.api.responses import Shape
from exceptions_app.api.sending import HoldShape, represent_hold
from exceptions_app.queries import connections as reads
from exceptions_app.queries.connection_reach import ConnectionReach, connection_reach_of
from exceptions_app.targets import without_secrets
from integrations import delivery as engine
from integrations.connectors.base import TargetKind
from integrations.connectors.registry import UnknownConnector
from integrations.models import Connection, Delivery
from integrations.promises import effective_capabilities

_TAG = "Connections"
_SLUG = OpenApiParameter("slug", OpenApiTypes.STR, OpenApiParameter.PATH, description="Name of the connection.")


class ConnectionCounts(Shape):
    waiting = serializers.IntegerField(help_text="Deliveries that are queued, asked about or being sent.")
    unknown = serializers.IntegerField(help_text="Deliveries whose outcome is not known.")
    refused = serializers.IntegerField(help_text=f"Deliveries refused in the last {reads.RECENTLY.days} days.")
    untold = serializers.IntegerField(help_text="Outcomes that the source could not be told after several tries.")
    unread = serializers.IntegerField(help_text="Messages that are about to be read.")
    failures = serializers.IntegerField(allow_null=True, help_text="Intake failures; null for who may not see them.")
    quarantined = serializers.IntegerField(allow_null=True, help_text="Files in quarantine; null likewise.")


class Promised(Shape):
    target_kind = serializers.CharField(help_text="deduplicates, upserts, askable or neither.")
    resends_by_itself = serializers.BooleanField(help_text="Whether it is sent again once the target has nothing.")
    looked_up_by = serializers.CharField()
    settle_seconds = serializers.IntegerField(help_text="How long a late effect may take to become visible.")
    key_life_seconds = serializers.IntegerField(
        allow_null=True, help_text="How long a repeat is recognised by its key."
    )
    bundles = serializers.IntegerField(help_text="How many approved documents may travel together.")
    checks_natively = serializers.BooleanField(help_text="Whether the check is the target's own.")
    already_exists = serializers.ListField(
        child=serializers.CharField(), help_text="The codes by which it says that it has a document already."
    )
    throttles = serializers.ListField(
        child=serializers.CharField(), help_text="How it says that it takes nothing for now, in words."
    )
    ordering = serializers.CharField(help_text="any, or same_object: changes of one object in their order.")
    correction_renames = serializers.CharField(help_text="What a correction must rename; empty for nothing.")
    lists_what_it_has = serializers.BooleanField(help_text="Whether its own list can be compared with ours.")
    shows_content = serializers.CharField(
        help_text="How much it tells of a document that it has: whole, fields, hash or nothing."
    )


class RouteShape(Shape):
    position = serializers.IntegerField(help_text="Lower is tried first.")
    object_type = serializers.CharField(help_text="Empty: any.")
    party_id = serializers.CharField(help_text="Empty: any.")
    category = serializers.CharField(help_text="Empty: any.")
    queue = serializers.CharField()
    entity = serializers.CharField()
    priority = serializers.IntegerField()


class ConnectionDetail(ConnectionShape):
    """A connected system with what waits there, never with credentials."""

    target_url = serializers.CharField()
    write_back_url = serializers.CharField()
    counts = ConnectionCounts()
    untold_because = serializers.CharField(help_text="Why the source could not be told; empty when it was.")
    last_message_at = serializers.DateTimeField(allow_null=True)
    last_delivery_at = serializers.DateTimeField(allow_null=True, help_text="When something was last booked there.")
    hold = HoldShape(allow_null=True, help_text="Why nothing is sent to the target now; null when it is.")
    sends_per_minute = serializers.IntegerField(allow_null=True, help_text="Null: as many as there are.")
    breaker_after = serializers.IntegerField(help_text="Technical failures in a row after which it rests; 0: never.")
    promises = serializers.SerializerMethodField()
    routes = RouteShape(many=True)

    @extend_schema_field(Promised(allow_null=True))
    def get_promises(self, connection: Connection) -> dict[str, Any] | None:
        return _promises(connection)


class RecentDelivery(Shape):
    """A delivery in the list of a connection; its attempts are with its exception."""

    exception = serializers.CharField()
    url = serializers.URLField(help_text="The exception.")
    operation = serializers.CharField()
    business_key = serializers.CharField()
    state = serializers.CharField()
    reference = serializers.CharField(help_text="The target's own document reference, once it has booked it.")
    detail = serializers.CharField()
    waiting_for = serializers.CharField(help_text="What must happen before it is sent; empty: nothing.")
    attempts = serializers.IntegerField()
    idempotency_key = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class RecentDeliveryList(Shape):
    """The newest deliveries for exceptions that the account may see."""

    results = RecentDelivery(many=True)
    hidden = serializers.IntegerField(help_text="How many of the newest are for exceptions that it may not see.")


class ConnectionItem(ApiView):
    @endpoint(
        "read_connection",
        "Read one connection",
        "Whether it runs, what waits there, what its target promises, and where its transactions lead. Addresses are "
        "shown without anything secret in them.",
        tag=_TAG,
        answers={200: ConnectionDetail},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[_SLUG],
    )
    def get(self, request: Request, slug: str) -> Response:
        found, reach = _connection_for(request, slug)
        cares = found.pk in reach.cared_for
        counted = {name: getattr(found, name) for name in ("waiting", "unknown", "refused", "untold", "unread")}
        failing = {name: getattr(found, name) if cares else None for name in ("failures", "quarantined")}
        return Response(
            {
                **represent_connection(found, reach),
                "target_url": without_secrets(found.target_url),
                "write_back_url": without_secrets(found.write_back_url),
                "counts": counted | failing,
                "untold_because": getattr(found, "untold_because", None) or "",
                "last_message_at": getattr(found, "last_message_at", None),
                "last_delivery_at": getattr(found, "last_delivery_at", None),
                "hold": represent_hold(engine.hold_on(found.pk)),
                "sends_per_minute": found.sends_per_minute,
                "breaker_after": found.breaker_after,
                "promises": _promises(found),
                "routes": [
                    {
                        "position": route.position, "object_type": route.object_type, "party_id": route.party_id,
                        "category": route.category, "queue": route.queue.slug, "entity": route.entity.code,
                        "priority": route.priority,
                    }
                    for route in reads.routes_of(found)
                ],
            }
        )  # fmt: skip


class ConnectionDeliveries(ApiView):
    @endpoint(
        "list_recent_deliveries",
        "List recent deliveries of a connection",
        f"The newest {reads.MOST_SHOWN} for exceptions that the account may see, newest first: where each stands and "
        "how often it was tried. All deliveries of one exception, with their attempts, are read with it.",
        tag=_TAG,
        answers={200: RecentDeliveryList},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[_SLUG],
    )
    def get(self, request: Request, slug: str) -> Response:
        found, _ = _connection_for(request, slug)
        recent = reads.recent_deliveries(found, person(request))
        return Response({"results": [_delivery(row, request) for row in recent.shown], "hidden": recent.hidden})


def _connection_for(request: Request, slug: str) -> tuple[Connection, ConnectionReach]:
    reach = connection_reach_of(person(request))
    found = reads.connections_with_state(reach.seen, at=now()).filter(slug=slug).first()
    if found is None:
        raise Http404
    return found, reach


def _promises(connection: Connection) -> dict[str, Any] | None:
    try:
        promised = effective_capabilities(connection)
    except UnknownConnector:
        return None
    return {
        "target_kind": promised.target_kind.value,
        "resends_by_itself": _resends(promised.target_kind, opted_in=connection.resend_when_absent),
        "looked_up_by": promised.looked_up_by,
        "settle_seconds": int(promised.settle_time.total_seconds()),
        "key_life_seconds": int(promised.key_life.total_seconds()) if promised.key_life else None,
        "bundles": promised.bundles,
        "checks_natively": promised.checks_natively,
        "already_exists": list(promised.already_exists),
        "throttles": [throttle.in_words for throttle in promised.throttles],
        "ordering": promised.ordering.value,
        "correction_renames": promised.correction_envelope,
        "lists_what_it_has": promised.lists_what_it_has,
        "shows_content": promised.shows_content.value,
    }


def _resends(kind: TargetKind, *, opted_in: bool) -> bool:
    return kind is not TargetKind.NEITHER and (opted_in or kind is not TargetKind.ASKABLE)


def _delivery(delivery: Delivery, request: Request) -> dict[str, Any]:
    ref = delivery.subject.removeprefix("case:")
    return {
        "exception": ref,
        "url": reverse("api:exception", args=[ref], request=request),
        "operation": delivery.operation,
        "business_key": delivery.business_key,
        "state": delivery.state,
        "reference": delivery.reference,
        "detail": delivery.detail,
        "waiting_for": delivery.waiting_for if delivery.state == Delivery.State.QUEUED else "",
        "attempts": getattr(delivery, "attempts_made", 0),
        "idempotency_key": delivery.key,
        "created_at": delivery.created_at,
        "finished_at": delivery.finished_at,
    }
