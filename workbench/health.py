"""Liveness and readiness, for load balancers and for ``./run``."""

import logging

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)

BROKER_TIMEOUT_SECONDS = 2
OK = "ok"


@never_cache
@require_safe
def livez(_request: HttpRequest) -> HttpResponse:
    """Answer as long as the process can answer at all."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@never_cache
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when this process can serve, else 503; and name the part that is missing.

    Without the broker everything is taken in and decided, and only what follows from it waits. A load balancer that
    took every process away for that would make a small outage a whole one.
    """
    parts = {"database": _database(), "broker": _broker()}
    ready = parts["database"] == OK
    return JsonResponse({"ready": ready, **parts}, status=200 if ready else 503)


def _database() -> str:
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        logger.warning("readiness: the database does not answer", exc_info=True)
        return "unreachable"
    return f"{len(pending)} migrations are not applied" if pending else OK


def _broker() -> str:
    if not settings.REDIS_URL:
        return "not configured"
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=BROKER_TIMEOUT_SECONDS,
            socket_connect_timeout=BROKER_TIMEOUT_SECONDS,
        ) as client:
            client.ping()
    except redis.RedisError:
        logger.warning("readiness: the broker does not answer", exc_info=True)
        return "unreachable"
    return OK
