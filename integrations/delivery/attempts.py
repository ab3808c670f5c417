"""The intent before the first byte, the answer after it, and the way to the target."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from integrations.connectors.base import Answer, Capabilities, Endpoint, Observation, TargetClient
from integrations.connectors.registry import get_connector
from integrations.crash_points import Point, passing
from integrations.delivery.claims import Claim, Fenced, database_now, guarded_lease, still_ours
from integrations.delivery.safeguards import Safeguard, stands
from integrations.http import leaving_within
from integrations.models import Connection, Delivery, DeliveryAnswer, DeliveryAttempt, DeliveryContent
from integrations.promises import effective_capabilities
from integrations.webhooks import CAPABILITIES as WEBHOOK_CAPABILITIES
from integrations.webhooks import WebhookClient

Phase = DeliveryAttempt.Phase


def client_of(delivery: Delivery) -> tuple[TargetClient, Capabilities]:
    connection = delivery.connection
    if delivery.operation == Delivery.Operation.WRITE_BACK:
        endpoint = Endpoint(connection.write_back_url, connection.write_back_secret, connection.timeout_seconds)
        return WebhookClient(endpoint), WEBHOOK_CAPABILITIES
    return get_connector(connection.connector).client(endpoint_of(connection)), effective_capabilities(connection)


def endpoint_of(connection: Connection) -> Endpoint:
    return Endpoint(connection.target_url, connection.target_token, connection.timeout_seconds)


def content_of(delivery: Delivery) -> DeliveryContent:
    return delivery.content


def lease_of(delivery: Delivery) -> timedelta:
    """Twice as long as one exchange may take, which is twice the time-out: whoever is alive has settled by then."""
    return timedelta(seconds=4 * max(delivery.connection.timeout_seconds, 2))


@contextmanager
def in_time(delivery: Delivery) -> Iterator[None]:
    """Around the intent and its request: who was frozen between the two for longer than the lease sends nothing.

    By then another worker may have asked the target, and told people that it is not there.
    """
    if not stands(Safeguard.IN_TIME):
        yield
        return
    with leaving_within(lease_of(delivery)):
        yield


@transaction.atomic
def begin(claim: Claim, phase: DeliveryAttempt.Phase, state: Delivery.State) -> DeliveryAttempt:
    """Commit the intent; from here on the outcome is unknown until an answer is noted. Raises Fenced."""
    until = Now() + guarded_lease(lease_of(claim.delivery))
    changes: dict[str, object] = {"state": state, "due_at": until, "lease_until": until}
    if phase is Phase.SEND:
        changes |= {"sends": F("sends") + 1, "last_sent_at": Now()}
    if not still_ours(claim).update(**changes):
        raise Fenced
    claim.delivery.refresh_from_db(fields=["state", "sends", "last_sent_at"])
    attempt = DeliveryAttempt.objects.create(
        delivery=claim.delivery,
        phase=phase,
        epoch=claim.epoch,
        started_at=database_now(),
        content_sha256=claim.delivery.content_sha256,
    )
    passing(Point(f"{phase}.written"))
    return attempt


def note_answer(attempt: DeliveryAttempt, outcome: str, answer: Answer | Observation) -> None:
    DeliveryAnswer.objects.create(
        attempt=attempt,
        outcome=outcome,
        http_status=answer.http_status,
        headers=dict(answer.headers),
        body=answer.body,
        reference=answer.reference,
        detail=answer.detail,
        finished_at=database_now(),
    )
