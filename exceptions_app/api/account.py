"""Who asks, what is granted to them, and the connections that they may hand messages in for."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.pagination import OLDEST, PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.responses import Shape
from exceptions_app.models import LegalEntity, Queue
from exceptions_app.queries.connection_reach import ConnectionReach, connection_reach_of
from exceptions_app.queries.reach import reach_of
from integrations.connectors.registry import CONNECTORS
from integrations.models import SECRETS, Connection


class GrantOnQueue(Shape):
    slug = serializers.CharField()
    name = serializers.CharField()
    verbs = serializers.ListField(child=serializers.CharField())


class GrantOnEntity(Shape):
    code = serializers.CharField()
    name = serializers.CharField()
    verbs = serializers.ListField(child=serializers.CharField())


class Me(Shape):
    """The account and its grants. A verb counts only where queue and legal entity both grant it."""

    username = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())
    queues = GrantOnQueue(many=True)
    entities = GrantOnEntity(many=True)


class ConnectionShape(Shape):
    """A connected system."""

    slug = serializers.CharField(help_text="Its name in messages.")
    name = serializers.CharField()
    connector = serializers.CharField()
    owner = serializers.CharField(help_text="Who to call when it breaks.")
    max_bytes = serializers.IntegerField(help_text="Largest payload that it takes, in bytes.")
    paused_at = serializers.DateTimeField(allow_null=True, help_text="Since when nothing is sent there.")
    paused_because = serializers.CharField()
    check_name = serializers.CharField(help_text="Which check a correction passes before it may be proposed.")
    verbs = serializers.ListField(child=serializers.CharField(), help_text="What the account may do with it.")


class MeItem(ApiView):
    @endpoint(
        "read_me",
        "Read the own account",
        "Who the credentials belong to, and what is granted to them on which queues and legal entities.",
        tag="Account",
        answers={200: Me},
        problems=READING,
    )
    def get(self, request: Request) -> Response:
        user = person(request)
        reach = reach_of(user)
        return Response(
            {
                "username": user.get_username(),
                "name": user.get_full_name(),
                "email": user.email,
                "roles": sorted(user.groups.values_list("name", flat=True)),
                "queues": [
                    {"slug": queue.slug, "name": queue.name, "verbs": sorted(reach.on_queues[queue.pk])}
                    for queue in Queue.objects.filter(pk__in=reach.on_queues).order_by("slug")
                ],
                "entities": [
                    {"code": entity.code, "name": entity.name, "verbs": sorted(reach.on_entities[entity.pk])}
                    for entity in LegalEntity.objects.filter(pk__in=reach.on_entities).order_by("code")
                ],
            }
        )


class ConnectionList(ApiView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_connections",
        "List connections",
        "The connections that are granted to the account or lead to a queue of it, never with credentials.",
        tag="Connections",
        answers={200: documented_page(ConnectionShape, name="ConnectionPage")},
        problems=READING,
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        reach = connection_reach_of(person(request))
        seen = Connection.objects.filter(pk__in=reach.seen).defer(*SECRETS)
        return answer_page(
            page_of(request, seen, OLDEST), lambda rows: [represent_connection(row, reach) for row in rows]
        )


def represent_connection(connection: Connection, reach: ConnectionReach) -> dict[str, Any]:
    """A connection without its credentials, and what the account may do with it."""
    verbs = {"configure_connection": reach.configured, "ingest_messages": reach.ingesting}
    connector = CONNECTORS.get(connection.connector)
    return {
        "slug": connection.slug,
        "name": connection.name,
        "connector": connection.connector,
        "owner": connection.owner,
        "max_bytes": connection.max_bytes,
        "paused_at": connection.paused_at,
        "paused_because": connection.paused_because,
        "check_name": connector.capabilities.check_name if connector else "",
        "verbs": [verb for verb, granted in verbs.items() if connection.pk in granted],
    }
