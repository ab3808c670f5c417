"""Which connections a person has to do with, and how: one answer for connections, intake failures and their actions."""

from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser
from django.db import connection as database

from exceptions_app.models import Route
from exceptions_app.queries.reach import Reach, reach_of
from exceptions_app.states import Verb
from integrations.models import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionReach:
    """Connections by primary key.

    `routed` lead to a queue on which the person holds any verb. `worked` lead to a queue and a legal entity on both
    of which they may correct. `ingesting` and `configured` are granted on the connection itself.
    """

    routed: frozenset[int]
    worked: frozenset[int]
    ingesting: frozenset[int]
    configured: frozenset[int]

    @property
    def seen(self) -> frozenset[int]:
        """Connections that the person may look at."""
        return self.routed | self.ingesting | self.configured

    @property
    def cared_for(self) -> frozenset[int]:
        """Connections whose intake failures the person may see."""
        return self.worked | self.ingesting | self.configured

    @property
    def tended(self) -> frozenset[int]:
        """Connections whose intake failures the person may have read again or set aside."""
        return self.worked | self.configured


def connection_reach_of(user: AbstractUser) -> ConnectionReach:
    """Five queries, whatever the number of connections and routes.

    The original of a failure needs `worked`: who merely administers a connection sees no payload.
    """
    reach = reach_of(user)
    known = frozenset(Connection.objects.values_list("pk", flat=True))
    granted = granted_on_connections(user) if user.is_active else {}
    routed: set[int] = set()
    worked: set[int] = set()
    for route in Route.objects.only("connection_id", "queue_id", "entity_id"):
        # A route without a connection is open to messages of all of them.
        leads_from = known if route.connection_id is None else {route.connection_id}
        if reach.on_queues.get(route.queue_id):
            routed |= leads_from
        if _may_correct(reach, route.queue_id, route.entity_id):
            worked |= leads_from
    return ConnectionReach(
        routed=frozenset(routed),
        worked=frozenset(worked),
        ingesting=frozenset(granted.get("ingest_messages", ())),
        configured=frozenset(granted.get("configure_connection", ())),
    )


def worked_within(reach: Reach) -> frozenset[int]:
    """Connections that lead to a queue and a legal entity on both of which the person may correct.

    One query; two where a route leads from all connections.
    """
    columns = Route.objects.values_list("connection_id", "queue_id", "entity_id")
    found = {connection for connection, queue, entity in columns if _may_correct(reach, queue, entity)}
    if None in found:
        return frozenset(Connection.objects.values_list("pk", flat=True))
    return frozenset(connection for connection in found if connection is not None)


def _may_correct(reach: Reach, queue_id: int, entity_id: int) -> bool:
    on_queue = reach.on_queues.get(queue_id, frozenset())
    on_entity = reach.on_entities.get(entity_id, frozenset())
    return Verb.CORRECT in on_queue and Verb.CORRECT in on_entity


_GRANTED = """
    SELECT p.codename, g.content_object_id FROM public.integrations_connectionusergrant g
    JOIN public.auth_permission p ON p.id = g.permission_id WHERE g.user_id = %(user)s
    UNION SELECT p.codename, g.content_object_id FROM public.integrations_connectiongroupgrant g
    JOIN public.auth_permission p ON p.id = g.permission_id
    JOIN public.workbench_user_groups m ON m.group_id = g.group_id WHERE m.user_id = %(user)s
"""


def granted_on_connections(user: AbstractUser) -> dict[str, set[int]]:
    """Connections by codename, granted to the person or to a role of theirs. One query."""
    granted: dict[str, set[int]] = {}
    with database.cursor() as cursor:
        cursor.execute(_GRANTED, {"user": user.pk})
        for codename, connection_id in cursor.fetchall():
            granted.setdefault(codename, set()).add(connection_id)
    return granted
